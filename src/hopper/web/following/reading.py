"""Rows from the documents of the state, with what they take from their runs."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from hopper.store.codec import decode_object
from hopper.store.state import StateStore
from hopper.web.following.changes import Changes
from hopper.web.following.index import JobIndex
from hopper.web.following.rows import NO_RUN, UNREADABLE, Home, JobRow, external_row, job_row

log = logging.getLogger(__name__)


class Reading:
    """Makes rows of what the state holds, and keeps an index like it."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._homes: dict[str, Home] = {}
        self.index = JobIndex()

    def all(self) -> None:
        """Make every row anew."""
        store = self._store
        self._take_homes(store.runs)
        rows: dict[str, JobRow | None] = dict.fromkeys(self.index.rows)
        for raw in store.raw_jobs():
            _put(rows, self._job_row(raw))
        for raw in store.raw_externals():
            _put(rows, _external_row(raw))
        self.index.update(rows)

    def some(self, keys: Mapping[str, list[str]]) -> Changes:
        """Make the rows anew whose documents have changed; ``keys`` as StateStore.look tells."""
        changed: dict[str, JobRow | None] = {}
        for run_id in self._take_homes(keys.get("runs", ())):
            changed.update((row.id, None) for row in self.index.of_run(run_id))
        changed.update(dict.fromkeys(keys.get("jobs", ())))
        for job_id in changed:
            changed[job_id] = self._job_row(self._store.raw_of("jobs", job_id))
        for job_id in keys.get("externals", ()):
            changed[job_id] = _external_row(self._store.raw_of("externals", job_id))
        before = {job_id: self.index.rows.get(job_id) for job_id in changed}
        self.index.update(changed)
        return _changes(keys, before, changed)

    def _take_homes(self, run_ids: Iterable[str]) -> list[str]:
        """Look at runs; return those of whose jobs the rows are not right any more."""
        other = []
        for run_id in run_ids:
            run = self._store.runs.get(run_id)
            if run is None:
                self._homes.pop(run_id, None)
                continue
            home = Home(workflow=run.workflow, backend=run.backend, user=run.user)
            if self._homes.get(run_id) != home:
                self._homes[run_id] = home
                other.append(run_id)
        return other

    def _job_row(self, raw: bytes | None) -> JobRow | None:
        if raw is None:
            return None
        try:
            document = decode_object(raw)
            return job_row(document, self._homes.get(str(document.get("run")), NO_RUN))
        except UNREADABLE:
            log.exception("a job that cannot be shown: %.200r", raw)
            return None


def _external_row(raw: bytes | None) -> JobRow | None:
    if raw is None:
        return None
    try:
        return external_row(decode_object(raw))
    except UNREADABLE:
        log.exception("a job of others that cannot be shown: %.200r", raw)
        return None


def _put(rows: dict[str, JobRow | None], row: JobRow | None) -> None:
    if row is not None:
        rows[row.id] = row


def _changes(
    keys: Mapping[str, list[str]],
    before: Mapping[str, JobRow | None],
    after: Mapping[str, JobRow | None],
) -> Changes:
    jobs = {job_id: row.run for job_id, row in after.items() if row is not None}
    left = {job_id: row for job_id, row in before.items() if row is not None}
    gone = {job_id: row.run for job_id, row in left.items() if job_id not in jobs}
    return Changes(
        jobs=jobs,
        new=frozenset(jobs.keys() - left.keys()),
        gone=gone,
        runs=frozenset({*keys.get("runs", ()), *jobs.values(), *gone.values()} - {""}),
        tables=frozenset(keys),
    )
