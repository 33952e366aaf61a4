"""A run: a batch of jobs made from one workflow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from hopper.model.states import JobState


class RunState(StrEnum):
    """Where a run is, from the states of its jobs."""

    PENDING = "pending"
    """None of its tasks was submitted yet."""
    RUNNING = "running"
    COMPLETED = "completed"
    """All tasks completed."""
    FAILED = "failed"
    """All have ended, some of them not well."""
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True, slots=True)
class GitVersion:
    """The commit that a run's tasks are of."""

    repo: str
    branch: str
    sha: str
    folder: str = ""
    """The clone on the backend; for the workers, at home."""
    size: int = 0
    """Bytes of a clone at home, which goes into the zip of each task."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """A batch of jobs from one workflow. Its jobs know it, it does not know them."""

    id: str
    workflow: str
    backend: str
    on_workers: bool = False
    """Its backend is the workers: any of them may take a task."""
    created_at: datetime
    max_concurrent: int | None = None
    """Most of its tasks on the backend at a time."""
    array: str = ""
    """``auto`` or ``never``: whether equal tasks go as job arrays; empty for the backend's word."""
    git: GitVersion | None = None
    base: str = ""
    """The folder that a relative working_dir is below where there is no clone: a source's."""
    description: str = ""
    user: str = ""
    """Who asked for it."""
    cancelled: bool = False
    warnings: tuple[str, ...] = field(default=())
    """What was odd about its workflow, for a person."""


def run_state(states: Iterable[JobState], *, cancelled: bool = False) -> RunState:
    """Return a run's state from those of its jobs; a run without jobs has completed."""
    counts = Counter(states)
    live = sum(count for state, count in counts.items() if not state.terminal)
    if live:
        untouched = counts[JobState.PENDING] == counts.total()
        return RunState.PENDING if untouched else RunState.RUNNING
    if counts[JobState.COMPLETED] == counts.total():
        return RunState.COMPLETED
    if cancelled or counts[JobState.CANCELLED] + counts[JobState.COMPLETED] == counts.total():
        return RunState.CANCELLED
    return RunState.FAILED
