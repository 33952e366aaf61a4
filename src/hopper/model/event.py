"""Events: past facts, appended, never changed. The one list of what is journalled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

NO_DATA: Mapping[str, object] = MappingProxyType({})


class EventKind(StrEnum):
    """What can happen."""

    JOB_SUBMITTED = "job_submitted"
    JOB_REJECTED = "job_rejected"
    JOB_STATE = "job_state"
    """A move from one state to another; data: from, to, attempt."""
    JOB_HELD = "job_held"
    JOB_RELEASED = "job_released"
    JOB_PRIORITY = "job_priority"
    JOB_ADOPTED = "job_adopted"
    CANCEL_REQUESTED = "cancel_requested"
    RUN_CREATED = "run_created"
    """data: run, workflow, tasks."""
    RUN_CANCELLED = "run_cancelled"
    RUN_DELETED = "run_deleted"
    TASKS_ADDED = "tasks_added"
    """A task wrote further tasks; data: run, tasks."""
    TASKS_REFUSED = "tasks_refused"
    """The tasks that a task wrote were refused, all of them; the reason says why."""
    LAUNCH_INTENDED = "launch_intended"
    """Recorded before the launch or submission is ordered; data: attempt, worker, slot."""
    SUBMITTED_AS = "submitted_as"
    """A batch system took it; data: attempt, native."""
    LAUNCH_VOIDED = "launch_voided"
    """The attempt is known not to have started."""
    RESULTS_HOME = "results_home"
    RESULT_TAKEN = "result_taken"
    """Nothing had to run: an equal task's result was taken; data: attempt, from_job, from_run,
    from_attempt."""
    RESULT_DROPPED = "result_dropped"
    """A stored result is of no use any more; the reason says why. data: key."""
    ARTIFACTS_AWAITED = "artifacts_awaited"
    SURVIVORS = "survivors"
    """Processes of an attempt that outlived it, or could not be killed."""
    RETRY_PLANNED = "retry_planned"
    ATTEMPT_ABANDONED = "attempt_abandoned"
    REMAINS_CLEANED = "remains_cleaned"
    WORKER_REACHED = "worker_reached"
    WORKER_UNREACHABLE = "worker_unreachable"
    WORKER_QUARANTINED = "worker_quarantined"
    WORKER_RELEASED = "worker_released"
    WORKER_DRAINED = "worker_drained"
    WORKER_RESUMED = "worker_resumed"
    SOURCE_SYNCED = "source_synced"
    """A person had a source looked at anew; the reason names it."""
    TERMINAL_OPENED = "terminal_opened"
    """A person has a terminal where a job runs."""
    ACCOUNT_CHANGED = "account_changed"
    """A user or token of the web page was made, changed or removed; the reason says which."""
    DISPATCH_STARTED = "dispatch_started"
    DISPATCH_STOPPED = "dispatch_stopped"
    DISPATCH_PAUSED = "dispatch_paused"
    DISPATCH_RESUMED = "dispatch_resumed"
    HOME_DISK_LOW = "home_disk_low"
    HOME_DISK_OK = "home_disk_ok"
    TROUBLE = "trouble"
    """Something went wrong that concerns no job's state; the reason says what."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One past fact. ``seq`` is given by the store (0 until then) and only ever rises."""

    kind: EventKind
    at: datetime
    job: str | None = None
    worker: str | None = None
    reason: str = ""
    data: Mapping[str, object] = field(default_factory=lambda: NO_DATA)
    """JSON values only."""
    seq: int = 0
