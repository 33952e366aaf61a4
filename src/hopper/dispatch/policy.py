"""The decision: what is to be done now, from plain values alone.

No clock, no files, no network. The order is priority, then age; a job that fits no free slot
is passed over and keeps its place, so that an older job always has the first choice of
whatever becomes free.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hopper.dispatch.batch_visits import batch_visits
from hopper.dispatch.book import Book
from hopper.dispatch.decisions import (
    Decision,
    DependencyFailed,
    GivenUp,
    OutcomeUnknown,
    OutOfTime,
    Placement,
    QuarantineOver,
    ResultsMissing,
)
from hopper.dispatch.dependencies import Readiness, readiness
from hopper.dispatch.growing import resources_for
from hopper.dispatch.settings import PolicySettings
from hopper.dispatch.shares import Shares
from hopper.dispatch.snapshot import Snapshot
from hopper.dispatch.submissions import submissions
from hopper.dispatch.visits import visits
from hopper.model.attempt import Remains
from hopper.model.job import Job, Origin
from hopper.model.states import JobState
from hopper.model.worker import Worker, WorkerRecord

_ENDLESS = 1 << 62
DISK_KNOWN = timedelta(seconds=60)
"""How long a worker's free space counts as known; after that a launch finds out."""
LIMIT_MARGIN = timedelta(seconds=60)
"""What the worker's own watch over the time limit gets before we step in."""


def decide(snapshot: Snapshot, now: datetime) -> list[Decision]:
    """Return what is to be done now: verdicts over jobs first, then placements, then visits."""
    decisions: list[Decision] = []
    decisions += _verdicts(snapshot, now)
    settled = {
        d.job.id for d in decisions if isinstance(d, GivenUp | ResultsMissing | OutcomeUnknown)
    }
    placements = list(_placements(snapshot, now))
    decisions += placements
    decisions += visits(snapshot, now, placements, settled)
    submitted = list(submissions(snapshot, now))
    decisions += submitted
    decisions += batch_visits(snapshot, now, submitted, settled)
    return decisions


def time_limit(job: Job, settings: PolicySettings) -> timedelta | None:
    """Return how long an attempt of the job may run."""
    if job.task is not None and job.attempt is not None:
        return resources_for(job, job.attempt).time_limit or settings.default_time_limit
    return job.spec.requirements.time_limit or settings.default_time_limit


def may_take_jobs(worker: Worker, record: WorkerRecord, now: datetime) -> bool:
    """Return True when new jobs may go to a worker: seen, well, and wanted."""
    return (
        not worker.drained
        and not record.unready
        and record.last_contact is not None
        and record.no_contact_since is None
        and (record.quarantined_until is None or now >= record.quarantined_until)
    )


def can_go_on(book: Book, workers: Mapping[str, Worker]) -> bool:
    """Return True while time alone may bring a job further, without a person's doing.

    A held job, one whose tags no worker has, or any job while all workers are drained or not
    set up waits for a person.
    """
    if book.placed_count or book.batch_count:
        return True
    if book.paused:
        return False
    if set(book.queues.backends()) - book.paused_backends:
        return True
    open_to_jobs = [
        worker
        for worker in workers.values()
        if not worker.drained and not book.record(worker.name).unready
    ]
    return any(
        fits(job, worker, slot)
        for _, _, job_id in book.pending
        if readiness(job := book.jobs[job_id], book.jobs)[0] is not Readiness.WAITING
        for worker in open_to_jobs
        for slot in range(worker.slots)
    )


def fits(job: Job, worker: Worker, slot: int) -> bool:
    """Return True when the slot has what the job requires."""
    wanted = job.spec.requirements
    return wanted.tags <= worker.tags and wanted.gpus <= len(worker.slot_gpus(slot))


def room_needed(job: Job) -> int:
    """Return the bytes that a job's files take on a worker."""
    return job.zip_size + job.unpacked_size


def _verdicts(snapshot: Snapshot, now: datetime) -> Iterator[Decision]:
    settings = snapshot.settings
    for worker, jobs in snapshot.book.placed.items():
        record = snapshot.book.record(worker)
        for job in jobs.values():
            verdict = _placed_verdict(job, record, settings, now)
            if verdict is not None:
                yield verdict
    for job_id in snapshot.book.doomed():
        job = snapshot.book.jobs[job_id]
        _, other = readiness(job, snapshot.book.jobs)
        yield DependencyFailed(job=job, reason=f"{other} did not complete")
    for record in snapshot.book.records.values():
        if record.quarantined_until is not None and now >= record.quarantined_until:
            yield QuarantineOver(worker=record.name)


def _placed_verdict(
    job: Job, record: WorkerRecord, settings: PolicySettings, now: datetime
) -> Decision | None:
    lost = record.no_contact_since
    if settings.lost_after is not None and lost is not None and now - lost > settings.lost_after:
        return GivenUp(job=job)
    if job.origin is Origin.EXTERNAL:
        since = job.state_since or job.submitted_at
        waited = job.state is JobState.SETTLING and now - since > settings.settle_timeout
        return ResultsMissing(job=job) if waited and record.no_contact_since is None else None
    if job.backend:
        return _batch_verdict(job, record, settings, now)
    attempt = job.open_attempt
    limit = time_limit(job, settings)
    if (
        attempt is not None
        and limit is not None
        and attempt.started_at is not None
        and job.state is JobState.RUNNING
        and not attempt.overdue
        and not job.cancel_requested
        and now - attempt.started_at > limit + settings.grace + LIMIT_MARGIN
    ):
        return OutOfTime(job=job)
    return None


