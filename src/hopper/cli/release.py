"""``hopper release``: held jobs may start again."""

from __future__ import annotations

import click

from hopper.cli.changing import change_jobs
from hopper.cli.choosing import Selection, selection_options
from hopper.cli.common import examples, json_option


@click.command(epilog=examples("hopper release train-x19cyh", "hopper release --all --yes"))
@selection_options()
@json_option
@click.pass_context
def command(ctx: click.Context, *, as_json: bool, selection: Selection) -> None:
    """Let held jobs start.

    JOB is an id, the start of one, or a name.
    """
    changed = change_jobs(
        ctx,
        selection,
        {"do": "release"},
        fits=lambda job: job.held and not job.state.terminal,
        act="release",
        as_json=as_json,
    )
    ctx.exit(changed.exit_code)
