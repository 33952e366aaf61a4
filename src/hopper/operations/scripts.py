"""The scripts of tasks: as they were submitted, and as they would be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hopper.bootstrap.backends import SCRIPTS, systems
from hopper.dispatch.run_views import task_id
from hopper.errors import HopperError, NotThere
from hopper.model.attempt import Attempt
from hopper.model.job import Job, Origin
from hopper.model.states import JobState

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig
    from hopper.model.run import Run
if TYPE_CHECKING:
    from hopper.config.model import HopperConfig
    from hopper.dispatch.run_acts import NewRun
    from hopper.model.run import Run


PREVIEW = "attempt000"
"""Stands for the id of the attempt in a script that is only shown."""


def script_of(config: HopperConfig, new: NewRun, task_id: str) -> str:
    """Return the script of a task of a run that is to be made. UsageError, HopperError."""
    from hopper.bootstrap.backends import systems

    found = next((task for task in new.tasks if task.task.id == task_id), None)
    if found is None:
        raise NotThere(f"{new.run.workflow} has no task {task_id!r}")
    job = Job(
        id=found.job,
        spec=found.spec,
        state=JobState.PENDING,
        submitted_at=new.run.created_at,
        origin=Origin.RUN,
        backend="" if new.run.on_workers else new.run.backend,
        run=new.run.id,
        task=found.task,
    )
    return systems(config).script(job, preview_attempt(job), new.run)


def preview_attempt(job: Job) -> Attempt:
    """Return what stands for the next attempt of a job in a script that is only shown."""
    return Attempt(
        id=PREVIEW,
        number=len(job.attempts) + 1,
        worker=job.backend,
        intended_at=job.submitted_at,
    )


def submitted_script(config: HopperConfig, job: Job, number: int | None) -> str | None:
    """Return the script that was submitted for an attempt; None where there was no attempt."""
    from hopper.backends.systems import script_path

    if number is None and not job.attempts:
        return None
    wanted = number or job.attempts[-1].number
    attempt = next((item for item in job.attempts if item.number == wanted), None)
    if attempt is None:
        raise NotThere(f"{task_id(job)} has no attempt {number}")
    if attempt.taken_from is not None:
        raise HopperError(
            f"attempt {attempt.number} of {task_id(job)} ran nowhere: {job.reason}",
            way_out="see with --new what would be submitted",
        )
    path = script_path(config.paths.db / SCRIPTS, attempt.id)
    try:
        return path.read_text("utf-8", errors="surrogateescape")
    except FileNotFoundError:
        raise HopperError(
            f"the script of attempt {attempt.number} was not kept", way_out="see it with --new"
        ) from None
    except OSError as error:
        raise HopperError(f"{path} cannot be read: {error.strerror or error}") from error


def next_script(config: HopperConfig, job: Job, run: Run) -> str:
    """Return the script that a task's next attempt would have."""
    return systems(config).script(job, preview_attempt(job), run)
