"""Attempts that are taken out of a batch system's queue before they started. Pure.

Some wait there in an error which only a person can clear. They are told of at once. Where the
fault will not pass, or has stood for ``settle_timeout``, the attempt is given up: it is cancelled
there, and has failed once it has left.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hopper.dispatch.desk import Desk
from hopper.model.attempt import Attempt, Outcome
from hopper.model.batch import SideSighting
from hopper.model.event import EventKind
from hopper.model.job import Job
from hopper.model.native import BatchReading, NativePhase, NativeSighting
from hopper.model.states import JobState

TELLING_PATIENCE = timedelta(seconds=20)
"""How long after it has left the queue a batch system may take to tell of a job's end."""


def seen_stuck(desk: Desk, job: Job, attempt: Attempt, native: NativeSighting | None) -> Attempt:
    """Return the attempt with since when it is stuck, and given up where that is due."""
    if native is None or native.phase is NativePhase.ENDED:
        return attempt
    if not native.stuck:
        return attempt if attempt.stuck_since is None else replace(attempt, stuck_since=None)
    since = attempt.stuck_since or desk.now
    if attempt.stuck_since is None:
        desk.tell(EventKind.TROUBLE, job=job.id, worker=attempt.worker, reason=native.reason)
    attempt = replace(attempt, stuck_since=since)
    due = native.hopeless or desk.now - since > desk.settings.settle_timeout
    if not due or attempt.given_up:
        return attempt
    return replace(attempt, given_up=native.reason)


def gone(
    desk: Desk,
    job: Job,
    attempt: Attempt,
    side: SideSighting,
    native: NativeSighting | None,
    reading: BatchReading,
) -> Attempt:
    """Return the attempt with its ending where it was taken out of the queue and never started."""
    left = native.phase is NativePhase.ENDED if native is not None else reading.queue_seen
    if not left or side.started_at is not None:
        return attempt
    if job.cancel_requested:
        return _cancelled(desk, job, attempt, native)
    if not attempt.given_up:
        return attempt
    return replace(
        attempt,
        ending=Outcome.FAILED,
        reason=f"the cluster could not start it: {attempt.given_up}",
        ended_at=desk.now,
    )


def _cancelled(desk: Desk, job: Job, attempt: Attempt, native: NativeSighting | None) -> Attempt:
    """Return a cancelled attempt with its end: of some that never started, nobody tells one."""
    since = job.state_since or desk.now
    waited = job.state is JobState.SETTLING and desk.now - since > TELLING_PATIENCE
    if native is not None or attempt.started_at is not None or not waited:
        return attempt
    return replace(
        attempt,
        ending=Outcome.CANCELLED,
        reason="cancelled before it started",
        ended_at=desk.now,
    )
