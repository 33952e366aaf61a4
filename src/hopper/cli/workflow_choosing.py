"""Which workflow a command is about, and its tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from hopper.config.load import load
from hopper.errors import HopperError

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig
    from hopper.dispatch.run_acts import NewRun

F = TypeVar("F", bound=Callable[..., Any])


def _names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer workflows and the files of sources; nothing where the config cannot be read."""
    del param
    from hopper.operations.sources import remembered

    try:
        config = load(ctx.find_root().params.get("config_file"))
    except (HopperError, OSError):
        return []
    names = [workflow.name for workflow in config.workflows]
    names += [f"{name}:{file}" for name, seen in remembered(config).items() for file in seen.files]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def workflow_argument(command: F) -> F:
    """Add the argument WORKFLOW."""
    return click.argument("reference", metavar="WORKFLOW", shell_complete=_names)(command)


def complete_backend(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the backends of the config; nothing where it cannot be read."""
    del param
    try:
        config = load(ctx.find_root().params.get("config_file"))
    except (HopperError, OSError):
        return []
    names = [backend.name for backend in config.backends]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def backend_option(command: F) -> F:
    """Add ``--backend``."""
    return click.option(
        "--backend",
        metavar="NAME",
        shell_complete=complete_backend,
        help="For a file at home: where its tasks run; may be left out when there is but one.",
    )(command)


def backend_argument(command: F) -> F:
    """Add the argument BACKEND."""
    return click.argument("name", metavar="BACKEND", shell_complete=complete_backend)(command)


def most_option(command: F) -> F:
    """Add ``--max-concurrent``."""
    return click.option(
        "--max-concurrent",
        "most",
        type=click.IntRange(1),
        metavar="N",
        help="Most of its tasks at a time, in place of what the workflow says.",
    )(command)


def array_option(command: F) -> F:
    """Add ``--array``."""
    return click.option(
        "--array",
        type=click.Choice(["auto", "never"]),
        help="Whether equal tasks are submitted as job arrays, in place of what the workflow and "
        "the config say.",
    )(command)


def planned(
    config: HopperConfig,
    reference: str,
    backend: str | None,
    most: int | None = None,
    array: str | None = None,
) -> NewRun:
    """Return the run that a workflow comes to now; on a terminal, says what it waits for."""
    from hopper.cli.progress import busy
    from hopper.operations.generate import find_recipe
    from hopper.operations.starting import Choices, planned_run

    recipe = find_recipe(config, reference, backend)
    with busy(f"getting the tasks of {recipe.name}"):
        return planned_run(config, recipe, Choices(most=most, array=array))
