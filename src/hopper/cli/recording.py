"""What was done beside the dispatcher is put on record."""

from __future__ import annotations

import click

from hopper.cli.common import config_of
from hopper.errors import HopperError


def on_record(ctx: click.Context, said: str) -> None:
    """Put on record that users or tokens were changed; where that fails, say so and go on.

    The change is made by then, and is no smaller for not being on record.
    """
    from hopper.operations.accounts import note

    try:
        note(config_of(ctx), said)
    except HopperError as refusal:
        click.echo(f"hopper: this is not on record: {refusal}", err=True)
