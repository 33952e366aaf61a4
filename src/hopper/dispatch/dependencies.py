"""When a job may start that comes after others."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from hopper.model.job import Job
from hopper.model.states import JobState


class Readiness(StrEnum):
    """Whether the jobs before have left the way free."""

    READY = "ready"
    WAITING = "waiting"
    FAILED = "failed"


def readiness(job: Job, jobs: Mapping[str, Job]) -> tuple[Readiness, str]:
    """Return whether a job may start, and the id of the job that decides it (or none)."""
    waiting = ""
    for other_id in job.spec.after:
        other = jobs.get(other_id)
        if other is None or (other.state.terminal and other.state is not JobState.COMPLETED):
            return Readiness.FAILED, other_id
        if other.state is not JobState.COMPLETED:
            waiting = waiting or other_id
    return (Readiness.WAITING, waiting) if waiting else (Readiness.READY, "")
