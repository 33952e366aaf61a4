"""``hopper wait``: until jobs have ended."""

from __future__ import annotations

from datetime import timedelta

import click

from hopper.bootstrap.state import read_state
from hopper.cli.choosing import jobs_argument
from hopper.cli.common import config_of, examples, json_option, print_json
from hopper.cli.times import a_duration
from hopper.cli.waiting import Waited, wait_for
from hopper.documents.jobs import job_document
from hopper.documents.words import printable
from hopper.operations.finding import one_job


@click.command(
    epilog=examples(
        "hopper wait train-x19cyh",
        "hopper wait --timeout 2h a b c && echo all well",
        "hopper wait --any a b",
    )
)
@jobs_argument(required=True)
@click.option("--any", "one_is_enough", is_flag=True, help="One of them is enough.")
@click.option(
    "--timeout", type=a_duration, metavar="DURATION", help="Wait no longer, as in 90s or 2h."
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    references: tuple[str, ...],
    one_is_enough: bool,
    timeout: timedelta | None,
    as_json: bool,
) -> None:
    """Wait until jobs have ended.

    Exit code 0 when all have completed, 1 when one has not, 124 when time ran out.
    """
    config = config_of(ctx)
    with read_state(config) as store:
        ids = [one_job(store, reference).id for reference in references]
    waited = wait_for(config, ids, timeout=timeout, one_is_enough=one_is_enough)
    show_waited(waited, as_json=as_json)
    ctx.exit(waited.exit_code)


def show_waited(waited: Waited, *, as_json: bool) -> None:
    """Tell how the jobs have ended."""
    if as_json:
        print_json(
            {
                "ended": [job_document(job) for job in waited.ended],
                "open": list(waited.open),
                "timed_out": waited.timed_out,
            }
        )
        return
    for job in waited.ended:
        reason = f" ({job.reason})" if job.reason else ""
        click.echo(printable(f"{job.id}: {job.state}{reason}"))
    if waited.timed_out:
        click.echo(f"hopper: {len(waited.open)} of them have not ended in time", err=True)
