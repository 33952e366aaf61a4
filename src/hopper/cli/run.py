"""``hopper run``: the runs of workflows."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

import click

from hopper.bootstrap.state import read_state
from hopper.cli.common import (
    config_of,
    console,
    examples,
    json_option,
    limit_option,
    print_json,
    table,
)
from hopper.cli.run_changes import cancel, delete, rerun
from hopper.cli.run_choosing import run_argument
from hopper.cli.run_tables import run_lines, run_row, task_row
from hopper.cli.run_texts import logs, script
from hopper.cli.run_watch import watch
from hopper.dispatch.run_views import NOT_WELL, run_views, task_id, view_of
from hopper.documents.runs import manifest_document, run_document, task_document
from hopper.model.states import JobState
from hopper.operations.finding import find_run
from hopper.operations.run_facts import Facts

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig
    from hopper.dispatch.run_views import RunView

SHOWN = 20
"""Runs that are listed unless more are asked for."""
TASKS = 100
"""Tasks that are shown unless more are asked for."""
FIRST = {JobState.RUNNING: 0, JobState.SETTLING: 0, JobState.SUBMITTED: 1}


@click.group(
    epilog=examples(
        "hopper run list", "hopper run watch pipeline", "hopper run rerun --failed pipeline-x19cyh"
    )
)
def command() -> None:
    """Follow the runs of workflows, and change them.

    A RUN is an id, the start of one, or a workflow, of which the newest run is taken. Runs are
    made by 'hopper workflow run'.
    """


for part in (watch, cancel, rerun, logs, script, delete):
    command.add_command(part)


@command.command("list", epilog=examples("hopper run list", "hopper run list --limit 0 --json"))
@click.option("--workflow", metavar="NAME", help="Only those of this workflow.")
@click.option("--backend", metavar="NAME", help="Only those on this backend.")
@click.option("--active", is_flag=True, help="Only those that have not ended.")
@click.option("--all", "history", is_flag=True, help="Also those that left for the history.")
@limit_option(SHOWN)
@json_option
@click.pass_context
def show_all(
    ctx: click.Context,
    *,
    workflow: str | None,
    backend: str | None,
    active: bool,
    history: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List runs, the newest last.

    JSON: a list of what 'hopper run show' prints, without the tasks.
    """
    with read_state(config_of(ctx)) as store:
        runs, jobs = dict(store.runs), iter(store.jobs.values())
        if history:
            runs = {run.id: run for run in store.history_runs()} | runs
            jobs = chain(jobs, (job for job in store.history() if job.id not in store.jobs))
        wanted = [
            run
            for run in runs.values()
            if workflow in {None, run.workflow} and backend in {None, run.backend}
        ]
        views = run_views(wanted, jobs)
    found = [view for view in views if not active or view.ended_at is None]
    shown = found[-limit:] if limit else found
    if as_json:
        print_json([run_document(view) for view in shown])
        return
    now = datetime.now(UTC)
    table(
        ("RUN", "STATE", "WORKFLOW", "BACKEND", ">DONE", ">FAILED", ">AGE", "BY"),
        [run_row(view, now) for view in shown],
        empty="there are no such runs; 'hopper workflow run' makes one",
    )
    if len(shown) < len(found) and console().is_terminal:
        click.echo(f"the newest {len(shown)} of {len(found)}; --limit 0 shows all", err=True)


@command.command(
    "show",
    epilog=examples(
        "hopper run show pipeline",
        "hopper run show pipeline-x19cyh --failed",
        "hopper run show pipeline --json",
    ),
)
@run_argument
@click.option("--failed", is_flag=True, help="Only the tasks that did not end well.")
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=TASKS,
    show_default=True,
    help="Only so many tasks; 0 for all.",
)
@json_option
@click.pass_context
def show(ctx: click.Context, *, reference: str, failed: bool, limit: int, as_json: bool) -> None:
    """Show a run and its tasks, those under way first.

    JSON: id, workflow, description, backend, state, times, user, max_concurrent, git, warnings,
    tasks (their number), counts, groups, eta_seconds, cost, and items: the tasks.
    """
    config = config_of(ctx)
    view, facts = _view(config, reference)
    wanted = [job for job in view.jobs if not failed or job.state in NOT_WELL]
    shown = wanted[:limit] if limit else wanted
    names = {job.id: task_id(job) for job in view.jobs}
    if as_json:
        items = [task_document(job, names) for job in wanted]
        print_json(
            {**run_document(view, left=facts.left(view), cost=facts.cost(view)), "items": items}
        )
        return
    out = console()
    for line in run_lines(view, left=facts.left(view), cost=facts.cost(view)):
        out.print(line, soft_wrap=True)
    shown = sorted(wanted, key=lambda job: FIRST.get(job.state, 2))
    shown = shown[:limit] if limit else shown
    now = datetime.now(UTC)
    if out.is_terminal:
        click.echo("")
    columns = ("TASK", "STATE", "NATIVE ID", "NODE", ">TIME", ">CPU", ">MEMORY", "REMARK")
    table(columns, [task_row(job, now) for job in shown], empty="no such tasks")
    if len(shown) < len(wanted) and out.is_terminal:
        click.echo(f"{len(shown)} of {len(wanted)} tasks; --limit 0 shows all", err=True)


@command.command(
    "manifest",
    epilog=examples(
        "hopper run manifest pipeline", "hopper run manifest pipeline-x19cyh > run.json"
    ),
)
@run_argument
@click.pass_context
def manifest(ctx: click.Context, *, reference: str) -> None:
    """Print all that is known of a run as JSON, to be kept beside its results.

    It has the commit, and for each task its whole definition and its attempts with their times,
    exit codes, use, and the names and SHA-256 of their results.
    """
    view, _ = _view(config_of(ctx), reference)
    print_json(manifest_document(view, datetime.now(UTC)))


def _view(config: HopperConfig, reference: str) -> tuple[RunView, Facts]:
    with read_state(config) as store:
        run = find_run(store, reference)
        return view_of(run, store.jobs_of(run.id)), Facts(config, store)
