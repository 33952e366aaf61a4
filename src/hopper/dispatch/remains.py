"""What ended attempts have left on a worker: set aside, let go, cleaned away. Pure."""

from __future__ import annotations

from dataclasses import replace

from hopper.dispatch.desk import Desk
from hopper.model.attempt import Attempt, Remains
from hopper.model.event import EventKind
from hopper.model.job import Job
from hopper.model.orders import Report


def tidied(desk: Desk, report: Report) -> None:
    """Take in what the worker has tidied away."""
    for attempt_id, verdict in report.discarded:
        if verdict == "dead":
            _discarded(desk, report.host, attempt_id)
    for attempt_id in report.released:
        update_ended(desk, report.host, attempt_id, released=True)
    for attempt_id in report.cleaned:
        _cleaned(desk, report.host, attempt_id)


def tell_survivors(desk: Desk, worker: str, attempt_id: str, survivors: str) -> None:
    """Tell of processes that outlived being killed."""
    found = desk.open_attempt(worker, attempt_id)
    job_id = found[0].id if found else None
    desk.tell(
        EventKind.SURVIVORS,
        job=job_id,
        worker=worker,
        reason=f"processes that would not die: {survivors}",
    )


def _discarded(desk: Desk, worker: str, attempt_id: str) -> None:
    until = desk.now + desk.settings.keep_failed
    update_ended(desk, worker, attempt_id, remains=Remains.KEPT, keep_until=until, released=True)


def _cleaned(desk: Desk, worker: str, attempt_id: str) -> None:
    job = update_ended(desk, worker, attempt_id, remains=Remains.GONE)
    if job is not None:
        desk.tell(EventKind.REMAINS_CLEANED, job=job.id, worker=worker, attempt=attempt_id)


def update_ended(desk: Desk, worker: str, attempt_id: str, **values: object) -> Job | None:
    """Give an ended attempt that left something on a worker new values; return its job."""
    for known in desk.book.untidy.get(worker, {}).values():
        job = desk.job(known.id)
        attempt = job.find_attempt(attempt_id)
        if attempt is not None and not attempt.open:
            updated: Attempt = replace(attempt, **values)  # type: ignore[arg-type]
            job = job.with_attempt(updated)
            desk.put(job)
            return job
    return None
