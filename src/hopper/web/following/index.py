"""All jobs that are live as rows, kept up by what changes, and quick to look through."""

from __future__ import annotations

import time
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hopper.web.following.listing import (
    DEFAULT_SORT,
    MOVING,
    SORTS,
    Entry,
    JobFilter,
    JobPage,
    check_sort,
    conditions,
    cursor_of,
    entry_at,
    onwards,
)
from hopper.web.following.rows import JobRow

_MOST_ORDERS = 4
"""Columns whose order is kept; another one is sorted when it is asked for."""
_MOST_MOVES = 200
"""Above so many changes at once an order is sorted anew, which costs less than moving each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Facets:
    """What there is to filter by, and how many live jobs each has."""

    states: Mapping[str, int]
    users: Mapping[str, int]
    backends: Mapping[str, int]
    """Backends, and workers of jobs that are for no backend."""
    runs: Mapping[str, int]
    workflows: Mapping[str, int]
    origins: Mapping[str, int]


class JobIndex:
    """Rows by id. Not for several threads."""

    def __init__(self) -> None:
        self.rows: dict[str, JobRow] = {}
        self._of_run: dict[str, dict[str, None]] = {}
        self._counts: dict[str, Counter[str]] = {
            name: Counter()
            for name in ("states", "users", "backends", "runs", "workflows", "origins")
        }
        self._orders: dict[str, list[Entry]] = {}
        """Sorted entries by column; of a moving one without the rows of ``_growing``."""
        self._growing: dict[str, JobRow] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def update(self, changed: Mapping[str, JobRow | None]) -> None:
        """Take rows in by id; None for those that are gone."""
        if len(changed) > _MOST_MOVES:
            self._orders.clear()
        for job_id, row in changed.items():
            before = self.rows.get(job_id)
            if before is not None:
                self._leave(before, stays=row is not None and row.run == before.run)
            if row is not None:
                self._enter(row)
            self._move(before, row)

    def facets(self) -> Facets:
        """Return what there is to filter by, the most frequent first."""
        return Facets(**{name: dict(counts.most_common()) for name, counts in self._counts.items()})

    def of_run(self, run_id: str) -> list[JobRow]:
        """Return the rows of a run, in the order in which its jobs came."""
        return [self.rows[job_id] for job_id in self._of_run.get(run_id, ())]

    def run_ids(self) -> Iterator[str]:
        """Yield the runs that have live jobs."""
        return iter(self._of_run)

    def page(
        self,
        wanted: JobFilter,
        *,
        sort: str = DEFAULT_SORT,
        descending: bool = True,
        offset: int = 0,
        limit: int = 50,
        at: str | None = None,
        now: float | None = None,
    ) -> JobPage:
        """Return some of the live rows that are wanted.

        ``at`` is the cursor of the page before; ``offset`` counts from there. Raises UsageError
        for a column or a cursor that is none.
        """
        check_sort(sort)
        entries = self.entries(wanted, sort, time.time() if now is None else now)
        after = entry_at(at, sort) if at else None
        places = onwards(entries, after, descending=descending)
        shown = [entries[place] for place in places[offset : offset + limit]]
        more = len(places) > offset + limit and shown
        return JobPage(
            rows=[self.rows[job_id] for _, job_id in shown],
            total=len(entries),
            next=cursor_of(sort, shown[-1]) if more else None,
        )

    def entries(self, wanted: JobFilter, sort: str, now: float) -> Sequence[Entry]:
        """Return what is wanted as sorted entries that rise. Not to be changed."""
        tests = conditions(wanted)
        if not tests and not wanted.run:
            return self._order(sort, now)
        found: Iterable[JobRow] = self.of_run(wanted.run) if wanted.run else self.rows.values()
        for test in tests:
            found = [row for row in found if test(row)]
        rows = list(found)
        if len(rows) * 4 < len(self.rows):
            key = SORTS[sort]
            return sorted((key(row, now), row.id) for row in rows)
        ids = {row.id for row in rows}
        return [entry for entry in self._order(sort, now) if entry[1] in ids]

    def _order(self, sort: str, now: float) -> list[Entry]:
        known = self._orders.pop(sort, None)
        if known is None:
            entries = (_kept_entry(sort, row) for row in self.rows.values())
            known = sorted(entry for entry in entries if entry is not None)
        self._orders[sort] = known  # the last one used comes last
        while len(self._orders) > _MOST_ORDERS:
            del self._orders[next(iter(self._orders))]
        if sort not in MOVING or not self._growing:
            return known
        key = SORTS[sort]
        # Nearly sorted, which costs little more than to copy it.
        return sorted([*known, *((key(row, now), row.id) for row in self._growing.values())])

    def _move(self, before: JobRow | None, after: JobRow | None) -> None:
        for sort, entries in self._orders.items():
            old = None if before is None else _kept_entry(sort, before)
            new = None if after is None else _kept_entry(sort, after)
            if old != new:
                if old is not None:
                    del entries[bisect_left(entries, old)]
                if new is not None:
                    insort(entries, new)

    def _enter(self, row: JobRow) -> None:
        self.rows[row.id] = row
        if row.running_cpus:
            self._growing[row.id] = row
        self._count(row, 1)
        if row.run:
            self._of_run.setdefault(row.run, {})[row.id] = None

    def _leave(self, row: JobRow, *, stays: bool) -> None:
        """Take a row away; one that ``stays`` only changes, and keeps its place in its run."""
        self._count(row, -1)
        self._growing.pop(row.id, None)
        if stays:
            return
        del self.rows[row.id]
        jobs = self._of_run.get(row.run, {})
        jobs.pop(row.id, None)
        if not jobs:
            self._of_run.pop(row.run, None)

    def _count(self, row: JobRow, by: int) -> None:
        counts = self._counts
        for name, value in (
            ("states", row.state),
            ("users", row.user),
            ("backends", row.place),
            ("runs", row.run),
            ("workflows", row.workflow),
            ("origins", row.origin),
        ):
            if value:
                counts[name][value] += by
                if not counts[name][value]:
                    del counts[name][value]


def _kept_entry(sort: str, row: JobRow) -> Entry | None:
    """Return a row's place in the order that is kept; None where that moves by itself."""
    if sort in MOVING and row.running_cpus:
        return None
    return SORTS[sort](row, 0.0), row.id
