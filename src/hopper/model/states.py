"""The states of a job and the one table of legal moves between them."""

from __future__ import annotations

from enum import StrEnum

from hopper.errors import IllegalMove


class JobState(StrEnum):
    """Where a job is on its way."""

    PENDING = "pending"
    """Waits at home for its turn, a worker, its back-off or another job."""
    SUBMITTED = "submitted"
    """Promised to a worker; whether it has started there is not known yet."""
    RUNNING = "running"
    """Seen running on its worker."""
    SETTLING = "settling"
    """No longer running; outcome or results are not home yet."""
    COMPLETED = "completed"
    """Ended with exit code 0 and its results are home."""
    FAILED = "failed"
    """Ended otherwise, or was never fit to be sent."""
    CANCELLED = "cancelled"
    """Ended by a person; the death of its processes was seen."""
    DEP_FAILED = "dep_failed"
    """Never started, because a job that it comes after did not complete."""

    @property
    def terminal(self) -> bool:
        """True for a state that only a requeue leads out of."""
        return self in _TERMINAL

    @property
    def on_worker(self) -> bool:
        """True while an attempt of the job holds a slot of a worker."""
        return self in _ON_WORKER


_TERMINAL = frozenset(
    {JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.DEP_FAILED}
)
_ON_WORKER = frozenset({JobState.SUBMITTED, JobState.RUNNING, JobState.SETTLING})

LEGAL_MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.PENDING: frozenset(
        {
            JobState.SUBMITTED,
            # Taken from the result of an equal task.
            JobState.COMPLETED,
            JobState.FAILED,
            JobState.CANCELLED,
            JobState.DEP_FAILED,
        }
    ),
    JobState.SUBMITTED: frozenset(
        {
            JobState.PENDING,
            JobState.RUNNING,
            JobState.SETTLING,
            JobState.FAILED,
            JobState.CANCELLED,
        }
    ),
    JobState.RUNNING: frozenset(
        {JobState.SETTLING, JobState.PENDING, JobState.FAILED, JobState.CANCELLED}
    ),
    JobState.SETTLING: frozenset(
        {JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.PENDING}
    ),
    JobState.COMPLETED: frozenset({JobState.PENDING}),
    JobState.FAILED: frozenset({JobState.PENDING}),
    JobState.CANCELLED: frozenset({JobState.PENDING}),
    JobState.DEP_FAILED: frozenset({JobState.PENDING}),
}
"""From each state, the states it may lead to. A terminal state leads only to a new attempt."""


def check_move(job_id: str, from_state: JobState, to_state: JobState) -> None:
    """Raise IllegalMove unless the table allows the move."""
    if to_state not in LEGAL_MOVES[from_state]:
        raise IllegalMove(job_id, from_state, to_state)
