"""Attempts that wait on a batch system in an error which only a person can clear there. Pure.

They are told of at once. Where the fault will not pass, or has stood for ``settle_timeout``, the
attempt is given up: it is cancelled there, and has failed once it has left.
"""

from __future__ import annotations

from dataclasses import replace

from hopper.dispatch.desk import Desk
from hopper.model.attempt import Attempt, Outcome
from hopper.model.batch import BatchReading, NativePhase, NativeSighting, SideSighting
from hopper.model.event import EventKind
from hopper.model.job import Job


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
    """Return the attempt with its ending where it was given up, has left and never started."""
    left = native.phase is NativePhase.ENDED if native is not None else reading.queue_seen
    if not (attempt.given_up and left) or side.started_at is not None or job.cancel_requested:
        return attempt
    return replace(
        attempt,
        ending=Outcome.FAILED,
        reason=f"the cluster could not start it: {attempt.given_up}",
        ended_at=desk.now,
    )
