"""Takes in jobs that another dispatcher had launched: each keeps its slot until it ends. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from hopper.dispatch.desk import Desk
from hopper.errors import UsageError
from hopper.model.attempt import Attempt, Remains
from hopper.model.event import EventKind
from hopper.model.ids import ATTEMPT_ID, JOB_ID
from hopper.model.job import Job, JobSpec, Origin
from hopper.model.states import JobState


def take_over(desk: Desk, body: Mapping[str, object]) -> str:
    """Take in one job; return its id, which is another one's when it was taken in before.

    ``body`` has ``job`` and ``attempt`` (fresh ids), ``worker``, and ``name``, the zip's name
    on the worker without ``.zip``; ``reason`` says where it is known from. UsageError.
    """
    job_id, attempt_id, worker, name = (
        str(body.get(key) or "") for key in ("job", "attempt", "worker", "name")
    )
    if not JOB_ID.match(job_id) or not ATTEMPT_ID.match(attempt_id):
        raise UsageError(f"{job_id!r} and {attempt_id!r} are no ids of a job and an attempt")
    if not worker or not name or "/" in name:
        raise UsageError("a job that is taken over has a worker and a name there")
    known = _known(desk, worker, name)
    if known is not None:
        return known.id
    if job_id in desk.book.jobs:
        raise UsageError(f"there is a job {job_id} already")
    attempt = Attempt(
        id=attempt_id,
        number=1,
        worker=worker,
        slot=_free_slot(desk, worker),
        intended_at=desk.now,
        started_at=desk.now,
        remains=Remains.PRESENT,
    )
    desk.put(
        Job(
            id=job_id,
            spec=JobSpec(name=name),
            state=JobState.RUNNING,
            origin=Origin.EXTERNAL,
            submitted_at=desk.now,
            state_since=desk.now,
            remote_name=name,
            attempts=(attempt,),
        )
    )
    reason = str(body.get("reason") or "launched by somebody else")
    desk.tell(EventKind.JOB_ADOPTED, job=job_id, worker=worker, reason=reason)
    return job_id


def _known(desk: Desk, worker: str, name: str) -> Job | None:
    """Return the job of that zip: taken over before, or adopted when it was seen there."""
    jobs = {**desk.book.jobs, **desk.jobs}
    return next(
        (
            job
            for job in jobs.values()
            if (job.remote_name or job.id) == name
            and any(attempt.worker == worker for attempt in job.attempts)
        ),
        None,
    )


def _free_slot(desk: Desk, worker: str) -> int:
    jobs = {**desk.book.placed.get(worker, {}), **desk.jobs}
    taken = {
        attempt.slot
        for job in jobs.values()
        if (attempt := job.open_attempt) is not None and attempt.worker == worker
    }
    return next(slot for slot in range(len(taken) + 1) if slot not in taken)
