"""``hopper shell``: a terminal in a job's folder on its worker or login node."""

from __future__ import annotations

import subprocess

import click

from hopper.bootstrap.state import read_state
from hopper.cli.choosing import job_argument
from hopper.cli.common import config_of, examples
from hopper.operations.finding import one_job


@click.command(epilog=examples("hopper shell train-x19cyh"))
@job_argument
@click.option("--attempt", type=click.IntRange(1), metavar="N", help="Of that attempt.")
@click.pass_context
def command(ctx: click.Context, *, reference: str, attempt: int | None) -> None:
    """Open a terminal in a job's folder on its worker, or on its backend's login node.

    The folder on a worker is there while the job runs, and for a while after it has failed; on a
    backend it is the task's working folder. Leaves with the shell's own exit code.
    """
    from hopper.ansible.terminal import CLEANED
    from hopper.operations.terminals import terminal_for

    config = config_of(ctx)
    with read_state(config) as store:
        job = one_job(store, reference)
    opened = terminal_for(config, job, attempt)
    click.echo(f"{job.id}, attempt {opened.attempt}, on {opened.place}", err=True)
    ended = subprocess.run(opened.words, check=False)
    ctx.exit(1 if ended.returncode == CLEANED else max(0, ended.returncode))
