"""The state as it changes, for all who show it. Lives in the server's event loop."""

from __future__ import annotations

import logging
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from heapq import merge
from itertools import islice
from pathlib import Path

import anyio
from anyio import to_thread

from hopper.errors import HopperError
from hopper.model.event import EventKind
from hopper.model.job import Job
from hopper.model.run import Run
from hopper.store.state import StateStore
from hopper.web.following.changes import Changes, Memory, Position, position_of
from hopper.web.following.hub import MOST_ROWS, Hub, Watcher
from hopper.web.following.index import JobIndex
from hopper.web.following.listing import (
    DEFAULT_SORT,
    Entry,
    JobFilter,
    JobPage,
    check_sort,
    cursor_of,
    entry_at,
    onwards,
)
from hopper.web.following.past import Past
from hopper.web.following.reading import Reading
from hopper.web.following.rows import UNDER_WAY, JobRow
from hopper.web.following.tallies import RunTally, Tallies
from hopper.web.following.usage import CpuHours, cpu_hours, first_hour

log = logging.getLogger(__name__)

LOOK_EVERY = 0.25
"""Seconds between two looks at the state."""
PATIENCE = 10.0
"""Seconds between two looks, at most, while the state cannot be read."""
USAGE_EVERY = 60.0
JOBS_KEPT = 1_000
"""Decoded jobs that are kept, so that memory follows from the rows."""
_REMADE = frozenset({EventKind.RUN_CREATED, EventKind.RUN_DELETED, EventKind.TASKS_ADDED})
"""Events after which lists have other members than their jobs' events tell."""