def _batch_verdict(
    job: Job, record: WorkerRecord, settings: PolicySettings, now: datetime
) -> Decision | None:
    attempt = job.open_attempt
    since = job.state_since or job.submitted_at
    unknown = (
        attempt is not None
        and attempt.ending is None
        and job.state is JobState.SETTLING
        and record.no_contact_since is None
        and now - since > settings.settle_timeout
    )
    return OutcomeUnknown(job=job) if unknown else None


# --- placements


@dataclass(kw_only=True, slots=True)
class _Room:
    """The free slots of a worker while a tick hands them out."""

    worker: Worker
    order: int
    free: list[int]
    disk: int | None
    """Bytes free there, where that was seen just now."""

    def suits(self, job: Job) -> bool:
        """Return True when the job fits a free slot, and its files the disk."""
        return (self.disk is None or room_needed(job) <= self.disk) and self.takes(job)

    def takes(self, job: Job) -> bool:
        """Return True when the job fits a free slot."""
        return any(fits(job, self.worker, slot) for slot in self.free)

    @property
    def preference(self) -> tuple[int, int, int, int]:
        """Least special first, then most free, then the inventory's order."""
        return (self.worker.gpus, len(self.worker.tags), -len(self.free), self.order)


def _rooms(snapshot: Snapshot, now: datetime) -> list[_Room]:
    rooms = []
    for order, worker in enumerate(snapshot.workers.values()):
        record = snapshot.book.record(worker.name)
        if not may_take_jobs(worker, record, now) or (worker.name, False) in snapshot.busy:
            continue
        taken = [
            attempt.slot
            for job in snapshot.book.placed.get(worker.name, {}).values()
            if (attempt := job.open_attempt) is not None
        ]
        free = [slot for slot in range(worker.slots) if slot not in taken]
        # Two can claim one slot when an external zip lies there: never more than there are.
        free = free[: max(0, worker.slots - len(taken))]
        if free:
            seen = record.last_contact
            fresh = seen is not None and now - seen < DISK_KNOWN
            disk = record.free_bytes if fresh else None
            rooms.append(_Room(worker=worker, order=order, free=free, disk=disk))
    return sorted(rooms, key=_preference)


def _preference(room: _Room) -> tuple[int, int, int, int]:
    return room.preference


def _placements(snapshot: Snapshot, now: datetime) -> Iterator[Placement]:
    book, settings = snapshot.book, snapshot.settings
    rooms = [] if book.paused else _rooms(snapshot, now)
    budget = len(book.pending)
    if settings.max_concurrent is not None:
        budget = settings.max_concurrent - book.placed_count
    shares = Shares(book)
    # The bytes from which on there is no room, by what else is wanted.
    hopeless: dict[tuple[frozenset[str], int], int] = {}
    for _, _, job_id in book.pending:
        if not rooms or budget <= 0:
            return
        job = book.jobs[job_id]
        wanted = (job.spec.requirements.tags, job.spec.requirements.gpus)
        if room_needed(job) >= hopeless.get(wanted, _ENDLESS) or not _may_start(job, snapshot, now):
            continue
        if not shares.free(job.run):
            continue
        avoided = untidy_at(job)
        room = _best_room(job, rooms, avoided)
        if room is None:
            if not avoided:
                hopeless[wanted] = room_needed(job) if _any_fits(job, rooms) else 0
            continue
        budget -= 1
        shares.take(job.run)
        yield Placement(job=job, worker=room.worker.name, slot=_take_slot(job, room, rooms))


def untidy_at(job: Job) -> frozenset[str]:
    """Return the workers where an older attempt may still run, or has its results lie.

    A new one must not start there before: the two would share folders and names.
    """
    return frozenset(
        attempt.worker
        for attempt in job.attempts
        if not attempt.open
        and attempt.remains is not Remains.GONE
        and (attempt.remains is Remains.ABANDONED or not attempt.released)
    )


def _may_start(job: Job, snapshot: Snapshot, now: datetime) -> bool:
    if job.id in snapshot.set_aside or (job.not_before is not None and now < job.not_before):
        return False
    return not job.spec.after or readiness(job, snapshot.book.jobs)[0] is Readiness.READY


def _any_fits(job: Job, rooms: Iterable[_Room]) -> bool:
    return any(room.takes(job) for room in rooms)


def _best_room(job: Job, rooms: Iterable[_Room], avoided: Collection[str]) -> _Room | None:
    """Return the first of the rooms that suits; that of the worker that refused it, at last."""
    refused = None
    for room in rooms:
        if room.worker.name in avoided or not room.suits(job):
            continue
        if room.worker.name != job.refused_by:
            return room
        refused = room
    return refused


def _take_slot(job: Job, room: _Room, rooms: list[_Room]) -> int:
    """Take a slot of the room that fits, and keep the rooms in the order of preference."""
    slot = next(slot for slot in room.free if fits(job, room.worker, slot))
    del rooms[bisect_left(rooms, room.preference, key=_preference)]
    room.free.remove(slot)
    if room.free:
        insort(rooms, room, key=_preference)
    return slot
