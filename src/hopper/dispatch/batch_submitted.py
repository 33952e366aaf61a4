"""What became of submissions and withdrawals. Pure."""

from __future__ import annotations

from dataclasses import replace

from hopper.dispatch.batch_systems import BatchSystems
from hopper.dispatch.desk import Desk
from hopper.dispatch.endings import end
from hopper.dispatch.remains import update_ended
from hopper.model.attempt import Attempt, Outcome, Remains
from hopper.model.batch import BatchReport, SubmitResult, Submitted
from hopper.model.event import EventKind
from hopper.model.job import Job
from hopper.model.task import Usage


def take_in_submissions(
    desk: Desk, backend: str, report: BatchReport, systems: BatchSystems
) -> None:
    """Take in what was submitted, withdrawn and cancelled."""
    for result in report.submitted:
        _submitted(desk, backend, result, systems)
    for attempt_id in report.withdrawn:
        _withdrawn(desk, backend, attempt_id)
    for attempt_id, said in report.cancelled:
        if said.code != 0:
            _cancel_failed(desk, backend, attempt_id, said.stderr or said.stdout)
        elif desk.open_attempt(backend, attempt_id) is None:
            # It had been given up; nothing of it is wanted.
            update_ended(desk, backend, attempt_id, remains=Remains.UNWANTED)


def _submitted(desk: Desk, backend: str, result: SubmitResult, systems: BatchSystems) -> None:
    found = desk.open_attempt(backend, result.attempt)
    if found is None:
        return
    job, attempt = found
    native = systems.native_id(backend, result.said)
    if native and result.verdict is not Submitted.UNDERWAY:
        if attempt.native_id != native:
            desk.put(job.with_attempt(replace(attempt, native_id=native)))
            desk.tell(
                EventKind.SUBMITTED_AS,
                job=job.id,
                worker=backend,
                reason=f"job {native}",
                attempt=attempt.id,
                native=native,
            )
        return
    reason = systems.refusal(backend, result.said)
    if result.verdict is Submitted.REFUSED:
        reason = reason or result.said.stderr.strip()
    if reason:
        refuse(desk, job, attempt, reason)
    elif words := (result.said.stderr or result.said.stdout).strip():
        desk.tell(
            EventKind.TROUBLE, job=job.id, worker=backend, reason=f"not submitted yet: {words}"
        )


def refuse(desk: Desk, job: Job, attempt: Attempt, reason: str) -> None:
    """Give up an attempt that cannot be submitted, now or ever; its job has failed."""
    desk.tell(EventKind.LAUNCH_VOIDED, job=job.id, worker=attempt.worker, reason=reason)
    outcome = Outcome.CANCELLED if job.cancel_requested else Outcome.NOT_STARTED
    attempt = replace(
        attempt,
        outcome=outcome,
        reason=f"refused: {reason}",
        ended_at=desk.now,
        remains=Remains.UNWANTED,
        usage=Usage(),
    )
    end(desk, job.with_attempt(attempt), attempt)


def _withdrawn(desk: Desk, backend: str, attempt_id: str) -> None:
    found = desk.open_attempt(backend, attempt_id)
    if found is None:
        update_ended(desk, backend, attempt_id, remains=Remains.UNWANTED)
        return
    job, attempt = found
    attempt = replace(
        attempt,
        outcome=Outcome.CANCELLED,
        reason="cancelled before it was submitted",
        ended_at=desk.now,
        remains=Remains.UNWANTED,
        usage=Usage(),
    )
    end(desk, job.with_attempt(attempt), attempt)


def _cancel_failed(desk: Desk, backend: str, attempt_id: str, words: str) -> None:
    found = desk.open_attempt(backend, attempt_id)
    desk.tell(
        EventKind.TROUBLE,
        job=found[0].id if found else None,
        worker=backend,
        reason=f"its cancel was refused: {' '.join(words.split())[:300]}",
    )
