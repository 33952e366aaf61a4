"""Which run, and which of its tasks, a command is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from hopper.config.load import load
from hopper.errors import HopperError

F = TypeVar("F", bound=Callable[..., Any])


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