class Following:
    """What the pages look at. ``trouble`` says why it is not the newest, empty when it is."""

    def __init__(self, folder: Path) -> None:
        """Open the state in ``paths.db``; StoreDamaged or StoreTooNew where that cannot be."""
        self.folder = folder
        self.store = StateStore.open(folder, readonly=True, keep=JOBS_KEPT)
        self.version = 0
        """Rises with every change."""
        self.trouble = ""
        self.seen_at = time.time()
        """When the state was last looked at with success, in epoch seconds."""
        self.usage: CpuHours | None = None
        """CPU hours as of the last minute; None until they are counted first."""
        self._reading = Reading(self.store)
        self._reading.all()
        self.tallies = Tallies(self.index)
        self.past = Past(folder)
        self._memory = Memory()
        self._process = secrets.token_hex(4)
        self._seq = self.store.seen_seq
        self.hub = Hub(lambda changes: str(self._at(changes)))

    @property
    def index(self) -> JobIndex:
        """The live jobs as rows."""
        return self._reading.index

    @property
    def position(self) -> Position:
        """How far what is shown now has come: what a page is to give its stream."""
        return Position(seq=self._seq, version=self.version, process=self._process)

    async def run(self) -> None:
        """Look at the state again and again, and tell the hub. Until it is cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._keep_usage)
            pause = LOOK_EVERY
            while True:
                await anyio.sleep(pause)
                self.look()
                pause = min(pause * 2, PATIENCE) if self.trouble else LOOK_EVERY

    def look(self) -> None:
        """Look once. Where the state cannot be read, what is known stays, and trouble is told."""
        try:
            changes = self._take_in()
        except (HopperError, OSError) as refusal:
            if self.trouble == str(refusal):
                return
            log.warning("the state cannot be read: %s", refusal)
            self.trouble, changes = str(refusal), Changes(whole=True)
        if changes is not None:
            self._note(changes)

    def _take_in(self) -> Changes | None:
        keys, store = self.store.look(), self.store
        self.seen_at = time.time()
        if self.trouble or store.seen_seq < self._seq:
            # Nobody knows what has changed meanwhile.
            self._reading.all()
            self.tallies.clear()
            self.trouble = ""
            return Changes(whole=True)
        news = store.seen_seq != self._seq
        if not keys and not news:
            return None
        changes = self._reading.some(keys)
        self.tallies.forget(changes.runs)
        return replace(changes, tables=changes.tables | {"events"}) if news else changes

    def close(self) -> None:
        """Let all watchers go, and the state."""
        self.hub.close()
        self.store.close()

    # --- what there is

    def job(self, job_id: str) -> Job | None:
        """Return a live job; None where there is none."""
        return self.store.jobs.get(job_id)

    def newest_job(self, job_id: str) -> Job | None:
        """Return a live job, also one that came since the last look."""
        if job_id not in self.store.jobs:
            self.look()
        return self.job(job_id)

    def newest_run(self, run_id: str) -> Run | None:
        """Return a live run, also one that came since the last look."""
        if run_id not in self.store.runs:
            self.look()
        return self.store.runs.get(run_id)

    def jobs_of(self, run_id: str) -> Iterator[Job]:
        """Yield the live jobs of a run, in the order in which they came."""
        return (self.store.jobs[row.id] for row in self.index.of_run(run_id))

    def no_contact(self, row: JobRow) -> datetime | None:
        """Return since when the worker that has a job cannot be reached; None where it can."""
        record = self.store.workers.get(row.worker) if row.state in UNDER_WAY else None
        return record.no_contact_since if record is not None else None

    def tally(self, run: Run) -> RunTally:
        """Return how a live run stands."""
        return self.tallies.of(run)

    def run_tallies(self) -> list[RunTally]:
        """Return how all live runs stand, the oldest first."""
        runs = sorted(self.store.runs.values(), key=lambda run: (run.created_at, run.id))
        return [self.tallies.of(run) for run in runs]

    async def page(
        self,
        wanted: JobFilter,
        *,
        sort: str = DEFAULT_SORT,
        descending: bool = True,
        offset: int = 0,
        limit: int = 50,
        at: str | None = None,
    ) -> JobPage:
        """Return some of the jobs that are wanted, those of the history too if they are.

        As JobIndex.page; raises UsageError for a column or a cursor that is none.
        """
        if not wanted.history:
            return self.index.page(
                wanted, sort=sort, descending=descending, offset=offset, limit=limit, at=at
            )
        check_sort(sort)
        after = entry_at(at, sort) if at else None
        found = list(self.index.entries(wanted, sort, time.time()))
        live = [found[place] for place in onwards(found, after, descending=descending)]
        most = offset + limit + 1
        try:
            old, count = await to_thread.run_sync(
                lambda: self.past.entries(
                    wanted, sort, descending=descending, since=after, limit=most
                )
            )
            trouble = self.past.trouble
        except (sqlite3.Error, OSError) as refusal:
            old, count, trouble = [], 0, f"the history cannot be looked through: {refusal}"
        # For a moment a job that leaves for the history is in both: the live one counts.
        fresh = [entry for entry in old if entry[1] not in self.index.rows]
        both = merge(live, fresh, reverse=descending)
        shown = list(islice(both, offset, most))
        rows = await self._rows([job_id for _, job_id in shown[:limit]])
        return JobPage(
            rows=rows,
            total=len(found) + count - (len(old) - len(fresh)),
            next=_next(sort, shown, limit),
            trouble=trouble,
        )

    async def _rows(self, ids: Sequence[str]) -> list[JobRow]:
        live = {job_id: self.index.rows[job_id] for job_id in ids if job_id in self.index.rows}
        missing = [job_id for job_id in ids if job_id not in live]
        old = await to_thread.run_sync(self.past.rows, missing) if missing else {}
        known = {**old, **live}
        return [known[job_id] for job_id in ids if job_id in known]

    # --- what has changed

    def changed_since(self, seen: Position) -> Changes | None:
        """Return what has changed since a position; None for too much to tell."""
        if seen.process == self._process:
            return self._memory.since(seen.version)
        if seen.seq > self._seq:
            return None
        return self._by_events(seen.seq)

    def watch(self, view: str, seen: str) -> Watcher:
        """Return a new watcher of a view; ``seen`` is the position that it had, or empty."""
        position = position_of(seen) if seen else self.position
        missed = self.changed_since(position) if position is not None else None
        whole = Changes(whole=missed is None)
        return self.hub.watch(view, replace(missed or whole, seq=self._seq, version=self.version))

    def _by_events(self, seq: int) -> Changes | None:
        """Return what the events since tell, and all that is under way, which they may not."""
        events = list(islice(self.store.events(after=seq), MOST_ROWS + 1))
        if len(events) > MOST_ROWS or any(event.kind in _REMADE for event in events):
            return None
        rows = self.index.rows
        ids = {event.job for event in events if event.job is not None}
        jobs = {job_id: rows[job_id].run for job_id in ids if job_id in rows}
        jobs |= {row.id: row.run for row in rows.values() if row.state in UNDER_WAY}
        return Changes(
            jobs=jobs,
            gone=dict.fromkeys(ids - jobs.keys(), ""),
            runs=frozenset(jobs.values()) - {""},
            tables=frozenset({"jobs", "runs", "workers", "externals", "clusters", "settings"})
            | ({"events"} if events else set()),
        )

    def _note(self, changes: Changes) -> None:
        self.version += 1
        self._seq = self.store.seen_seq
        changes = replace(changes, version=self.version, seq=self._seq)
        self._memory.add(changes)
        self.hub.tell(changes)

    def _at(self, changes: Changes) -> Position:
        return Position(seq=changes.seq, version=changes.version, process=self._process)

    # --- CPU hours

    async def _keep_usage(self) -> None:
        while True:
            try:
                await self.count_usage()
            except (sqlite3.Error, OSError, HopperError) as refusal:
                log.warning("the CPU hours cannot be counted: %s", refusal)
            await anyio.sleep(USAGE_EVERY)

    async def count_usage(self) -> None:
        """Bring the index of the history up to date, and count the CPU hours anew."""
        await to_thread.run_sync(self.past.bring_up_to_date)
        rows = list(self.index.rows.values())
        now = time.time()

        def count() -> CpuHours:
            past = self.past.hours(first_hour(now))
            return cpu_hours(past, (row.spans for row in rows), now)

        self.usage = await to_thread.run_sync(count)


def _next(sort: str, shown: Sequence[Entry], limit: int) -> str | None:
    return cursor_of(sort, shown[limit - 1]) if len(shown) > limit > 0 else None
