"""What the end of an attempt means for its job: its own end, or another try. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace

from hopper.dispatch.desk import Desk
from hopper.dispatch.growing import worth_another_try
from hopper.dispatch.quarantine import count_failure, count_success
from hopper.model.attempt import Attempt, Outcome, Remains, ResultFile
from hopper.model.event import EventKind
from hopper.model.job import Job
from hopper.model.states import JobState

Landed = Mapping[str, tuple[ResultFile, ...]]
"""Results that are at home under their final names, by attempt."""

_STATE_OF = {
    Outcome.COMPLETED: JobState.COMPLETED,
    Outcome.CANCELLED: JobState.CANCELLED,
}


def finish(desk: Desk, job: Job, attempt: Attempt, results: tuple[ResultFile, ...]) -> None:
    """Give the attempt its outcome, now that all is home, and the job its next state."""
    outcome = attempt.ending or Outcome.VANISHED
    kept = outcome not in {Outcome.COMPLETED, Outcome.CANCELLED}
    attempt = replace(
        attempt,
        outcome=outcome,
        results=results,
        remains=Remains.KEPT if kept else Remains.UNWANTED,
        keep_until=desk.now + desk.settings.keep_failed if kept else None,
    )
    if results:
        names = [result.name for result in results]
        desk.tell(EventKind.RESULTS_HOME, job=job.id, worker=attempt.worker, files=names)
    end(desk, job.with_attempt(attempt), attempt)
    if outcome is Outcome.COMPLETED:
        count_success(desk, attempt.worker)
    elif outcome is not Outcome.CANCELLED:
        count_failure(desk, attempt.worker, job.id)


def end(desk: Desk, job: Job, attempt: Attempt) -> None:
    """Move a job whose newest attempt has its outcome to its end, or to its next try."""
    outcome = attempt.outcome or Outcome.VANISHED
    retry = outcome is Outcome.ABANDONED or (outcome.retryable and worth_another_try(job, attempt))
    if retry and not job.cancel_requested and job.failures < job.spec.retries:
        failures = job.failures + 1
        chance = zlib.crc32(attempt.id.encode()) / 2**32
        wait = desk.settings.retry.wait(failures, chance)
        job = desk.move(job, JobState.PENDING, attempt.reason)
        desk.put(replace(job, failures=failures, not_before=desk.now + wait))
        desk.tell(
            EventKind.RETRY_PLANNED,
            job=job.id,
            reason=f"try {failures + 1} of {job.spec.retries + 1} in {wait.total_seconds():.0f} s",
        )
        return
    state = _STATE_OF.get(outcome, JobState.FAILED)
    if job.cancel_requested and state is not JobState.COMPLETED:
        state = JobState.CANCELLED
    desk.move(job, state, attempt.reason)
