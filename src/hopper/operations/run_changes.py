"""Changes of runs that need more than one command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hopper.bootstrap.state import read_state
from hopper.errors import UsageError
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
