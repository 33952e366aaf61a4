"""Tasks that a task of a run wrote are added to the run, all of them or none. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from hopper.dispatch.desk import Desk
from hopper.dispatch.run_acts import NewTask, add_tasks
from hopper.errors import HopperError
from hopper.model.event import EventKind
from hopper.model.job import Job
from hopper.model.run import Run
from hopper.model.states import JobState


class Generated(Protocol):
    """Reads what tasks wrote for their ``generates_source``."""

    def tasks(self, run: Run, job: Job, existing: Mapping[str, str]) -> tuple[NewTask, ...]:
        """Return the tasks that a job wrote, which may come after those of its run.

        ``existing`` has the run's tasks and their jobs. HopperError where they cannot be.
        """


class NothingGenerated:
    """For those that never see a task end."""

    def tasks(self, run: Run, job: Job, existing: Mapping[str, str]) -> tuple[NewTask, ...]:
        """Refuse."""
        raise HopperError(f"{job.id} of {run.id} ended where nobody reads its tasks ({existing})")


def add_generated(desk: Desk, job_id: str, generated: Generated) -> None:
    """Add the tasks that a job has written, if it has completed just now and was to write some."""
    job = desk.job(job_id)
    before = desk.book.jobs[job_id]
    run = desk.run(job.run)
    if (
        run is None
        or job.task is None
        or not job.task.generates_source
        or job.state is not JobState.COMPLETED
        or before.state is JobState.COMPLETED
    ):
        return
    try:
        tasks = generated.tasks(run, job, _existing(desk, run))
    except HopperError as error:
        reason = f"{job.task.id}: the tasks that it wrote were refused: {error}"
        desk.runs[run.id] = replace(run, warnings=(*run.warnings, reason))
        desk.tell(EventKind.TASKS_REFUSED, job=job.id, reason=reason, run=run.id)
        return
    made = add_tasks(desk, run, tasks, no_cache=job.no_cache)
    desk.tell(EventKind.TASKS_ADDED, job=job.id, run=run.id, tasks=len(made))


def _existing(desk: Desk, run: Run) -> dict[str, str]:
    jobs = (desk.job(job_id) for job_id in desk.book.run_jobs.get(run.id, ()))
    existing = {job.task.id: job.id for job in jobs if job.task is not None}
    # Others may have been added in this very step.
    for job in desk.jobs.values():
        if job.run == run.id and job.task is not None:
            existing[job.task.id] = job.id
    return existing
