"""What is wanted of a list of jobs: which of them, in which order, and from where on. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from hopper.errors import UsageError
from hopper.web.following.rows import JobRow

Value = str | float
Entry = tuple[Value, str]
"""What a job is sorted by, and its id, which makes the order the same every time."""
Condition = Callable[[JobRow], bool]

NOTHING = -1.0
"""What stands for a figure that is not known: it comes before all that are."""
DEFAULT_SORT = "submitted"


@dataclass(frozen=True, kw_only=True, slots=True)
class JobFilter:
    """Which jobs are wanted. Empty for each that does not matter."""

    states: frozenset[str] = frozenset()
    user: str = ""
    backend: str = ""
    """A backend, or a worker that has or had an attempt of it."""
    run: str = ""
    workflow: str = ""
    origin: str = ""
    tags: frozenset[str] = frozenset()
    """All of them are asked for by the job."""
    name: str = ""
    """A glob that the whole name fits."""
    text: str = ""
    """Words that are all in its id, name, task, native id or node; small or capital letters."""
    since: datetime | None = None
    """Submitted then or later."""
    held: bool | None = None
    history: bool = False
    """Also those that have left the live state."""

    @property
    def words(self) -> list[str]:
        """The words of the text, in small letters."""
        return self.text.lower().split()


@dataclass(frozen=True, kw_only=True, slots=True)
class JobPage:
    """Some rows of a list."""

    rows: Sequence[JobRow]
    total: int
    """How many there are on all pages."""
    next: str | None = None
    """The cursor that the next page starts after; None on the last page."""
    trouble: str = ""
    """Why jobs of the history may be missing."""


def conditions(wanted: JobFilter) -> list[Condition]:
    """Return what a row must fulfil: the cheap and choosy ones first. The run is not among them."""
    found: list[Condition] = []
    if wanted.states:
        found.append(lambda row: row.state in wanted.states)
    if wanted.user:
        found.append(lambda row: row.user == wanted.user)
    if place := wanted.backend:
        found.append(lambda row: place in {row.backend, row.worker} or place in row.earlier)
    if wanted.workflow:
        found.append(lambda row: row.workflow == wanted.workflow)
    if wanted.origin:
        found.append(lambda row: row.origin == wanted.origin)
    if wanted.held is not None:
        found.append(lambda row: row.held is wanted.held)
    return [*found, *_of_contents(wanted)]


def _of_contents(wanted: JobFilter) -> Iterable[Condition]:
    if wanted.tags:
        yield lambda row: wanted.tags.issubset(row.tags)
    if (since := wanted.since) is not None:
        yield lambda row: row.submitted_at is not None and row.submitted_at >= since
    if wanted.name:
        yield lambda row: fnmatchcase(row.name, wanted.name)
    for word in wanted.words:
        yield lambda row, word=word: word in row.text  # type: ignore[misc]


def _seconds(moment: datetime | None) -> float:
    return NOTHING if moment is None else moment.timestamp()


def _hours(row: JobRow, now: float) -> float:
    hours = row.cpu_hours(now)
    return NOTHING if hours is None else hours


SORTS: dict[str, Callable[[JobRow, float], Value]] = {
    "submitted": lambda row, _: _seconds(row.submitted_at),
    "started": lambda row, _: _seconds(row.started_at),
    "ended": lambda row, _: _seconds(row.ended_at),
    "state": lambda row, _: row.state,
    "id": lambda row, _: row.id,
    "name": lambda row, _: row.name.lower(),
    "workflow": lambda row, _: row.workflow,
    "run": lambda row, _: row.run,
    "user": lambda row, _: row.user,
    "backend": lambda row, _: row.place,
    "node": lambda row, _: row.node,
    "cpus": lambda row, _: NOTHING if row.cpus is None else float(row.cpus),
    "cpu_hours": _hours,
    "utilization": lambda row, _: NOTHING if row.utilization is None else row.utilization,
}
"""What a list can be sorted by; given the time in epoch seconds."""
MOVING = frozenset({"cpu_hours"})
"""Those that change by the time alone."""


def check_sort(sort: str) -> None:
    """Raise UsageError for a column that nothing can be sorted by."""
    if sort not in SORTS:
        raise UsageError(f"cannot sort jobs by {sort!r}", way_out=f"by one of {', '.join(SORTS)}")


def cursor_of(sort: str, entry: Entry) -> str:
    """Return where a page has ended, as text for an address."""
    raw = json.dumps([sort, *entry], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def entry_at(cursor: str, sort: str) -> Entry:
    """Return what a cursor stands for; UsageError where it is of another list, or none at all."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        found_sort, value, job_id = json.loads(raw)
    except (ValueError, TypeError, binascii.Error, RecursionError):
        found_sort, value, job_id = None, None, None
    kind = type(SORTS[sort](JobRow(id=""), 0.0))
    if isinstance(value, int) and kind is float and not isinstance(value, bool):
        value = float(value)
    if found_sort != sort or not isinstance(value, kind) or not isinstance(job_id, str):
        raise UsageError("that cursor is not of this list", way_out="begin without one")
    return value, job_id


def onwards(entries: Sequence[Entry], after: Entry | None, *, descending: bool) -> range:
    """Return the positions in ``entries``, which rise, of what comes after one, in their order."""
    if descending:
        end = len(entries) if after is None else bisect_left(entries, after)
        return range(end - 1, -1, -1)
    start = 0 if after is None else bisect_right(entries, after)
    return range(start, len(entries))
