"""What a login node's report means for the jobs that it speaks of. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from hopper.dispatch.batch_sightings import Answered, sighted, usage_of
from hopper.dispatch.batch_submitted import take_in_submissions
from hopper.dispatch.batch_systems import BatchSystems
from hopper.dispatch.cluster_externals import looked, wanted
from hopper.dispatch.contact import contact, no_contact
from hopper.dispatch.desk import Desk
from hopper.dispatch.remains import update_ended
from hopper.model.attempt import Remains
from hopper.model.backend import ClusterRecord
from hopper.model.event import EventKind
from hopper.model.native import NativePhase, NativeSighting
from hopper.model.orders import Report
from hopper.model.task import Usage

ATTEMPT_IN_NAME = re.compile(r"(^|\.)[a-z][a-z0-9]{9}(\.|$)")
"""How the names of our own jobs are told, also of those that are long over."""


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
    before = desk.record(backend).unready
    contact(desk, seen)
    _note_silence(desk, answered, before)
    take_in_submissions(desk, answered.order, report, systems)
    natives = {sighting.native_id: sighting for sighting in answered.reading.jobs}
    for side in report.sides:
        sighted(desk, answered, side, natives)
    _account(desk, answered, natives)
    _note_others(desk, answered)
    for attempt_id in report.cleaned:
        update_ended(desk, backend, attempt_id, remains=Remains.GONE, released=True)
    _tell_troubles(desk, answered)


def _note_silence(desk: Desk, answered: Answered, before: str) -> None:
    """Remember whether the batch system answered; what it was when it was not asked now."""
    reading, backend = answered.reading, answered.backend
    silence = "" if reading.queue_seen else reading.trouble
    unready = silence if answered.order.queries else before
    desk.records[backend] = replace(desk.record(backend), unready=unready)


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


def _note_others(desk: Desk, answered: Answered) -> None:
    """Remember the machines and the jobs of others, where they were asked about."""
    reading, backend = answered.reading, answered.backend
    if not answered.others or not (reading.others_seen or reading.info is not None):
        return
    known = desk.book.clusters.get(backend) or ClusterRecord(name=backend)
    known = replace(known, info=reading.info or known.info)
    if reading.others_seen:
        me = dict(answered.report.answers).get("me")
        others = wanted(_others(desk, answered), answered.users, me.stdout.strip() if me else "")
        mine = {key: job for key, job in desk.book.externals.items() if job.backend == backend}
        desk.externals.update(
            looked(mine, others, backend=backend, now=desk.now, before=known.seen_at)
        )
        count = sum(item.phase is not NativePhase.ENDED for item in others)
        known = replace(known, seen_at=desk.now, others_count=count)
    desk.clusters[backend] = known


def _others(desk: Desk, answered: Answered) -> list[NativeSighting]:
    """Return the jobs that are none of ours."""
    reading, backend = answered.reading, answered.backend
    ours = {
        attempt.native_id
        for index in (desk.book.placed, desk.book.unaccounted, desk.book.untidy)
        for job in index.get(backend, {}).values()
        for attempt in job.attempts
    }
    return [
        sighting
        for sighting in reading.jobs
        if sighting.native_id not in ours and not ATTEMPT_IN_NAME.search(sighting.name)
    ]


def _tell_troubles(desk: Desk, answered: Answered) -> None:
    backend = answered.backend
    for attempt_id, trouble in answered.report.troubles:
        found = desk.open_attempt(backend, attempt_id)
        job_id = found[0].id if found else None
        desk.tell(EventKind.TROUBLE, job=job_id, worker=backend, reason=trouble)
    if answered.reading.trouble:
        desk.tell(EventKind.TROUBLE, worker=backend, reason=answered.reading.trouble)
