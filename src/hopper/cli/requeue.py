"""``hopper requeue``: jobs that have ended are tried again."""

from __future__ import annotations

from dataclasses import replace

import click

from hopper.cli.changing import change_jobs
from hopper.cli.choosing import Selection, complete_job, selection_options
from hopper.cli.common import examples, json_option
from hopper.operations.selecting import can_be_abandoned, can_be_requeued


@click.command(
    epilog=examples(
        "hopper requeue train-x19cyh",
        "hopper requeue --failed",
        "hopper requeue --abandon train-x19cyh",
    )
)
@click.option(
    "--job-id",
    "job_ids",
    multiple=True,
    metavar="JOB",
    shell_complete=complete_job,
    help="The same as JOB; may be repeated.",
)
@click.option(
    "--abandon",
    is_flag=True,
    help="Also give up an attempt whose worker does not answer: it is killed there once it does.",
)
@selection_options(failed=True)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    job_ids: tuple[str, ...],
    abandon: bool,
    as_json: bool,
    selection: Selection,
) -> None:
    """Put jobs that have ended back into the queue; what they did before stays on record.

    JOB is an id, the start of one, or a name.
    """
    selection = replace(selection, references=(*job_ids, *selection.references))
    changed = change_jobs(
        ctx,
        selection,
        {"do": "requeue", "abandon": abandon},
        fits=can_be_abandoned if abandon else can_be_requeued,
        act="abandon and requeue" if abandon else "requeue",
        as_json=as_json,
    )
    ctx.exit(changed.exit_code)
