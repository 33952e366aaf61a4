"""Where a step of the scheduler gathers what it changes, before one commit takes it all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from hopper.dispatch.book import Book
from hopper.dispatch.changes import Changes
from hopper.dispatch.settings import PolicySettings
from hopper.model.attempt import Attempt
from hopper.model.backend import ClusterRecord, ExternalJob
from hopper.model.event import Event, EventKind
from hopper.model.job import Job
from hopper.model.run import Run
from hopper.model.states import JobState
from hopper.model.stored import StoredResult
from hopper.model.worker import WorkerRecord


@dataclass(kw_only=True)
class Desk:
    """Gathers what a step changes; later parts of the step see what earlier ones did."""

    book: Book
    settings: PolicySettings
    now: datetime
    by: str = ""
    """The person who asked for it; empty for what hopper does of itself."""
    jobs: dict[str, Job] = field(default_factory=dict)
    records: dict[str, WorkerRecord] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)
    clusters: dict[str, ClusterRecord] = field(default_factory=dict)
    externals: dict[str, ExternalJob | None] = field(default_factory=dict)
    """Jobs of others by id; None for one to be forgotten."""
    full: set[str] = field(default_factory=set)
    """Backends that refused a job for the number of those that they have."""
    stored: dict[str, StoredResult | None] = field(default_factory=dict)
    """Results for equal tasks by key; None for one that is of no use any more."""

    def run(self, run_id: str) -> Run | None:
        """Return the run as this step has left it; None where there is none."""
        return self.runs.get(run_id) or self.book.runs.get(run_id)

    def job(self, job_id: str) -> Job:
        """Return the job as this step has left it."""
        return self.jobs.get(job_id) or self.book.jobs[job_id]

    def record(self, worker: str) -> WorkerRecord:
        """Return what is known of the worker, as this step has left it."""
        return self.records.get(worker) or self.book.record(worker)

    def open_attempt(self, worker: str, attempt_id: str) -> tuple[Job, Attempt] | None:
        """Return the open attempt of that id on that worker, with its job."""
        job_id = self.book.holder(worker, attempt_id)
        if job_id is None:
            return None
        job = self.job(job_id)
        attempt = job.open_attempt
        return (job, attempt) if attempt is not None and attempt.id == attempt_id else None

    def put(self, job: Job) -> None:
        """Take the job's new value."""
        self.jobs[job.id] = job

    def tell(
        self,
        kind: EventKind,
        *,
        job: str | None = None,
        worker: str | None = None,
        reason: str = "",
        **data: object,
    ) -> None:
        """Add an event."""
        if self.by:
            data["by"] = self.by
        self.events.append(
            Event(kind=kind, at=self.now, job=job, worker=worker, reason=reason, data=data)
        )

    def move(self, job: Job, state: JobState, reason: str = "") -> Job:
        """Move the job to another state and tell of it."""
        attempt = job.attempt
        moved = job.moved(state, at=self.now, reason=reason)
        self.put(moved)
        self.tell(
            EventKind.JOB_STATE,
            job=job.id,
            worker=attempt.worker if attempt is not None else None,
            reason=reason,
            **{"from": str(job.state), "to": str(state)},
            attempt=attempt.id if attempt is not None else "",
        )
        return moved

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Forget what the block has put and told when it raises."""
        before = dict(self.jobs), dict(self.records), list(self.events), dict(self.runs)
        try:
            yield
        except BaseException:
            self.jobs, self.records, self.events, self.runs = before
            raise

    def changes(self) -> Changes:
        """Return all of it as one commit."""
        return Changes(
            jobs=tuple(self.jobs.values()),
            workers=tuple(
                record
                for name, record in self.records.items()
                if record != self.book.records.get(name)
            ),
            events=tuple(self.events),
            runs=tuple(self.runs.values()),
            clusters=tuple(self.clusters.values()),
            externals=tuple(job for job in self.externals.values() if job is not None),
            forgotten_externals=tuple(k for k, job in self.externals.items() if job is None),
            stored=tuple(result for result in self.stored.values() if result is not None),
            forgotten_results=tuple(key for key, value in self.stored.items() if value is None),
        )
