"""Jobs, workers and events for tests of the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hopper.model.attempt import Attempt, Remains
from hopper.model.event import Event, EventKind
from hopper.model.job import Job, JobSpec
from hopper.model.states import JobState
from hopper.model.worker import WorkerRecord

T0 = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def make_job(
    job_id: str = "train-abc123",
    *,
    priority: int = 0,
    state: JobState = JobState.PENDING,
    ended: datetime | None = None,
    after: tuple[str, ...] = (),
    attempts: tuple[Attempt, ...] = (),
    name: str = "train",
) -> Job:
    return Job(
        id=job_id,
        spec=JobSpec(name=name, priority=priority, after=after),
        state=state,
        submitted_at=T0,
        state_since=ended,
        attempts=attempts,
    )


def make_worker(name: str = "box-1", *, failures: int = 0) -> WorkerRecord:
    return WorkerRecord(
        name=name,
        last_contact=T0,
        contact_failures=failures,
        failed_jobs=("a-000000", "b-000000"),
        clock_skew=-0.25,
        free_bytes=1 << 42,
    )


def make_event(
    number: int = 0, *, job: str | None = "train-abc123", at: datetime | None = None
) -> Event:
    return Event(
        kind=EventKind.JOB_STATE,
        at=at if at is not None else T0 + timedelta(seconds=number),
        job=job,
        reason="it moved",
        data={"n": number},
    )


def ended(job_id: str, when: datetime, remains: Remains = Remains.GONE) -> Job:
    """A job that has completed; ``remains`` says what of it is still on its worker."""
    attempt = Attempt(
        id="abcdefghij", number=1, worker="w", slot=0, intended_at=when, remains=remains
    )
    return make_job(job_id, state=JobState.COMPLETED, ended=when, attempts=(attempt,))
