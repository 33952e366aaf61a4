"""``hopper priority``: which pending jobs go first."""

from __future__ import annotations

import click

from hopper.cli.changing import change_jobs
from hopper.cli.choosing import Selection, selection_options
from hopper.cli.common import examples, json_option
from hopper.operations.selecting import has_not_ended


@click.command(
    # A negative priority is no option.
    context_settings={"ignore_unknown_options": True},
    epilog=examples(
        "hopper priority 10 train-x19cyh",
        "hopper priority 0 --tag night --yes",
    ),
)
@click.argument("value", metavar="PRIORITY", type=click.IntRange(-1_000_000, 1_000_000))
@selection_options()
@json_option
@click.pass_context
def command(ctx: click.Context, *, value: int, as_json: bool, selection: Selection) -> None:
    """Give jobs another priority; the higher goes first, 0 is where jobs start.

    JOB is an id, the start of one, or a name.
    """
    changed = change_jobs(
        ctx,
        selection,
        {"do": "priority", "priority": value},
        fits=has_not_ended,
        act="change",
        as_json=as_json,
    )
    ctx.exit(changed.exit_code)
