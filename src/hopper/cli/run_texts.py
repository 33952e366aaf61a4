"""``hopper run logs`` and ``hopper run script``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from hopper.bootstrap.state import read_state
from hopper.cli.common import config_of, examples
from hopper.cli.logs import print_log
from hopper.cli.run_choosing import run_argument, task_argument
from hopper.dispatch.run_views import task_id
from hopper.documents.words import printable
from hopper.errors import UsageError
from hopper.operations.finding import find_run, find_task
from hopper.operations.log_reading import Wanted
from hopper.operations.scripts import next_script, submitted_script

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig
    from hopper.model.job import Job
    from hopper.model.run import Run


@click.command(
    "logs",
    epilog=examples(
        "hopper run logs pipeline fit.1",
        "hopper run logs pipeline-x19cyh fit.1 --error --tail 20",
        "hopper run logs -f pipeline fit.1",
    ),
)
@run_argument
@task_argument
@click.option("--error", is_flag=True, help="Its standard error.")
@click.option("--follow", "-f", is_flag=True, help="Go on until the task has ended.")
@click.option(
    "--attempt", type=click.IntRange(1), metavar="N", help="Of that attempt; else of the newest."
)
@click.option("--tail", type=click.IntRange(0), metavar="N", help="Only the last N lines.")
@click.option("--raw", is_flag=True, help="Let a terminal have control sequences as they come.")
@click.pass_context
def logs(
    ctx: click.Context,
    *,
    reference: str,
    task: str,
    error: bool,
    follow: bool,
    attempt: int | None,
    tail: int | None,
    raw: bool,
) -> None:
    """Print what a task has printed: from home once it has ended, else from the backend.

    In a pipe, byte for byte.
    """
    config = config_of(ctx)
    _, job = _task(config, reference, task)
    wanted = Wanted(attempt=attempt, tail=tail, follow=follow, errors=error)
    print_log(config, job.id, wanted, raw=raw)


@click.command(
    "script",
    epilog=examples(
        "hopper run script pipeline fit.1", "hopper run script pipeline-x19cyh fit.1 --attempt 1"
    ),
)
@run_argument
@task_argument
@click.option("--attempt", type=click.IntRange(1), metavar="N", help="As of that attempt.")
@click.option("--new", is_flag=True, help="As the next attempt's would be.")
@click.pass_context
def script(
    ctx: click.Context, *, reference: str, task: str, attempt: int | None, new: bool
) -> None:
    """Print the exact script of a task: what was submitted, or else what would be.

    Before a task was submitted, 'attempt000' stands in it for the id that its attempt will have.
    """
    if new and attempt is not None:
        raise UsageError("--new and --attempt do not go together")
    config = config_of(ctx)
    run, job = _task(config, reference, task)
    text = submitted_script(config, job, attempt) if not new else None
    if text is None:
        text = next_script(config, job, run)
        if not new:
            click.echo(printable(f"{task_id(job)} was not submitted yet"), err=True)
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def _task(config: HopperConfig, reference: str, task: str) -> tuple[Run, Job]:
    with read_state(config) as store:
        run = find_run(store, reference)
        return run, find_task(store.jobs_of(run.id), task, run)
