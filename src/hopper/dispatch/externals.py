"""What a sighting of somebody else's zip means for the job that stands for it. Pure."""

from __future__ import annotations

from dataclasses import replace

from hopper.dispatch.desk import Desk
from hopper.dispatch.endings import Landed, finish
from hopper.model.attempt import Outcome
from hopper.model.event import EventKind
from hopper.model.job import Job, Origin
from hopper.model.orders import ExternalSighting, Report
from hopper.model.states import JobState


def external_sighted(
    desk: Desk, report: Report, sighting: ExternalSighting, landed: Landed
) -> None:
    """Take in whether an external job's zip still lies in the Inbox, and what it left."""
    job = _external(desk, report.host, sighting.name)
    attempt = job.open_attempt if job is not None else None
    if job is None or attempt is None or report.missing:
        return
    if sighting.in_inbox:
        if job.state is JobState.SUBMITTED:
            desk.move(job, JobState.RUNNING)
        return
    if job.state is not JobState.SETTLING:
        ended = replace(attempt, ended_at=desk.now, ending=Outcome.COMPLETED)
        job = desk.move(job.with_attempt(ended), JobState.SETTLING, "its zip left the Inbox")
        desk.tell(EventKind.ARTIFACTS_AWAITED, job=job.id, worker=report.host)
    if landed.get(attempt.id):
        current = desk.job(job.id)
        finish(desk, current, current.attempts[-1], landed[attempt.id])


def _external(desk: Desk, worker: str, name: str) -> Job | None:
    for job in desk.book.placed.get(worker, {}).values():
        if job.origin is Origin.EXTERNAL and job.remote_name == name:
            return desk.job(job.id)
    return None
