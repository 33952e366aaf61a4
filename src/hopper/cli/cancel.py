"""``hopper cancel``: jobs are ended, and what they run is killed."""

from __future__ import annotations

from datetime import timedelta

import click

from hopper.cli.changing import change_jobs
from hopper.cli.choosing import Selection, selection_options
from hopper.cli.common import config_of, examples, json_option
from hopper.cli.times import a_duration
from hopper.cli.waiting import TIMED_OUT, wait_for
from hopper.operations.selecting import can_be_cancelled


@click.command(
    epilog=examples(
        "hopper cancel train-x19cyh", "hopper cancel --wait a b c", "hopper cancel --tag gpu"
    )
)
@selection_options()
@click.option("--wait", is_flag=True, help="Wait until their processes are seen dead.")
@click.option(
    "--timeout", type=a_duration, metavar="DURATION", help="With --wait: no longer, as in 90s."
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    wait: bool,
    timeout: timedelta | None,
    as_json: bool,
    selection: Selection,
) -> None:
    """Cancel jobs: pending ones at once, others once their processes are seen dead.

    JOB is an id, the start of one, or a name.
    """
    changed = change_jobs(
        ctx,
        selection,
        {"do": "cancel"},
        fits=can_be_cancelled,
        act="cancel",
        as_json=as_json,
    )
    if wait and changed.done:
        waited = wait_for(config_of(ctx), list(changed.done), timeout=timeout)
        for job in waited.ended if not as_json else ():
            click.echo(f"{job.id}: {job.state}")
        if waited.timed_out:
            click.echo(f"hopper: {len(waited.open)} of them are not seen dead yet", err=True)
            ctx.exit(TIMED_OUT)
    ctx.exit(changed.exit_code)
