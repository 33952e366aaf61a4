"""Where attempts on batch systems stand, by all that is told of them. Pure.

Only positive evidence ends an attempt: its script's own record of its end, the batch system's
word that it has ended, or, on a machine of ours, that its process group is gone. That a job is
not in the queue ends nothing: it settles, until there is evidence or ``settle_timeout``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hopper.dispatch.desk import Desk
from hopper.dispatch.endings import Landed, end
from hopper.dispatch.growing import resources_for
from hopper.dispatch.last_words import last_words
from hopper.dispatch.stuck import gone, seen_stuck
from hopper.model.attempt import Attempt, Outcome, Remains
from hopper.model.batch import BatchOrder, BatchReport, SideSighting
from hopper.model.event import EventKind
from hopper.model.job import Job
from hopper.model.native import BatchReading, Cause, NativePhase, NativeSighting
from hopper.model.states import JobState
from hopper.model.task import Usage

ACCOUNTING_PATIENCE = timedelta(seconds=20)
"""How long an attempt whose script failed waits for the accounting to tell why."""

_KILLED = {None, 137}
"""Exit codes of what was killed: none, or that of a shell for the signal."""
_OUTCOME_OF = {
    Cause.FAILED: Outcome.FAILED,
    Cause.TIMEOUT: Outcome.TIMED_OUT,
    Cause.OOM: Outcome.OUT_OF_MEMORY,
    Cause.NODE_FAIL: Outcome.NODE_FAILED,
    Cause.CANCELLED: Outcome.CANCELLED,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """A report with the order it answers, and what was made of it."""

    order: BatchOrder
    report: BatchReport
    reading: BatchReading
    landed: Landed
    others: bool = False
    """The jobs of others and the machines were asked about."""
    users: frozenset[str] = frozenset()
    """Whose jobs are kept an eye on; none for one's own, ``*`` for everybody's."""

    @property
    def backend(self) -> str:
        """The backend that it is of."""
        return self.order.backend


def sighted(
    desk: Desk, answered: Answered, side: SideSighting, natives: dict[str, NativeSighting]
) -> None:
    """Take in what is told of one attempt."""
    found = desk.open_attempt(answered.backend, side.attempt)
    if found is None:
        return
    job, attempt = found
    native = natives.get(attempt.native_id)
    attempt = seen_stuck(desk, job, _known(attempt, side, native), native)
    if attempt.ending is None:
        attempt = _with_ending(desk, job, attempt, side, native, answered.reading)
    if side.attempt in answered.landed:
        attempt = replace(attempt, results=answered.landed[side.attempt], gathered=True)
        attempt = _in_its_words(attempt, side, dict(answered.report.words))
    if attempt != found[1]:
        job = job.with_attempt(attempt)
        desk.put(job)
    if attempt.ending is None:
        _not_ended(desk, job, attempt, native, answered.reading)
    elif attempt.gathered:
        _finish(desk, job, attempt)
    elif job.state is not JobState.SETTLING:
        _settle(desk, job, "ended; its files are to come home")


def _known(attempt: Attempt, side: SideSighting, native: NativeSighting | None) -> Attempt:
    """Return the attempt with what is known of it now, whether it has ended or not."""
    started = _time(side.started_at) or (_time(native.started_at) if native else None)
    return replace(
        attempt,
        native_id=attempt.native_id or side.native,
        started_at=attempt.started_at or started,
        node=side.node or (native.node if native else "") or attempt.node,
        waits_for=native.reason if native and native.phase is NativePhase.QUEUED else "",
        log_bytes=side.out_bytes,
        error_bytes=side.err_bytes,
        usage=usage_of(native) or attempt.usage,
    )


def _with_ending(
    desk: Desk,
    job: Job,
    attempt: Attempt,
    side: SideSighting,
    native: NativeSighting | None,
    reading: BatchReading,
) -> Attempt:
    attempt = gone(desk, job, attempt, side, native, reading)
    return attempt if attempt.ending else _ended(desk, job, attempt, side, native, reading)


def _ended(
    desk: Desk,
    job: Job,
    attempt: Attempt,
    side: SideSighting,
    native: NativeSighting | None,
    reading: BatchReading,
) -> Attempt:
    """Return the attempt with its ending, where there is evidence of one."""
    told = _told(desk, native, reading)
    over = told is not None
    cause = told.cause if told is not None else None
    code = side.exit_code
    if code is None and told is not None:
        code = told.exit_code
    if side.exit_code == 0:
        ending, reason = Outcome.COMPLETED, ""
    elif side.how == "timeout":
        ending, reason = Outcome.TIMED_OUT, "ran into its time limit"
    elif side.exit_code is not None and not (over or _waited_enough(desk, side, reading)):
        return replace(attempt, exit_code=side.exit_code)
    elif side.exit_code is not None or (told is not None and not told.succeeded):
        cause = _killed_for(cause, job, attempt, native) if code in _KILLED else cause
        ending, reason = _failure(job, cause, code, native)
    elif over:
        ending, reason = Outcome.COMPLETED, ""
    elif side.alive is False:
        ending, reason = Outcome.VANISHED, "its processes are gone and left no exit code"
    else:
        return attempt
    ended_at = _time(side.ended_at) or (_time(native.ended_at) if native else None) or desk.now
    return replace(attempt, ending=ending, reason=reason, exit_code=code, ended_at=ended_at)


def _told(
    desk: Desk, native: NativeSighting | None, reading: BatchReading
) -> NativeSighting | None:
    """Return what the batch system says of an end; None while there is none, or more to come.

    What was killed may have run out of memory. That only the accounting tells, which may lag.
    """
    if native is None or native.phase is not NativePhase.ENDED:
        return None
    killed = native.cause is Cause.FAILED and native.exit_code in _KILLED
    ended = _time(native.ended_at)
    if not (killed and native.peak_memory is None and reading.accounting) or ended is None:
        return native
    return native if desk.now - ended > ACCOUNTING_PATIENCE else None


def _killed_for(
    cause: Cause | None, job: Job, attempt: Attempt, native: NativeSighting | None
) -> Cause | None:
    """Return why an attempt was killed: what held more memory than it was given, for that."""
    given = resources_for(job, attempt).memory
    if cause not in {None, Cause.FAILED} or given is None or native is None:
        return cause
    return Cause.OOM if (native.peak_memory or 0) > given else cause


def _in_its_words(attempt: Attempt, side: SideSighting, words: dict[str, str]) -> Attempt:
    """Return the attempt with the system's own words, where its script told nothing."""
    told = side.exit_code is not None or side.out_bytes or side.err_bytes
    if told or attempt.ending in {None, Outcome.COMPLETED, Outcome.CANCELLED}:
        return attempt
    said = last_words(words.get(attempt.id, ""))
    if not said or said in attempt.reason:
        return attempt
    return replace(attempt, reason=f"{attempt.reason}: {said}")


