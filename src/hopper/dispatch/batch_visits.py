"""What is to be done on each login node in one go. A part of the policy: pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from hopper.dispatch.decisions import BatchPlacement, BatchVisit
from hopper.dispatch.snapshot import Snapshot
from hopper.dispatch.visits import reachable, to_clean
from hopper.model.attempt import Remains
from hopper.model.backend import BatchTarget
from hopper.model.job import Job

ACCOUNTING_WINDOW = timedelta(minutes=10)
"""How long after its end the accounting is asked about a job."""


def batch_visits(
    snapshot: Snapshot,
    now: datetime,
    placements: Collection[BatchPlacement],
    settled: Collection[str],
) -> Iterator[BatchVisit]:
    """Yield the visits that are due: to backends that may be tried and have no order under way."""
    fresh: dict[str, list[str]] = {}
    for placement in placements:
        fresh.setdefault(placement.backend, []).extend(job.id for job in placement.jobs)
    for target in snapshot.targets.values():
        record = snapshot.book.record(target.name)
        if target.name in snapshot.batch_busy or not reachable(record, now):
            continue
        visit = _visit(snapshot, now, target, fresh.get(target.name, []), settled)
        if visit is not None:
            yield visit


def _visit(
    snapshot: Snapshot,
    now: datetime,
    target: BatchTarget,
    fresh: list[str],
    settled: Collection[str],
) -> BatchVisit | None:
    book, name = snapshot.book, target.name
    due, others = name in snapshot.looks_due, name in snapshot.others_due
    jobs = [job for job in book.placed.get(name, {}).values() if job.id not in settled]
    discards, cleans = _tidying(snapshot, now, name)
    ended = to_account(snapshot, target, now)
    if not due and not fresh and not others:
        # Nothing but what was not tried in vain before.
        tidying = {attempt for _, attempt in (*discards, *cleans)}
        if not tidying - snapshot.tried:
            return None
    if not (jobs or fresh or discards or cleans or ended or others):
        return None
    return BatchVisit(
        backend=name,
        submits=(*fresh, *(job.id for job in jobs if due and _to_submit(job))),
        follows=tuple(job.id for job in jobs if due and not _to_submit(job)),
        cancels=tuple(job.id for job in jobs if due and _to_cancel(job)),
        accounts=tuple(job.id for job in ended) if due else (),
        discards=tuple(discards),
        cleans=tuple(cleans),
        ask=due and bool(jobs or ended),
        others=others,
    )


def _to_cancel(job: Job) -> bool:
    attempt = job.open_attempt
    return job.cancel_requested or (attempt is not None and bool(attempt.given_up))


def _to_submit(job: Job) -> bool:
    attempt = job.open_attempt
    return attempt is not None and not attempt.native_id and not job.cancel_requested


def to_account(snapshot: Snapshot, target: BatchTarget, now: datetime) -> list[Job]:
    """Return the jobs that ended lately and of whose use the accounting has not told yet."""
    if not target.accounts:
        return []
    return [
        job
        for job in snapshot.book.unaccounted.get(target.name, {}).values()
        if (attempt := job.attempt) is not None
        and attempt.ended_at is not None
        and now - attempt.ended_at < ACCOUNTING_WINDOW
    ]


def _tidying(
    snapshot: Snapshot, now: datetime, backend: str
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    discards, cleans = [], []
    for job in snapshot.book.untidy.get(backend, {}).values():
        for attempt in job.attempts:
            if attempt.worker != backend or attempt.open:
                continue
            if attempt.remains is Remains.ABANDONED:
                discards.append((job.id, attempt.id))
            elif to_clean(attempt, now):
                cleans.append((job.id, attempt.id))
    return discards, cleans
