"""What a login node's report means for the jobs that it speaks of. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hopper.dispatch.batch_sightings import Answered, sighted, usage_of
from hopper.dispatch.batch_submitted import take_in_submissions
from hopper.dispatch.batch_systems import BatchSystems
from hopper.dispatch.contact import contact, no_contact
from hopper.dispatch.desk import Desk
from hopper.dispatch.remains import update_ended
from hopper.model.attempt import Remains
from hopper.model.batch import NativeSighting
from hopper.model.event import EventKind
from hopper.model.orders import Report
from hopper.model.task import Usage


def reconcile_batch(desk: Desk, answered: Answered, systems: BatchSystems) -> None:
    """Take in a report."""
    report, backend = answered.report, answered.backend
    seen = Report(
        order=report.order,
        host=backend,
        at=report.at,
        error=report.error,
        clock_skew=report.clock_skew,
        free_bytes=report.free_bytes,
    )
    if report.error:
        no_contact(desk, seen)
        return
    contact(desk, seen)
    take_in_submissions(desk, backend, report, systems)
    natives = {sighting.native_id: sighting for sighting in answered.reading.jobs}
    for side in report.sides:
        sighted(desk, answered, side, natives)
    _account(desk, answered, natives)
    for attempt_id in report.cleaned:
        update_ended(desk, backend, attempt_id, remains=Remains.GONE, released=True)
    _tell_troubles(desk, answered)


def _account(desk: Desk, answered: Answered, natives: Mapping[str, NativeSighting]) -> None:
    """Take in what the accounting tells of attempts that have their outcome."""
    for known in list(desk.book.unaccounted.get(answered.backend, {}).values()):
        job = desk.job(known.id)
        attempt = job.attempt
        if attempt is None or attempt.open or attempt.usage is not None:
            continue
        usage = usage_of(natives.get(attempt.native_id))
        if usage is None and not answered.reading.accounting:
            usage = Usage()
        if usage is not None:
            desk.put(job.with_attempt(replace(attempt, usage=usage)))


def _tell_troubles(desk: Desk, answered: Answered) -> None:
    backend = answered.backend
    for attempt_id, trouble in answered.report.troubles:
        found = desk.open_attempt(backend, attempt_id)
        job_id = found[0].id if found else None
        desk.tell(EventKind.TROUBLE, job=job_id, worker=backend, reason=trouble)
    if answered.reading.trouble:
        desk.tell(EventKind.TROUBLE, worker=backend, reason=answered.reading.trouble)
