"""What a sighting of an attempt on its worker means for the attempt and its job. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hopper.dispatch.desk import Desk
from hopper.dispatch.endings import Landed, end, finish
from hopper.dispatch.quarantine import count_failure
from hopper.dispatch.remains import tell_survivors
from hopper.model.attempt import Attempt, Outcome, Remains
from hopper.model.event import EventKind
from hopper.model.job import Job
from hopper.model.orders import Report, Sighting
from hopper.model.states import JobState


def sighted(desk: Desk, report: Report, sighting: Sighting, landed: Landed) -> None:
    """Take in where an attempt stands; ``landed`` has the results that are at home by now."""
    found = desk.open_attempt(report.host, sighting.attempt)
    if found is None:
        return
    job, attempt = found
    attempt = replace(
        attempt,
        log_bytes=sighting.log_bytes,
        started_at=attempt.started_at or _time(sighting.started_at),
        boot_id=attempt.boot_id or report.boot_id,
        native_id=attempt.native_id or (sighting.group if sighting.phase == "running" else ""),
    )
    if sighting.phase in {"absent", "staged"}:
        if not report.missing:
            _nowhere(desk, job, attempt)
        return
    if sighting.phase == "running":
        _update(desk, job, attempt)
        if job.state is JobState.SUBMITTED:
            job = desk.move(desk.job(job.id), JobState.RUNNING)
            desk.put(replace(job, refusals=0, refused_by=""))
        return
    _over(desk, job, attempt, sighting, landed)


def _over(desk: Desk, job: Job, attempt: Attempt, sighting: Sighting, landed: Landed) -> None:
    attempt = _ended(job, attempt, sighting, desk.now)
    if job.state is not JobState.SETTLING:
        job = desk.move(job.with_attempt(attempt), JobState.SETTLING, attempt.reason)
        if sighting.left_behind:
            left = f"processes left behind were ended: {sighting.left_behind}"
            desk.tell(EventKind.SURVIVORS, job=job.id, worker=attempt.worker, reason=left)
        if sighting.group:
            tell_survivors(desk, attempt.worker, attempt.id, sighting.group)
    else:
        _update(desk, job, attempt)
    if attempt.id in landed:
        finish(desk, desk.job(job.id), attempt, landed[attempt.id])


def _nowhere(desk: Desk, job: Job, attempt: Attempt) -> None:
    """Its worker answers and has no trace of an attempt that had started there.

    That may pass (a file system that is not mounted), so it is given time.
    """
    if job.state is JobState.RUNNING:
        desk.move(job, JobState.SETTLING, "its worker has no trace of it")
        return
    since = job.state_since or job.submitted_at
    if job.state is JobState.SETTLING and desk.now - since > desk.settings.settle_timeout:
        attempt = replace(
            attempt,
            ended_at=attempt.ended_at or desk.now,
            outcome=Outcome.VANISHED,
            reason="outcome unknown: its worker has no trace of it",
            # Should it turn up again, it is to be killed.
            remains=Remains.ABANDONED,
        )
        end(desk, job.with_attempt(attempt), attempt)
        count_failure(desk, attempt.worker, job.id)


def _ended(job: Job, attempt: Attempt, sighting: Sighting, now: datetime) -> Attempt:
    ending, reason = _ending(job, sighting)
    return replace(
        attempt,
        ended_at=attempt.ended_at or _time(sighting.ended_at) or now,
        ending=ending,
        exit_code=sighting.exit_code,
        reason=reason,
    )


def _ending(job: Job, sighting: Sighting) -> tuple[Outcome, str]:
    if sighting.phase == "rebooted":
        return Outcome.REBOOTED, "worker rebooted"
    if sighting.phase == "vanished":
        return Outcome.VANISHED, "its processes are gone and left no exit code"
    if sighting.how == "timeout" or (sighting.how == "cancelled" and not job.cancel_requested):
        return Outcome.TIMED_OUT, "ran into its time limit"
    if sighting.how == "cancelled":
        return Outcome.CANCELLED, "cancelled"
    if sighting.exit_code == 0:
        return Outcome.COMPLETED, ""
    return Outcome.FAILED, _exit_reason(sighting.exit_code)


def _exit_reason(code: int | None) -> str:
    if code is None:
        return "ended without an exit code"
    signals = {129: "HUP", 130: "INT", 134: "ABRT", 137: "KILL", 139: "SEGV", 143: "TERM"}
    name = signals.get(code)
    return f"exit code {code} (signal {name})" if name else f"exit code {code}"


def _update(desk: Desk, job: Job, attempt: Attempt) -> None:
    """Take in an attempt's news; what is only a longer log makes no commit."""
    old = job.find_attempt(attempt.id)
    if old is None or replace(old, log_bytes=attempt.log_bytes) != attempt:
        desk.put(job.with_attempt(attempt))


def _time(epoch: float | None) -> datetime | None:
    return None if epoch is None else datetime.fromtimestamp(epoch, UTC)
