"""What a person sees at a glance: jobs counted by state, and how each worker stands. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hopper.dispatch.book import Book
from hopper.model.job import Job, Origin
from hopper.model.states import JobState
from hopper.model.worker import Worker, WorkerRecord


class Standing(StrEnum):
    """How a worker stands, the most telling word first."""

    UNREACHABLE = "unreachable"
    """It could not be reached when it was last tried."""
    NOT_SET_UP = "not set up"
    """It answers and lacks something."""
    MISSING = "not in the inventory"
    """It has jobs, and the inventory does not name it any more."""
    NEVER_SEEN = "never seen"
    """No dispatcher has talked to it yet."""
    QUARANTINED = "quarantined"
    """Several different jobs in a row failed on it."""
    DRAINED = "drained"
    """A person wants no new jobs on it."""
    BUSY = "busy"
    """It has jobs."""
    READY = "ready"
    """It waits for jobs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerView:
    """A worker as it stands."""

    name: str
    standing: Standing
    detail: str = ""
    """Why, for a person."""
    since: datetime | None = None
    """Since when it is unreachable."""
    until: datetime | None = None
    """End of its quarantine."""
    slots: int = 0
    jobs: tuple[str, ...] = ()
    """Ids of the jobs that hold its slots."""
    worker: Worker | None = None
    record: WorkerRecord

    @property
    def takes_jobs(self) -> bool:
        """True when new jobs may go to it, if a slot is free."""
        return self.standing in {Standing.READY, Standing.BUSY}

    @property
    def full(self) -> bool:
        """True when no slot is free."""
        return len(self.jobs) >= self.slots


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """All of it at one time."""

    at: datetime
    paused: bool
    counts: Mapping[JobState, int]
    """Jobs in each state, those too that are held."""
    held: int
    external: int
    """Open jobs that somebody else launched."""
    on_workers: tuple[Job, ...]
    """Oldest first; those on batch systems too."""
    pending: tuple[Job, ...]
    """Those for workers in the order in which they will start; the held ones last."""
    workers: tuple[WorkerView, ...]


def overview(book: Book, workers: Mapping[str, Worker], now: datetime) -> Overview:
    """Return how everything stands. ``workers`` is the inventory, in its order."""
    jobs = book.jobs.values()
    held = [job for job in jobs if job.held and job.state is JobState.PENDING]
    on_workers = [job for placed in book.placed.values() for job in placed.values()]
    return Overview(
        at=now,
        paused=book.paused,
        counts=Counter(job.state for job in jobs),
        held=len(held),
        external=sum(job.origin is Origin.EXTERNAL for job in on_workers),
        on_workers=tuple(sorted(on_workers, key=_placed_at)),
        pending=(
            *(book.jobs[job_id] for _, _, job_id in book.pending),
            *sorted(held, key=lambda job: job.rank),
        ),
        workers=worker_views(book, workers, now),
    )


def worker_views(
    book: Book, workers: Mapping[str, Worker], now: datetime
) -> tuple[WorkerView, ...]:
    """Return how each worker stands: those of the inventory, then others that have jobs."""
    others = sorted(
        name
        for name, placed in book.placed.items()
        if name not in workers and not all(job.backend for job in placed.values())
    )
    names = [*workers, *others]
    return tuple(_view(name, workers.get(name), book, now) for name in names)


def _view(name: str, worker: Worker | None, book: Book, now: datetime) -> WorkerView:
    record = book.record(name)
    standing, detail = _standing(worker, record, bool(book.placed.get(name)), now)
    return WorkerView(
        name=name,
        standing=standing,
        detail=detail,
        since=record.no_contact_since,
        until=record.quarantined_until if standing is Standing.QUARANTINED else None,
        slots=worker.slots if worker is not None else 0,
        jobs=tuple(job.id for job in _by_age(book.placed.get(name, {}).values())),
        worker=worker,
        record=record,
    )


def _standing(
    worker: Worker | None, record: WorkerRecord, has_jobs: bool, now: datetime
) -> tuple[Standing, str]:
    quarantine = record.quarantined_until
    cases = (
        (record.no_contact_since is not None, Standing.UNREACHABLE, record.contact_error),
        (worker is None, Standing.MISSING, ""),
        (bool(record.unready), Standing.NOT_SET_UP, record.unready),
        (record.last_contact is None, Standing.NEVER_SEEN, ""),
        (
            quarantine is not None and now < quarantine,
            Standing.QUARANTINED,
            record.quarantine_reason,
        ),
        (worker is not None and worker.drained, Standing.DRAINED, ""),
        (has_jobs, Standing.BUSY, ""),
    )
    for applies, standing, detail in cases:
        if applies:
            return standing, detail
    return Standing.READY, ""


def _by_age(jobs: Iterable[Job]) -> list[Job]:
    return sorted(jobs, key=_placed_at)


def _placed_at(job: Job) -> tuple[datetime, str]:
    attempt = job.attempt
    return (attempt.intended_at if attempt is not None else job.submitted_at, job.id)
