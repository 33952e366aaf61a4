"""Changes of runs that need more than one command."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hopper.bootstrap import commands
from hopper.bootstrap.state import read_state
from hopper.bootstrap.upkeep import forget_texts
from hopper.errors import HopperError, UsageError
from hopper.model.job import Job
from hopper.model.places import task_folder
from hopper.operations.finding import find_run

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig


def live_run_id(config: HopperConfig, reference: str, *, exactly: bool = False) -> str:
    """Return the id of the live run that a person means. UsageError."""
    with read_state(config) as store:
        run = find_run(store, reference, exactly=exactly)
        if run.id not in store.runs:
            raise UsageError(
                f"run {run.id} ended long ago and has left for the history",
                way_out="run its workflow anew",
            )
        return run.id


def results_folder(config: HopperConfig, jobs: Sequence[Job]) -> str | None:
    """Return the folder of a run's results, as far as there is one."""
    for job in jobs:
        folder = task_folder(config.paths.inbox, job).parent
        return str(folder) if folder.is_dir() else None
    return None


def delete_run(
    config: HopperConfig, run_id: str, *, results: bool, by: str | None = None
) -> dict[str, object]:
    """Forget a run that has ended, live or of the history; return what there was of it.

    ``results``: what came home of it goes as well. ``by`` is who asks for it, if not the person
    whose process this is. UsageError for one that has not ended.
    """
    with read_state(config) as store:
        jobs, archived = store.jobs_of(run_id), run_id not in store.runs
    folder = results_folder(config, jobs) if results else None
    body = {"do": "delete_run", "run": run_id, "archived": archived}
    answer = {
        **commands.give(config, {**body, **commands.asked_by(by)}),
        "jobs": [job.id for job in jobs],
    }
    for job in jobs:
        forget_texts(config, job)
    if folder is not None:
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise HopperError(f"{folder} cannot be removed: {error.strerror or error}") from error
    return {**answer, "results": folder}
