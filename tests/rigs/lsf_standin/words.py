"""States, times and refusals in LSF's words."""

from __future__ import annotations

import re
import time

from tests.rigs._cluster.batch.arrays import members_of
from tests.rigs._cluster.batch.store import Job, Store
from tests.rigs._cluster.batch.words import Refused

ERROR = 255
SPECTRUM = "spectrum"
KILLED = 130
RUN_LIMIT = 140
_LIVE = {"waiting": "PEND", "held": "PSUSP", "running": "RUN"}


_ID = re.compile(r"(\d+)(?:\[(\d+)\])?\Z")


def number_of(job: Job) -> int:
    """The number of a job, or of its array."""
    return job.array or job.number


def job_id(job: Job) -> str:
    """The id of a job, `12`, or of a member of an array, `12[3]`."""
    return f"{job.array}[{job.index}]" if job.array else f"{job.number}"


def jobs_of(store: Store, word: str) -> list[Job]:
    """The job that an id means, or an array's members; none for an id that no job has."""
    found = _ID.match(word)
    if found is None:
        return []
    number, index = int(found[1]), found[2]
    job = store.load(number)
    members = [job] if job else members_of(store, number)
    return [member for member in members if index is None or member.index == int(index)]


def stat(job: Job) -> str:
    """The state of a job, as `bjobs` writes it."""
    if job.state != "ended":
        return _LIVE[job.state]
    return "DONE" if job.code == 0 and not job.why else "EXIT"


def exit_code(job: Job) -> int | None:
    """With what an ended job ended; None when it succeeded or never ran."""
    if job.state != "ended" or job.started is None:
        return None
    codes = {"deleted": KILLED, "limit": RUN_LIMIT}
    return codes.get(job.why, job.code) or None


def minute(moment: float) -> str:
    """A time without its year, as tables have it."""
    return time.strftime("%b %e %H:%M", time.localtime(moment))


def refuse_if_down(store: Store, ending: str = "") -> None:
    """Raise Refused when the server is down."""
    if store.down:
        text = f"Failed in an LSF library call: LIM is down; try later{ending}"
        raise Refused(text, ERROR)


def options_of(
    arguments: list[str], valued: str, *, words: tuple[str, ...] = (), flags: tuple[str, ...] = ()
) -> tuple[dict[str, str], list[str]]:
    """Read options as OpenLava does, up to the first operand.

    `valued` are the letters that take a value, at once (`-n4`) or as the next word; any other
    letter is a flag. `words` and `flags` are options of several letters, with a value and without,
    that only Spectrum LSF knows. Raises Refused when a value is missing.
    """
    found: dict[str, str] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        name = rest.pop(0)[1:]
        if name in flags:
            found[name] = ""
        elif name in words:
            found[name] = _value(name, rest)
        else:
            _letters(name, valued, rest, found)
    return found, rest


def _letters(cluster: str, valued: str, rest: list[str], found: dict[str, str]) -> None:
    for at, letter in enumerate(cluster):
        if letter in valued:
            found[letter] = cluster[at + 1 :] or _value(letter, rest)
            return
        found[letter] = ""


def _value(name: str, rest: list[str]) -> str:
    if not rest:
        raise Refused(f"option requires an argument -- '{name}'", ERROR)
    return rest.pop(0)
