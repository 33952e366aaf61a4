"""What is to be done on each worker in one go. A part of the policy: pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from hopper.dispatch.decisions import Placement, Visit
from hopper.dispatch.settings import LOGIN_BACK_OFF
from hopper.dispatch.snapshot import Snapshot
from hopper.model.attempt import Attempt, Remains
from hopper.model.job import Job
from hopper.model.states import JobState
from hopper.model.worker import WorkerRecord


def visits(
    snapshot: Snapshot,
    now: datetime,
    placements: list[Placement],
    settled: set[str],
) -> Iterator[Visit]:
    """Yield the visits that are due: to workers that may be tried, on lanes that are free."""
    placed_now: dict[str, list[str]] = {}
    for placement in placements:
        placed_now.setdefault(placement.worker, []).append(placement.job.id)
    book = snapshot.book
    # Of the others, nothing is to be done.
    names = {*book.untidy, *placed_now, *snapshot.looks_due}
    for worker in snapshot.workers:
        if worker not in names or not reachable(book.record(worker), now):
            continue
        jobs = [job for job in book.placed.get(worker, {}).values() if job.id not in settled]
        for bulk in (False, True):
            if (worker, bulk) in snapshot.busy:
                continue
            visit = _visit(snapshot, now, worker, jobs, placed_now.get(worker, []), bulk)
            if visit is not None:
                yield visit


def _visit(
    snapshot: Snapshot,
    now: datetime,
    worker: str,
    jobs: list[Job],
    placed_now: list[str],
    bulk: bool,
) -> Visit | None:
    book, limit = snapshot.book, snapshot.settings.bulk_limit
    due = worker in snapshot.looks_due
    fresh = [job_id for job_id in placed_now if (book.jobs[job_id].zip_size > limit) is bulk]
    launches = fresh + [
        job.id for job in jobs if due and _to_launch(job) and (job.zip_size > limit) is bulk
    ]
    # What is launched is looked at as well: it may have started long ago, its report lost.
    follows = launches + [
        job.id
        for job in jobs
        if due and not _to_launch(job) and (job.id in snapshot.bulk_results) is bulk
    ]
    cancels = [job.id for job in jobs if due and not bulk and _to_cancel(job)]
    discards, releases, cleans = ([], [], []) if bulk else _tidying(snapshot, now, worker)
    visit = Visit(
        worker=worker,
        launches=tuple(launches),
        follows=tuple(follows),
        cancels=tuple(cancels),
        discards=tuple(discards),
        releases=tuple(releases),
        cleans=tuple(cleans),
        bulk=bulk,
    )
    if bulk:
        return visit if visit.launches or visit.follows else None
    tidying = {attempt for _, attempt in (*discards, *releases, *cleans)}
    return visit if due or launches or tidying - snapshot.tried else None


def _to_cancel(job: Job) -> bool:
    attempt = job.open_attempt
    return job.cancel_requested or (attempt is not None and attempt.overdue)


def _to_launch(job: Job) -> bool:
    return job.state is JobState.SUBMITTED and not job.cancel_requested


def _tidying(
    snapshot: Snapshot, now: datetime, worker: str
) -> tuple[list[tuple[str, str]], list[tuple[str, str]], list[tuple[str, str]]]:
    discards, releases, cleans = [], [], []
    for job in snapshot.book.untidy.get(worker, {}).values():
        for attempt in job.attempts:
            if attempt.worker != worker or attempt.open:
                continue
            if attempt.remains is Remains.ABANDONED:
                discards.append((job.id, attempt.id))
                continue
            if not attempt.released and attempt.remains is not Remains.GONE:
                releases.append((job.id, attempt.id))
            if to_clean(attempt, now):
                cleans.append((job.id, attempt.id))
    return discards, releases, cleans


def reachable(record: WorkerRecord, now: datetime) -> bool:
    """Return True when a worker may be tried now."""
    until = record.contact_not_before
    # Further away than any wait: the clock was set back.
    return until is None or now >= until or until - now > LOGIN_BACK_OFF.longest


def to_tidy(attempt: Attempt, now: datetime) -> bool:
    """Return True when something of an ended attempt waits to be taken from its worker."""
    if attempt.open or attempt.remains is Remains.GONE:
        return False
    return attempt.remains is Remains.ABANDONED or not attempt.released or to_clean(attempt, now)


def to_clean(attempt: Attempt, now: datetime) -> bool:
    """Return True when what is left of an ended attempt on its worker is to go now."""
    if attempt.remains is Remains.UNWANTED:
        return True
    until = attempt.keep_until
    return attempt.remains is Remains.KEPT and until is not None and now >= until
