"""Runs and their tasks as JSON: stable keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from hopper.dispatch.run_views import GroupView, RunView, elapsed_seconds, task_id
from hopper.documents.jobs import array_document
from hopper.documents.values import Json, iso
from hopper.model import wire
from hopper.model.attempt import Attempt
from hopper.model.job import Job
from hopper.model.run import Run, RunState

if TYPE_CHECKING:
    from hopper.pricing import Estimate


class RunStanding(Protocol):
    """A run as it stands, with or without its jobs."""

    @property
    def run(self) -> Run:
        """The run itself."""

    @property
    def state(self) -> RunState:
        """How it stands."""

    @property
    def started_at(self) -> datetime | None:
        """When the first of its tasks started."""

    @property
    def ended_at(self) -> datetime | None:
        """When the last ended; None while one has not."""

    @property
    def groups(self) -> Sequence[GroupView]:
        """Its tasks by group."""

    @property
    def all(self) -> GroupView:
        """All of its tasks as one group."""

    @property
    def taken(self) -> int:
        """How many took an equal task's result."""


def run_document(
    view: RunStanding, *, left: timedelta | None = None, cost: Estimate | None = None
) -> Json:
    """Return a run as it stands."""
    run = view.run
    return {
        "id": run.id,
        "workflow": run.workflow,
        "description": run.description,
        "backend": run.backend,
        "state": str(view.state),
        "created_at": iso(run.created_at),
        "started_at": iso(view.started_at),
        "ended_at": iso(view.ended_at),
        "user": run.user,
        "max_concurrent": run.max_concurrent,
        "array": run.array or None,
        "git": wire.to_json(run.git) if run.git is not None else None,
        "warnings": list(run.warnings),
        "tasks": view.all.total,
        "counts": {str(state): count for state, count in view.all.counts.items() if count},
        "taken": view.taken,
        "groups": {
            group.name: {str(state): count for state, count in group.counts.items() if count}
            for group in view.groups
        },
        "eta_seconds": left.total_seconds() if left is not None else None,
        "cost": cost_document(cost),
    }


def cost_document(cost: Estimate | None) -> Json | None:
    """Return what a run would have cost."""
    if cost is None:
        return None
    return {
        "usd": round(cost.total, 4),
        "costed": cost.costed,
        "uncosted": cost.uncosted,
        "region": cost.region,
        "price_type": str(cost.price_type),
    }


def task_document(job: Job, names: Mapping[str, str]) -> Json:
    """Return a task of a run as it stands; ``names`` has the tasks by their jobs."""
    attempt = job.attempt
    usage = attempt.usage if attempt is not None else None
    return {
        "task": task_id(job),
        "job": job.id,
        "name": job.name,
        "state": str(job.state),
        "reason": job.reason,
        "deps": [names.get(other, other) for other in job.spec.after],
        "attempts": len(job.attempts),
        "native_id": attempt.native_id or None if attempt is not None else None,
        "array": array_document(attempt),
        "node": attempt.node or None if attempt is not None else None,
        "waits_for": attempt.waits_for or None if attempt is not None else None,
        "started_at": iso(attempt.started_at) if attempt is not None else None,
        "ended_at": iso(attempt.ended_at) if attempt is not None else None,
        "elapsed_seconds": elapsed_seconds(attempt) if attempt is not None else None,
        "exit_code": attempt.exit_code if attempt is not None else None,
        "cpu_efficiency": usage.cpu_efficiency if usage is not None else None,
        "cpu_hours": usage.cpu_hours if usage is not None else None,
        "peak_memory": usage.peak_memory if usage is not None else None,
        "taken_from": _taken_from(attempt),
    }


def _taken_from(attempt: Attempt | None) -> Json | None:
    """Return whose result an attempt took, so that nothing ran."""
    if attempt is None or attempt.taken_from is None:
        return None
    return wire.to_json(attempt.taken_from)


def manifest_document(view: RunView, at: datetime) -> Json:
    """Return all that is known of a run: tasks, attempts, the hashes of results, the commit."""
    names = {job.id: task_id(job) for job in view.jobs}
    return {
        "manifest": 1,
        "at": iso(at),
        **run_document(view),
        "tasks": [_whole(job, names) for job in view.jobs],
    }


def _whole(job: Job, names: Mapping[str, str]) -> Json:
    return {
        "job": job.id,
        "state": str(job.state),
        "reason": job.reason,
        "deps": [names.get(other, other) for other in job.spec.after],
        "task": wire.to_json(job.task) if job.task is not None else None,
        "attempts": [_attempt(attempt) for attempt in job.attempts],
    }


def _attempt(attempt: Attempt) -> Json:
    said = wire.to_json(attempt)
    own = (
        "slot",
        "boot_id",
        "overdue",
        "gathered",
        "released",
        "remains",
        "keep_until",
        "waits_for",
    )
    return {key: value for key, value in said.items() if key not in own}
