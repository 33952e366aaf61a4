"""Workflows, and what they come to, as JSON and as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hopper.documents.words import duration
from hopper.workflows.units import format_memory

if TYPE_CHECKING:
    from hopper.dispatch.run_acts import NewRun, NewTask

_NAMES_SHOWN = 3


def task_rows(new: NewRun) -> list[tuple[str, ...]]:
    """Return the tasks of a run that is to be made as rows of a table."""
    names = {task.job: task.task.id for task in new.tasks}
    return [_task_row(task, [names.get(job, job) for job in task.spec.after]) for task in new.tasks]


def _task_row(new: NewTask, deps: Sequence[str]) -> tuple[str, ...]:
    needs = new.task.resources
    more = f" and {len(deps) - _NAMES_SHOWN} more" if len(deps) > _NAMES_SHOWN else ""
    limit = needs.time_limit
    return (
        new.task.id,
        str(needs.cpus),
        format_memory(needs.memory) if needs.memory is not None else "-",
        duration(limit.total_seconds()) if limit is not None else "-",
        needs.partition or "-",
        ", ".join(deps[:_NAMES_SHOWN]) + more or "-",
        " ; ".join(new.task.command.strip().splitlines()),
    )