def _waited_enough(desk: Desk, side: SideSighting, reading: BatchReading) -> bool:
    """Return True when the accounting will not tell why a script failed, or not in time."""
    if not reading.accounting:
        return True
    ended = _time(side.ended_at)
    return ended is None or desk.now - ended > ACCOUNTING_PATIENCE


def _failure(
    job: Job, cause: Cause | None, code: int | None, native: NativeSighting | None
) -> tuple[Outcome, str]:
    outcome = _OUTCOME_OF[cause or Cause.FAILED]
    words = native.reason if native is not None else ""
    if outcome is Outcome.CANCELLED and not job.cancel_requested:
        return Outcome.FAILED, "cancelled on the cluster, not by hopper"
    if job.cancel_requested:
        return Outcome.CANCELLED, "cancelled"
    text = {
        Outcome.TIMED_OUT: "ran into its time limit",
        Outcome.OUT_OF_MEMORY: "took more memory than it was given",
        Outcome.NODE_FAILED: "its node failed",
    }.get(outcome, "ended without an exit code" if code is None else f"exit code {code}")
    return outcome, f"{text} ({words})" if words and words.lower() != "none" else text


def _not_ended(
    desk: Desk, job: Job, attempt: Attempt, native: NativeSighting | None, reading: BatchReading
) -> None:
    running = native is not None and native.phase is NativePhase.RUNNING
    if job.state is JobState.SUBMITTED and (running or attempt.started_at is not None):
        job = desk.move(job, JobState.RUNNING)
    if attempt.exit_code is not None:
        if job.state is not JobState.SETTLING:
            _settle(desk, job, "ended; the accounting is to tell why")
    elif (
        native is None
        and reading.queue_seen
        and attempt.native_id
        and job.state is not JobState.SETTLING
    ):
        _settle(desk, job, "it has left the queue; its outcome is not known yet")


def _settle(desk: Desk, job: Job, reason: str) -> None:
    if job.state is JobState.SUBMITTED:
        job = desk.move(job, JobState.RUNNING)
    desk.move(job, JobState.SETTLING, reason)


def _finish(desk: Desk, job: Job, attempt: Attempt) -> None:
    outcome = attempt.ending or Outcome.VANISHED
    kept = outcome not in {Outcome.COMPLETED, Outcome.CANCELLED}
    attempt = replace(
        attempt,
        outcome=outcome,
        remains=Remains.KEPT if kept else Remains.UNWANTED,
        keep_until=desk.now + desk.settings.keep_failed if kept else None,
    )
    if job.state is not JobState.SETTLING:
        _settle(desk, job, "ended")
        job = desk.job(job.id)
    if attempt.results:
        names = [result.name for result in attempt.results]
        desk.tell(EventKind.RESULTS_HOME, job=job.id, worker=attempt.worker, files=names)
    end(desk, job.with_attempt(attempt), attempt)


def usage_of(native: NativeSighting | None) -> Usage | None:
    """Return what the accounting tells of a job's use; None while it does not."""
    if native is None or native.phase is not NativePhase.ENDED or native.elapsed_seconds is None:
        return None
    return Usage(
        cpu_seconds=native.cpu_seconds,
        elapsed_seconds=native.elapsed_seconds,
        cpus=native.cpus,
        peak_memory=native.peak_memory,
        node=native.node,
    )


def _time(epoch: float | None) -> datetime | None:
    return None if epoch is None else datetime.fromtimestamp(epoch, UTC)
