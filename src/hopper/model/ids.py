"""Ids of jobs and attempts.

A job's id is its name's slug, a dash and 6 characters, and holds no dot, so that the
results of ``job1`` are never taken for those of ``job10``. An attempt's id is
``[a-z][a-z0-9]{9}``: Torque takes 15 characters of job name, and a shell, a file name and
a process environment all take it unquoted.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Sequence

LETTERS = "abcdefghijklmnopqrstuvwxyz"
ALPHABET = LETTERS + "0123456789"
ID_TAIL = 6
SLUG_LENGTH = 40
JOB_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}\Z")
ATTEMPT_ID = re.compile(r"[a-z][a-z0-9]{9}\Z")

Choice = Callable[[Sequence[str]], str]
"""Picks one of several; ``secrets.choice`` in use, something repeatable in tests."""


def slug(name: str) -> str:
    """Return the part of a job's id that is made from its name: ``[a-z0-9_-]``, never empty."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    cleaned = re.sub(r"[^a-z0-9_]+", "-", ascii_name.lower()).strip("-_")
    return cleaned[:SLUG_LENGTH].rstrip("-_") or "job"


def new_job_id(name: str, choice: Choice) -> str:
    """Return a fresh id for a job of that name."""
    return f"{slug(name)}-{''.join(choice(ALPHABET) for _ in range(ID_TAIL))}"


def new_attempt_id(choice: Choice) -> str:
    """Return a fresh id for an attempt."""
    return choice(LETTERS) + "".join(choice(ALPHABET) for _ in range(9))


def attempt_id_of(text: str) -> str:
    """Return the id of an attempt that is the same whenever the text is."""
    number = int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest())

    def pick(letters: Sequence[str]) -> str:
        nonlocal number
        number, place = divmod(number, len(letters))
        return letters[place]

    return new_attempt_id(pick)
