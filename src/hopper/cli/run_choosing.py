"""Which run, and which of its tasks, a command is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from hopper.config.load import load
from hopper.dispatch.run_views import task_id
from hopper.errors import HopperError, UsageError
from hopper.model.job import Job
from hopper.model.run import Run

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig
    from hopper.store.state import StateStore

F = TypeVar("F", bound=Callable[..., Any])
WAY_OUT = "see 'hopper run list'"


def _runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the ids of runs; nothing where config or state cannot be read."""
    del param
    from hopper.bootstrap import read_state

    try:
        with read_state(load(ctx.find_root().params.get("config_file"))) as store:
            return [
                CompletionItem(run.id, help=run.workflow)
                for run in store.runs.values()
                if run.id.startswith(incomplete)
            ]
    except (HopperError, OSError):
        return []


def run_argument(command: F) -> F:
    """Add the argument RUN."""
    return click.argument("reference", metavar="RUN", shell_complete=_runs)(command)


def no_cache_option(command: F) -> F:
    """Add ``--no-cache``."""
    return click.option(
        "--no-cache", is_flag=True, help="Run also tasks whose results are at home already."
    )(command)


def task_argument(command: F) -> F:
    """Add the argument TASK."""
    return click.argument("task", metavar="TASK")(command)


def find_run(store: StateStore, reference: str, *, exactly: bool = False) -> Run:
    """Return the run that a person means: its id, the start of it, or a workflow's newest.

    ``exactly``: a workflow of several runs does not do. UsageError where none or several answer.
    """
    if reference in store.runs:
        return store.runs[reference]
    named = [run for run in store.runs.values() if run.workflow == reference]
    if named and (len(named) == 1 or not exactly):
        return max(named, key=lambda run: (run.created_at, run.id))
    found = named or [run for run in store.runs.values() if run.id.startswith(reference)]
    if not found:
        raise UsageError(f"there is no run {reference!r}", way_out=WAY_OUT)
    if len(found) > 1:
        newest = sorted(found, key=lambda run: run.created_at, reverse=True)
        names = ", ".join(run.id for run in newest[:5])
        raise UsageError(f"{reference!r} may be {names}", way_out="give the whole id")
    return found[0]


def jobs_of(store: StateStore, run: Run, config: HopperConfig) -> list[Job]:
    """Return the jobs of a run in their order, from the history too where they may be there."""
    jobs = {job.id: job for job in store.jobs.values() if job.run == run.id}
    if datetime.now(UTC) - run.created_at > timedelta(days=config.retention.days):
        jobs = {**{job.id: job for job in store.history() if job.run == run.id}, **jobs}
    return list(jobs.values())


def find_task(jobs: Sequence[Job], reference: str, run: Run) -> Job:
    """Return the job of a run that a person means: its task's id, or its own. UsageError."""
    for job in jobs:
        if reference in {task_id(job), job.id}:
            return job
    found = [job for job in jobs if task_id(job).startswith(reference)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(task_id(job) for job in found[:5])
        raise UsageError(f"{reference!r} may be {names}", way_out="give the whole id of the task")
    raise UsageError(
        f"run {run.id} has no task {reference!r}", way_out=f"see 'hopper run show {run.id}'"
    )
