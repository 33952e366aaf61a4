"""A zip of others that a worker has, as a job: it keeps its slot until it ends. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hopper.dispatch.desk import Desk
from hopper.model.attempt import Attempt, Remains
from hopper.model.event import EventKind
from hopper.model.job import Job, JobSpec, Origin
from hopper.model.states import JobState


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A zip that another dispatcher or a person has launched, and the ids that it gets."""

    job: str
    attempt: str
    worker: str
    slot: int
    name: str
    """The zip's name on the worker, without ``.zip``."""


def put_external(desk: Desk, found: Found, reason: str) -> None:
    """Make a running job of it and tell of it; ``reason`` says where it is known from."""
    attempt = Attempt(
        id=found.attempt,
        number=1,
        worker=found.worker,
        slot=found.slot,
        intended_at=desk.now,
        started_at=desk.now,
        remains=Remains.PRESENT,
    )
    job = Job(
        id=found.job,
        spec=JobSpec(name=found.name),
        state=JobState.RUNNING,
        origin=Origin.EXTERNAL,
        submitted_at=desk.now,
        state_since=desk.now,
        remote_name=found.name,
        attempts=(attempt,),
    )
    desk.put(job)
    desk.tell(EventKind.JOB_ADOPTED, job=job.id, worker=found.worker, reason=reason)
