"""``hopper workflow``: what yields the tasks of runs."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from hopper.cli.common import config_of, console, examples, json_option, print_json, table
from hopper.cli.run_choosing import no_cache_option
from hopper.cli.workflow_choosing import (
    array_option,
    backend_option,
    most_option,
    planned,
    workflow_argument,
)
from hopper.cli.workflow_documents import task_rows
from hopper.documents.words import printable
from hopper.documents.workflows import (
    plan_document,
    recipe_document,
    started_document,
    workflow_rows,
)
from hopper.errors import UsageError
from hopper.operations.finding import most_runs
from hopper.operations.scripts import script_of

if TYPE_CHECKING:
    from hopper.dispatch.run_acts import NewRun


@click.group(
    epilog=examples(
        "hopper workflow list",
        "hopper workflow dry-run pipeline",
        "hopper workflow run pipeline --watch",
    )
)
def command() -> None:
    """List workflows, see what they come to, and run them.

    A WORKFLOW is one of the config, a file of a source as SOURCE:FILE, or a file at home.
    """


@command.command("list", epilog=examples("hopper workflow list", "hopper workflow list --json"))
@json_option
@click.pass_context
def show_all(ctx: click.Context, *, as_json: bool) -> None:
    """List the workflows of the config, and the files of its sources as last seen.

    JSON: a list with name, kind (command or file), backend, description, last_run.
    """
    config = config_of(ctx)
    rows = workflow_rows(config, most_runs(config))
    if as_json:
        print_json(rows)
        return
    table(
        ("WORKFLOW", "KIND", "BACKEND", "LAST RUN", "DESCRIPTION"),
        [
            (
                str(row["name"]),
                str(row["kind"]),
                str(row["backend"]),
                str(row["last_run"] or "-"),
                str(row["description"]),
            )
            for row in rows
        ],
        empty="no workflows; add 'workflows:' or 'sources:' to the config, or run a file at home",
    )


@command.command(
    "show",
    epilog=examples("hopper workflow show pipeline", "hopper workflow show lab:plan.json --json"),
)
@workflow_argument
@backend_option
@json_option
@click.pass_context
def show(ctx: click.Context, *, reference: str, backend: str | None, as_json: bool) -> None:
    """Show where a workflow's tasks come from, and its latest runs; asks no backend."""
    from hopper.operations.generate import find_recipe

    config = config_of(ctx)
    recipe = find_recipe(config, reference, backend)
    document = recipe_document(recipe, most_runs(config).get(recipe.name, []))
    if as_json:
        print_json(document)
        return
    out = console()
    for name, value in document.items():
        if value in (None, "", []):
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        out.print(f"{name.replace('_', ' '):<16}", end="", style="bold", markup=False)
        out.print(printable(text), markup=False, soft_wrap=True)


@command.command(
    "dry-run",
    epilog=examples(
        "hopper workflow dry-run pipeline",
        "hopper workflow dry-run sweep.json --backend here --script fit.1",
    ),
)
@workflow_argument
@backend_option
@click.option("--script", "script", metavar="TASK", help="Print the script of this task instead.")
@json_option
@click.pass_context
def dry_run(
    ctx: click.Context, *, reference: str, backend: str | None, script: str | None, as_json: bool
) -> None:
    """Get a workflow's tasks and show what would be run; nothing is submitted.

    A command of the config is run, and a repository cloned, to get at the tasks. JSON: workflow,
    backend, git, warnings, and tasks with id, name, command, deps, working_dir, resources,
    environment, variables, init, inputs, outputs.
    """
    config = config_of(ctx)
    new = planned(config, reference, backend)
    if script is not None:
        click.echo(script_of(config, new, script), nl=False)
        return
    if as_json:
        print_json(plan_document(new))
        return
    _warn(new)
    table(
        ("TASK", ">CPUS", ">MEMORY", ">TIME", "PARTITION", "AFTER", "COMMAND"),
        task_rows(new),
        empty="it has no tasks",
    )
    if console().is_terminal:
        count = len(new.tasks)
        said = "1 task" if count == 1 else f"{count} tasks"
        click.echo(f"{said} for {new.run.backend}; nothing was submitted", err=True)


@command.command(
    "run",
    epilog=examples(
        "hopper workflow run pipeline",
        "hopper workflow run pipeline --watch",
        "hopper workflow run lab:plan.json",
        "hopper workflow run sweep.json --backend here --wait",
    ),
)
@workflow_argument
@backend_option
@most_option
@array_option
@no_cache_option
@click.option("--watch", "-w", is_flag=True, help="Follow it until it has ended.")
@click.option("--wait", is_flag=True, help="Wait until it has ended.")
@json_option
@click.pass_context
def run(
    ctx: click.Context,
    *,
    reference: str,
    backend: str | None,
    most: int | None,
    array: str | None,
    no_cache: bool,
    watch: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Get a workflow's tasks, make a run of them, and print its id.

    With --watch or --wait, exit code 1 when the run did not complete. JSON: run, workflow,
    backend, jobs (ids by task), git, warnings.
    """
    from hopper.operations.starting import start_run

    if watch and as_json:
        raise UsageError("--watch and --json do not go together; try --wait --json")
    config = config_of(ctx)
    new = planned(config, reference, backend, most, array)
    start_run(config, replace(new, no_cache=no_cache))
    _warn(new)
    if not as_json:
        click.echo(new.run.id)
        sys.stdout.flush()
    elif not wait:
        print_json(started_document(new))
    if watch or wait:
        from hopper.cli.run_watch import follow

        ctx.exit(follow(config, new.run.id, quiet=not watch, as_json=as_json))


def _warn(new: NewRun) -> None:
    for warning in new.run.warnings:
        click.echo(printable(f"hopper: {warning}"), err=True)


@command.command(
    "schema",
    epilog=examples("hopper workflow schema", "hopper workflow schema > tasks.schema.json"),
)
def schema() -> None:
    """Print the JSON Schema of a workflow's tasks, for editors and for checking."""
    from hopper.workflows.schema import json_schema

    print_json(json_schema())
