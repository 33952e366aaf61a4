"""What a person sees of runs: counts by group, how far they are, when they may end. Pure."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from hopper.model.attempt import Attempt, Outcome
from hopper.model.job import Job
from hopper.model.run import Run, RunState, run_state
from hopper.model.states import JobState

OTHERS = "tasks"
"""The group of the tasks whose ids have no dot."""
NOT_WELL = frozenset({JobState.FAILED, JobState.DEP_FAILED, JobState.CANCELLED})

Key = tuple[str, str]
"""What makes a task the same as one of another run: its id and its command."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupView:
    """The tasks of a run whose ids begin with the same word before a dot."""

    name: str
    counts: Mapping[JobState, int]

    @property
    def total(self) -> int:
        """How many tasks there are."""
        return sum(self.counts.values())

    @property
    def completed(self) -> int:
        """How many have completed."""
        return self.counts.get(JobState.COMPLETED, 0)

    @property
    def not_well(self) -> int:
        """How many failed, were cancelled, or had no chance to run."""
        return sum(self.counts.get(state, 0) for state in NOT_WELL)

    @property
    def under_way(self) -> int:
        """How many are on the backend."""
        return sum(count for state, count in self.counts.items() if state.on_worker)

    @property
    def ended(self) -> int:
        """How many are over, well or not."""
        return self.completed + self.not_well


@dataclass(frozen=True, kw_only=True, slots=True)
class RunView:
    """A run as it stands."""

    run: Run
    state: RunState
    jobs: tuple[Job, ...]
    groups: tuple[GroupView, ...]
    started_at: datetime | None = None
    """When the first of its tasks started."""
    ended_at: datetime | None = None
    """When the last ended; None while one has not."""

    @property
    def all(self) -> GroupView:
        """All of its tasks as one group."""
        counts: Counter[JobState] = Counter()
        for group in self.groups:
            counts.update(group.counts)
        return GroupView(name="", counts=counts)

    @property
    def taken(self) -> int:
        """How many of its tasks completed by an equal task's result."""
        return taken_count(self)


def group_of(task_id: str) -> str:
    """Return the group of a task: what stands before the first dot of its id."""
    head, dot, _ = task_id.partition(".")
    return head if dot else OTHERS


def view_of(run: Run, jobs: Sequence[Job]) -> RunView:
    """Return how a run stands; ``jobs`` are its jobs in their order."""
    groups: dict[str, Counter[JobState]] = defaultdict(Counter)
    for job in jobs:
        groups[group_of(task_id(job))][job.state] += 1
    state = run_state((job.state for job in jobs), cancelled=run.cancelled)
    started = [a.started_at for job in jobs for a in job.attempts if a.started_at is not None]
    over = state not in {RunState.PENDING, RunState.RUNNING}
    ended = [job.state_since for job in jobs if job.state_since is not None]
    return RunView(
        run=run,
        state=state,
        jobs=tuple(jobs),
        groups=tuple(GroupView(name=name, counts=counts) for name, counts in groups.items()),
        started_at=min(started, default=None),
        ended_at=max(ended, default=run.created_at) if over else None,
    )


def taken_count(view: RunView) -> int:
    """Return how many of a run's tasks completed by an equal task's result."""
    return sum(
        job.state is JobState.COMPLETED and attempt is not None and attempt.taken_from is not None
        for job in view.jobs
        for attempt in (job.attempt,)
    )


def run_views(runs: Iterable[Run], jobs: Iterable[Job]) -> list[RunView]:
    """Return how runs stand, the oldest first."""
    of_run: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        if job.run:
            of_run[job.run].append(job)
    ordered = sorted(runs, key=lambda run: (run.created_at, run.id))
    return [view_of(run, of_run.get(run.id, ())) for run in ordered]


def task_id(job: Job) -> str:
    """Return the id of a job's task."""
    return job.task.id if job.task is not None else job.name


# --- how long it will take


class Experience:
    """How long tasks took before: by the same id and command, else by their group."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        same: defaultdict[Key, list[float]] = defaultdict(list)
        alike: defaultdict[str, list[float]] = defaultdict(list)
        for job in jobs:
            took = _took(job)
            if took is not None:
                same[_key(job)].append(took)
                alike[group_of(task_id(job))].append(took)
        self._same = {key: median(times) for key, times in same.items()}
        self._alike = {group: median(times) for group, times in alike.items()}

    def seconds(self, job: Job) -> float | None:
        """Return how long a job may take; None where nothing like it is known."""
        known = self._same.get(_key(job))
        return known if known is not None else self._alike.get(group_of(task_id(job)))


def _key(job: Job) -> Key:
    return (task_id(job), job.task.command if job.task is not None else "")


def _took(job: Job) -> float | None:
    attempt = job.attempt
    if job.task is None or attempt is None or attempt.outcome is not Outcome.COMPLETED:
        return None
    return elapsed_seconds(attempt)


def elapsed_seconds(attempt: Attempt) -> float | None:
    """Return how long an attempt ran, by the accounting or else by its own clock."""
    if attempt.usage is not None and attempt.usage.elapsed_seconds is not None:
        return attempt.usage.elapsed_seconds
    if attempt.started_at is None or attempt.ended_at is None:
        return None
    return max(0.0, (attempt.ended_at - attempt.started_at).total_seconds())


def remaining(view: RunView, known: Experience, *, most: int, now: datetime) -> timedelta | None:
    """Return how long a run may still take; None where that cannot be said.

    Its tasks are played through in their order, at most ``most`` at a time, each as long as the
    same one took before.
    """
    live = {job.id: job for job in view.jobs if not job.state.terminal}
    times = {}
    for job in live.values():
        seconds = known.seconds(job)
        if seconds is None:
            return None
        times[job.id] = max(0.0, seconds - _ran(job, now))
    return timedelta(seconds=_played(live, times, max(1, most)))


def _ran(job: Job, now: datetime) -> float:
    attempt = job.open_attempt
    if attempt is None or attempt.started_at is None:
        return 0.0
    return (now - attempt.started_at).total_seconds()


def _played(live: Mapping[str, Job], times: Mapping[str, float], most: int) -> float:
    waits = {job.id: sum(other in live for other in job.spec.after) for job in live.values()}
    then: defaultdict[str, list[str]] = defaultdict(list)
    for job in live.values():
        for other in job.spec.after:
            if other in live:
                then[other].append(job.id)
    # Those under way go first.
    ready = [
        (not job.state.on_worker, number, job.id)
        for number, job in enumerate(live.values())
        if not waits[job.id]
    ]
    heapq.heapify(ready)
    running: list[tuple[float, int, str]] = []
    clock, order = 0.0, len(live)
    while ready or running:
        while ready and len(running) < most:
            _, number, job_id = heapq.heappop(ready)
            heapq.heappush(running, (clock + times[job_id], number, job_id))
        clock, _, ended = heapq.heappop(running)
        for job_id in then[ended]:
            waits[job_id] -= 1
            if not waits[job_id]:
                order += 1
                heapq.heappush(ready, (True, order, job_id))
    return clock
