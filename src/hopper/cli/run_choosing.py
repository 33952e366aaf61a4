"""Which run, and which of its tasks, a command is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from hopper.config.load import load
from hopper.dispatch.run_views import task_id
from hopper.errors import HopperError, UsageError
from hopper.model.job import Job
from hopper.model.run import Run

if TYPE_CHECKING:
    from hopper.store.state import StateStore

F = TypeVar("F", bound=Callable[..., Any])
WAY_OUT = "see 'hopper run list'"


def _runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the ids of runs; nothing where config or state cannot be read."""
    del param
    from hopper.bootstrap.state import read_state

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

    One of the history is meant only where no live one is.

    ``exactly``: a workflow of several runs does not do. UsageError where none or several answer.
    """
    if reference in store.runs:
        return store.runs[reference]
    found = _meant(store.runs.values(), reference)
    if not found:
        old = list(store.history_runs())
        found = [run for run in old if run.id == reference] or _meant(old, reference)
    if not found:
        raise UsageError(f"there is no run {reference!r}", way_out=WAY_OUT)
    if found[0].workflow == reference and not exactly:
        return max(found, key=lambda run: (run.created_at, run.id))
    if len(found) > 1:
        newest = sorted(found, key=lambda run: run.created_at, reverse=True)
        names = ", ".join(run.id for run in newest[:5])
        raise UsageError(f"{reference!r} may be {names}", way_out="give the whole id")
    return found[0]


def _meant(runs: Iterable[Run], reference: str) -> list[Run]:
    """Return the runs of that workflow, or else those whose ids begin so."""
    runs = list(runs)
    named = [run for run in runs if run.workflow == reference]
    return named or [run for run in runs if run.id.startswith(reference)]


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
