"""Takes in jobs that another dispatcher had launched: each keeps its slot until it ends. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from hopper.dispatch.desk import Desk
from hopper.dispatch.external import Found, put_external
from hopper.errors import UsageError
from hopper.model.ids import ATTEMPT_ID, JOB_ID
from hopper.model.job import Job


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
    slot = _free_slot(desk, worker)
    found = Found(job=job_id, attempt=attempt_id, worker=worker, slot=slot, name=name)
    reason = str(body.get("reason") or "launched by somebody else")
    put_external(desk, found, reason)
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
