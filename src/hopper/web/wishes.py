"""What is wanted of jobs that are handed in, as a form's fields or an address' query say it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from hopper.config.model import HopperConfig
from hopper.errors import NotThere, UsageError
from hopper.operations.submitting import Queued, Submission, submit, wanted
from hopper.web.uploads import Received

NUMBERS = ("priority", "gpus", "cpus", "retries")
TEXTS = ("name", "time_limit", "memory", "partition")
LISTS = ("tags", "results", "after")
_NUMBER = re.compile(r"[+-]?[0-9]{1,12}\Z", re.ASCII)
_YES = frozenset({"1", "true", "on", "yes"})
_NO = frozenset({"", "0", "false", "off", "no"})
KEYS = frozenset({*NUMBERS, *TEXTS, *LISTS, "env", "hold", "backend"})
"""The names of the fields. ``env`` is NAME=VALUE, a line or a field each; a list has an
item in a line or a field each, ``tags`` also with commas between."""
IGNORED = frozenset({"csrf_token"})

Said = Mapping[str, Sequence[str]]


def submit_received(
    config: HopperConfig, received: Received, said: Said, *, by: str
) -> list[Queued]:
    """Queue the zips that have come, all of them or none. Blocks.

    ``said`` is what is wanted of each of them; UsageError where that is wrong, or a zip is not
    fit to be sent.
    """
    files = tuple(one.path for one in received.files)
    submission = submission_of(said, files, by=by)
    try:
        return submit(config, submission, lambda *_: nullcontext())
    except NotThere as error:
        # A job to come after, or a backend: what was sent is wrong, not where it was sent to.
        raise UsageError(error.what, way_out=error.way_out) from error


def submission_of(said: Said, files: tuple[Path, ...], *, by: str) -> Submission:
    """Return what is to be queued. UsageError for a field that is none, or says what it cannot."""
    unknown = sorted(said.keys() - KEYS - IGNORED)
    if unknown:
        raise UsageError(f"{unknown[0]!r:.100} is no field of a job")
    given = {name: values for name, values in said.items() if any(values)}
    keys: dict[str, object] = {name: _one(given, name) for name in TEXTS if name in given}
    keys |= {name: _number(given, name) for name in NUMBERS if name in given}
    keys |= {name: _items(name, given[name]) for name in LISTS if name in given}
    if "env" in given:
        keys["env"] = _environment(given["env"])
    return Submission(
        sources=files,
        wishes=wanted(keys),
        hold=_flag(given, "hold"),
        backend=_one(given, "backend") if "backend" in given else None,
        by=by,
    )


def _one(said: Said, name: str) -> str:
    values = said[name]
    if len(values) > 1:
        raise UsageError(f"{name} is said more than once")
    return values[0]


def _number(said: Said, name: str) -> int:
    text = _one(said, name).strip()
    if _NUMBER.match(text) is None:
        raise UsageError(f"{name}: {text!r:.40} must be a whole number")
    return int(text)


def _items(name: str, values: Sequence[str]) -> tuple[str, ...]:
    text = "\n".join(values)
    lines = text.replace(",", "\n") if name == "tags" else text
    return tuple(line.strip() for line in lines.splitlines() if line.strip())


def _environment(values: Sequence[str]) -> dict[str, str]:
    found = {}
    for line in (line for value in values for line in value.splitlines() if line.strip()):
        name, equals, value = line.partition("=")
        if not equals:
            raise UsageError(f"env: {line!r:.60} must be NAME=VALUE")
        found[name.strip()] = value
    return found


def _flag(said: Said, name: str) -> bool:
    if name not in said:
        return False
    text = _one(said, name).strip().lower()
    if text not in _YES | _NO:
        raise UsageError(f"{name}: {text!r:.40} must be true or false")
    return text in _YES
