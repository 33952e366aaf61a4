"""Launches that came to nothing: taken back, and tried again later or elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

from hopper.dispatch.desk import Desk
from hopper.dispatch.quarantine import count_failure
from hopper.dispatch.settings import REFUSAL_BACK_OFF
from hopper.model.event import EventKind
from hopper.model.orders import LaunchResult, Order
from hopper.model.states import JobState

_REFUSED_UNSEEN = {"busy", "setup"}
"""Refusals before the worker has looked whether an earlier order is still at it."""


def void(desk: Desk, worker: str, attempt_id: str, reason: str) -> None:
    """Take back an attempt that is known never to have started."""
    found = desk.open_attempt(worker, attempt_id)
    if found is None or found[0].state is not JobState.SUBMITTED:
        return
    job, attempt = found
    desk.tell(EventKind.LAUNCH_VOIDED, job=job.id, worker=worker, reason=reason, attempt=attempt.id)
    target = JobState.CANCELLED if job.cancel_requested else JobState.PENDING
    moved = desk.move(job, target, reason)
    desk.put(replace(moved, attempts=tuple(a for a in moved.attempts if a.id != attempt.id)))


def not_delivered(desk: Desk, order: Order, first: Collection[str]) -> None:
    """Take back the launches of an order that has not arrived; see ``reconcile`` for ``first``."""
    for launch in order.launches:
        if launch.attempt in first:
            void(desk, order.host, launch.attempt, f"{order.host} was not reached")


def refused(desk: Desk, worker: str, result: LaunchResult, first: Collection[str]) -> None:
    """Take back a launch that the worker refused: the job waits, or fails in the end."""
    found = desk.open_attempt(worker, result.attempt)
    if found is None or (result.attempt not in first and result.why in _REFUSED_UNSEEN):
        return
    job_id = found[0].id
    void(desk, worker, result.attempt, f"{worker}: {result.text}")
    job = desk.job(job_id)
    if job.state is not JobState.PENDING or result.why in {"busy", "setup"}:
        if job.state is JobState.PENDING:
            desk.put(replace(job, not_before=desk.now + timedelta(seconds=2)))
        return
    refusals = job.refusals + 1
    wait = REFUSAL_BACK_OFF.wait(refusals)
    job = replace(job, refusals=refusals, refused_by=worker, not_before=desk.now + wait)
    desk.put(job)
    if result.why == "disk":
        # No fault of the job's: it waits for room, however long that takes.
        return
    count_failure(desk, worker, job_id)
    if refusals >= desk.settings.max_refusals:
        desk.move(job, JobState.FAILED, f"refused {refusals} times, last by {job.reason}")
