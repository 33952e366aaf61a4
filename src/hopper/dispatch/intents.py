"""Records what has been decided, before anything is done about it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hopper.dispatch.decisions import (
    BatchPlacement,
    BatchVisit,
    Decision,
    DependencyFailed,
    GivenUp,
    OutcomeUnknown,
    OutOfTime,
    Placement,
    QuarantineOver,
    ResultsMissing,
    Verdict,
    Visit,
)
from hopper.dispatch.desk import Desk
from hopper.dispatch.endings import end
from hopper.dispatch.equal_tasks import result_key
from hopper.dispatch.job_acts import abandoned
from hopper.model.attempt import Attempt, Outcome, Remains
from hopper.model.event import EventKind
from hopper.model.job import Job
from hopper.model.states import JobState


def record(desk: Desk, decision: Decision, new_attempt_id: Callable[[], str]) -> None:
    """Put the intent of one decision on the desk."""
    match decision:
        case Placement():
            _place(desk, decision.job, decision.worker, decision.slot, new_attempt_id())
        case BatchPlacement():
            _submit(desk, decision, new_attempt_id)
        case Visit() | BatchVisit():
            pass
        case QuarantineOver(worker=worker):
            _quarantine_over(desk, worker)
        case _:
            _verdict(desk, decision)


def _verdict(desk: Desk, decision: Verdict) -> None:
    match decision:
        case DependencyFailed(job=job, reason=reason):
            desk.move(job, JobState.DEP_FAILED, reason)
        case OutOfTime(job=job):
            _out_of_time(desk, job)
        case GivenUp(job=job):
            attempt = abandoned(desk, job, "no contact with its worker for too long")
            end(desk, desk.job(job.id), attempt)
        case ResultsMissing(job=job):
            _results_missing(desk, job)
        case OutcomeUnknown(job=job):
            _outcome_unknown(desk, job)


def _submit(desk: Desk, decision: BatchPlacement, new_attempt_id: Callable[[], str]) -> None:
    array = new_attempt_id() if decision.mates else ""
    for index, job in enumerate(decision.jobs, start=1):
        member = (array, index) if array else ("", 0)
        _place(desk, job, decision.backend, 0, new_attempt_id(), member)


def _place(
    desk: Desk,
    placed: Job,
    worker: str,
    slot: int,
    attempt_id: str,
    member: tuple[str, int] = ("", 0),
) -> None:
    """Promise a job to a worker. ``member``: its job array there, and its index in it."""
    job = desk.job(placed.id)
    number = job.attempt.number + 1 if job.attempt is not None else 1
    attempt = Attempt(
        id=attempt_id,
        number=number,
        worker=worker,
        slot=slot,
        intended_at=desk.now,
        array=member[0],
        array_index=member[1],
        # A batch system has no Outbox that results would have to leave.
        released=bool(job.backend),
        result_key=result_key(job, desk.book.jobs),
    )
    job = replace(job.with_attempt(attempt), not_before=None)
    desk.tell(
        EventKind.LAUNCH_INTENDED,
        job=job.id,
        worker=worker,
        attempt=attempt_id,
        slot=slot,
    )
    desk.move(job, JobState.SUBMITTED)


def _out_of_time(desk: Desk, job: Job) -> None:
    """Have it cancelled; how it ended will be read as its time limit (no person asked)."""
    attempt = job.open_attempt
    if attempt is None:
        return
    desk.put(job.with_attempt(replace(attempt, overdue=True)))
    desk.tell(EventKind.TROUBLE, job=job.id, worker=attempt.worker, reason="over its time limit")


def _results_missing(desk: Desk, job: Job) -> None:
    attempt = job.open_attempt
    if attempt is None:
        return
    reason = "outcome unknown: its zip left the Inbox and no results came"
    ended = replace(
        attempt, outcome=Outcome.VANISHED, reason=reason, remains=Remains.GONE, ended_at=desk.now
    )
    desk.move(job.with_attempt(ended), JobState.FAILED, reason)


def _outcome_unknown(desk: Desk, job: Job) -> None:
    attempt = job.open_attempt
    if attempt is None:
        return
    ended = replace(
        attempt,
        outcome=Outcome.VANISHED,
        reason="outcome unknown: the batch system does not know it and its script told no end",
        ended_at=desk.now,
        remains=Remains.KEPT,
        keep_until=desk.now + desk.settings.keep_failed,
    )
    end(desk, job.with_attempt(ended), ended)


def _quarantine_over(desk: Desk, worker: str) -> None:
    known = desk.record(worker)
    # One more failed job is enough to send it back.
    keep = max(desk.settings.quarantine_after - 1, 0)
    trimmed = known.failed_jobs[-keep:] if keep else ()
    desk.records[worker] = replace(
        known, quarantined_until=None, quarantine_reason="", failed_jobs=trimmed
    )
    desk.tell(EventKind.WORKER_RELEASED, worker=worker, reason="its quarantine is over")
