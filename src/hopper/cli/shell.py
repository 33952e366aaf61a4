"""``hopper shell``: a terminal in a job's folder on its worker."""

from __future__ import annotations

import os
import subprocess

import click

from hopper.bootstrap import inventory
from hopper.bootstrap.state import read_state
from hopper.cli.choosing import job_argument
from hopper.cli.common import config_of, examples
from hopper.dispatch.orders import remote_name
from hopper.errors import HopperError, UsageError
from hopper.model.attempt import Attempt, Remains
from hopper.model.job import Job, Origin
from hopper.operations.finding import one_job


@click.command(epilog=examples("hopper shell train-x19cyh"))
@job_argument
@click.option("--attempt", type=click.IntRange(1), metavar="N", help="Of that attempt.")
@click.pass_context
def command(ctx: click.Context, *, reference: str, attempt: int | None) -> None:
    """Open a terminal in a job's folder on its worker.

    The folder is there while the job runs, and for a while after it has failed. Leaves with
    the shell's own exit code.
    """
    from hopper.ansible import terminal

    config = config_of(ctx)
    with read_state(config) as store:
        job = one_job(store, reference)
    chosen = _attempt(job, attempt)
    worker = inventory.read_inventory(config).workers.get(chosen.worker)
    if worker is None:
        raise HopperError(f"{chosen.worker} is not in the inventory any more")
    words = inventory.login_words(config, worker.name)
    shell = "" if words else os.environ.get("SHELL", "/bin/sh")
    unpack = config.dispatch.remote_unpack_dirname
    line = terminal.in_folder(worker.inbox, remote_name(job), chosen.id, unpack, shell)
    click.echo(f"{job.id}, attempt {chosen.number}, on {worker.name}", err=True)
    ended = subprocess.run(terminal.command(words, line), check=False)
    ctx.exit(1 if ended.returncode == terminal.CLEANED else max(0, ended.returncode))


def _attempt(job: Job, number: int | None) -> Attempt:
    if job.origin is Origin.EXTERNAL:
        raise UsageError(f"{job.id} was launched by somebody else; hopper knows no folder of it")
    if not job.attempts:
        raise UsageError(f"{job.id} is {job.state} and was on no worker")
    chosen = job.attempts[-1]
    if number is not None:
        found = [attempt for attempt in job.attempts if attempt.number == number]
        if not found:
            raise UsageError(f"{job.id} has no attempt {number}")
        chosen = found[0]
    if chosen.remains is Remains.GONE or (not chosen.open and chosen.remains is Remains.UNWANTED):
        raise HopperError(
            f"the folder of attempt {chosen.number} on {chosen.worker} was cleaned away",
            way_out=f"its zip is at home: 'hopper show {job.id}'",
        )
    return chosen
