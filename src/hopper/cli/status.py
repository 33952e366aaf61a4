"""``hopper status``: how everything stands."""

from __future__ import annotations

import time

import click

from hopper.bootstrap.state import read_state
from hopper.cli.common import config_of, console, examples, json_option, print_json
from hopper.cli.status_view import plain_lines, renderable
from hopper.documents.overview import screen_document
from hopper.operations.glance import Glance, Screen

LOOK_EVERY = 0.25
"""Seconds between looks at what the dispatcher has written."""
REDRAW_EVERY = 1.0
"""Seconds after which ages are shown anew."""


@click.command(epilog=examples("hopper status", "hopper status --watch", "hopper status --json"))
@click.option("--watch", "-w", is_flag=True, help="Go on showing it, until Ctrl-C.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=15,
    show_default=True,
    help="Rows of jobs that are shown at most.",
)
@json_option
@click.pass_context
def command(ctx: click.Context, *, watch: bool, limit: int, as_json: bool) -> None:
    """Show jobs, runs, workers, backends and the dispatcher."""
    if watch and as_json:
        raise click.UsageError("--watch and --json do not go together; try 'hopper events -f'")
    config = config_of(ctx)
    with read_state(config) as store:
        glance = Glance(config, store)
        if as_json:
            screen = glance.screen(limit)
            print_json(screen_document(screen))
        elif watch:
            _watch(glance, limit)
        else:
            _print(glance.screen(limit))


def _print(screen: Screen) -> None:
    out = console()
    if out.is_terminal:
        out.print(renderable(screen))
    else:
        for line in plain_lines(screen):
            click.echo(line)


def _watch(glance: Glance, limit: int) -> None:
    out = console()
    if not out.is_terminal:
        _reprint(glance, limit)
        return
    from rich.live import Live

    screen = glance.screen(_fitting(out.height, limit))
    try:
        with Live(renderable(screen), console=out, screen=True, auto_refresh=False) as live:
            drawn = time.monotonic()
            while True:
                time.sleep(LOOK_EVERY)
                if glance.refresh() or time.monotonic() - drawn > REDRAW_EVERY:
                    screen = glance.screen(_fitting(out.height, limit))
                    live.update(renderable(screen), refresh=True)
                    drawn = time.monotonic()
    except KeyboardInterrupt:
        # What was there last stays on the terminal.
        out.print(renderable(screen))


def _fitting(height: int, limit: int) -> int:
    """Return how many rows of jobs a screen has room for, beside heads and workers."""
    return max(3, min(limit, height - 14))


def _reprint(glance: Glance, limit: int) -> None:
    try:
        while True:
            _print(glance.screen(limit))
            click.echo("")
            while not glance.refresh():
                time.sleep(LOOK_EVERY)
    except KeyboardInterrupt:
        return
