"""``hopper hold``: pending jobs wait until they are released."""

from __future__ import annotations

import click

from hopper.cli.changing import change_jobs
from hopper.cli.choosing import Selection, selection_options
from hopper.cli.common import examples, json_option
from hopper.model.job import Job
from hopper.model.states import JobState


@click.command(epilog=examples("hopper hold train-x19cyh", "hopper hold --tag gpu --yes"))
@selection_options()
@json_option
@click.pass_context
def command(ctx: click.Context, *, as_json: bool, selection: Selection) -> None:
    """Keep pending jobs from starting until they are released.

    JOB is an id, the start of one, or a name.
    """
    changed = change_jobs(
        ctx,
        selection,
        {"do": "hold"},
        fits=_can_be_held,
        act="hold",
        as_json=as_json,
    )
    ctx.exit(changed.exit_code)


def _can_be_held(job: Job) -> bool:
    return job.state is JobState.PENDING and not job.held
