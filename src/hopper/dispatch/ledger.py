"""Makes what has happened durable; the book, the log and the zips at home follow from it."""

from __future__ import annotations

from datetime import datetime

from hopper.dispatch.book import Book
from hopper.dispatch.changes import Changes
from hopper.dispatch.desk import Desk
from hopper.dispatch.equal_tasks import to_be_kept
from hopper.dispatch.launches import void
from hopper.dispatch.ports import Clock, Home, Log, Store, TaskZips
from hopper.dispatch.settings import PolicySettings
from hopper.dispatch.zips import Placed, Zips
from hopper.model.event import Event, EventKind
from hopper.model.job import Job
from hopper.model.states import JobState

REMEMBERED = 10_000
"""Troubles that are told but once."""


class Ledger:
    """The one place through which a dispatcher changes the state."""

    def __init__(
        self,
        *,
        store: Store,
        home: Home,
        log: Log,
        clock: Clock,
        settings: PolicySettings,
        task_zips: TaskZips,
    ) -> None:
        self.book = Book(
            store.jobs.values(),
            store.workers.values(),
            store.settings,
            store.runs.values(),
            stored=store.stored,
            clusters=store.clusters,
            externals=store.externals,
        )
        self.completed: list[str] = []
        """Jobs that have completed, whose results are to be kept for equal tasks."""
        self._store = store
        self._log = log
        self._clock = clock
        self._settings = settings
        self._zips = Zips(home, task_zips)
        self._troubles: dict[str, str] = {}

    def now(self) -> datetime:
        """Return the aware UTC time."""
        return self._clock.now()

    def desk(self) -> Desk:
        """Return an empty desk for one step."""
        return Desk(book=self.book, settings=self._settings, now=self.now())

    # --- changes

    def commit(self, changes: Changes) -> None:
        """Make changes durable, follow them, and bring zips to where the states say now."""
        if not changes:
            return
        before = {job.id: self.book.jobs.get(job.id) for job in changes.jobs}
        self._write(changes)
        for job in changes.jobs:
            old = before[job.id]
            if old is None or old.state is not job.state:
                self.place(job, just_promised=job.state is JobState.SUBMITTED)
                if job.state is JobState.COMPLETED and to_be_kept(job):
                    self.completed.append(job.id)

    def _write(self, changes: Changes) -> None:
        self._store.commit(changes)
        self.book.apply(changes)
        self._log.write(changes.events)

    def follow_retention(self) -> None:
        """Forget the jobs and runs that have left the store for the history."""
        gone = [job_id for job_id in self.book.jobs if job_id not in self._store.jobs]
        runs = [run_id for run_id in self.book.runs if run_id not in self._store.runs]
        self.book.apply(Changes(forgotten_jobs=tuple(gone), forgotten_runs=tuple(runs)))

    # --- zips

    def place(self, job: Job, *, explain: bool = True, just_promised: bool = False) -> bool:
        """Bring a job's zip to its place; False when it is not there.

        ``explain`` has the reason written beside the zip of a job that failed. A job whose zip
        is gone fails where no worker can have it: while pending or ``just_promised``.
        """
        placed, reason = self._zips.place(job, explain=explain)
        if placed is Placed.GONE and (just_promised or job.state is JobState.PENDING):
            self.give_up(job, reason)
        elif placed is Placed.LATER or (placed is Placed.GONE and job.state.on_worker):
            self.trouble_once(f"zip {job.id}", reason, job=job.id)
        return placed is Placed.THERE

    def place_left(self) -> None:
        """Try the zips again that could not be brought to their places."""
        for job in self._zips.left(self.book):
            self.place(job)

    def give_up(self, job: Job, reason: str) -> None:
        """Fail a job that is on no worker and has no zip any more."""
        desk = self.desk()
        if job.open_attempt is not None:
            void(desk, job.open_attempt.worker, job.open_attempt.id, reason)
        desk.move(desk.job(job.id), JobState.FAILED, reason)
        self._write(desk.changes())

    # --- events

    def tell(
        self,
        kind: EventKind,
        reason: str = "",
        *,
        job: str | None = None,
        worker: str | None = None,
    ) -> None:
        """Record an event that changes nothing."""
        event = Event(kind=kind, at=self.now(), job=job, worker=worker, reason=reason)
        self.commit(Changes(events=(event,)))

    def trouble_once(
        self, key: str, reason: str, *, job: str | None = None, worker: str | None = None
    ) -> None:
        """Tell of a trouble, unless it is what was last said under that key."""
        if not self.said_before(key, reason):
            self.tell(EventKind.TROUBLE, reason, job=job, worker=worker)

    def said_before(self, key: str, reason: str) -> bool:
        """Remember the reason; True when it is what was last said under that key."""
        before = self._troubles.pop(key, None)
        self._troubles[key] = reason
        if len(self._troubles) > REMEMBERED:
            del self._troubles[next(iter(self._troubles))]
        return before == reason
