"""``hopper status``: how everything stands."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from hopper.bootstrap import inventory
from hopper.bootstrap.backends import systems
from hopper.bootstrap.state import dispatching, read_state
from hopper.cli.backend_tables import backend_document
from hopper.cli.common import config_of, console, examples, json_option, print_json
from hopper.cli.documents import Json, overview_document
from hopper.cli.run_documents import run_document
from hopper.cli.status_view import Screen, plain_lines, renderable
from hopper.config.model import HopperConfig
from hopper.dispatch.backend_views import backend_views
from hopper.dispatch.book import Book
from hopper.dispatch.overview import overview
from hopper.dispatch.run_views import RunView, run_views
from hopper.errors import HopperError
from hopper.model.worker import Worker

if TYPE_CHECKING:
    from hopper.store.state import StateStore

LOOK_EVERY = 0.25
"""Seconds between looks at what the dispatcher has written."""
REDRAW_EVERY = 1.0
"""Seconds after which ages are shown anew."""
INVENTORY_EVERY = 5.0
RUN_STAYS = timedelta(minutes=10)
"""How long a run that has ended is shown."""


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
            print_json(_document(screen))
        elif watch:
            _watch(glance, limit)
        else:
            _print(glance.screen(limit))


def _document(screen: Screen) -> Json:
    return {
        **overview_document(screen.view, screen.dispatcher),
        "backends": [backend_document(view) for view in screen.backends],
        "runs": [run_document(view) for view in screen.runs],
        "inventory_error": screen.inventory_error or None,
    }


class Glance:
    """Looks at state, inventory and lock."""

    def __init__(self, config: HopperConfig, store: StateStore) -> None:
        self._config = config
        self._store = store
        self._workers: Mapping[str, Worker] = {}
        self._inventory_error = ""
        self._inventory_due = 0.0
        self._targets = systems(config).targets() if config.backends else {}

    def refresh(self) -> bool:
        """Take in what the dispatcher has written; return whether there was anything."""
        return self._store.refresh()

    def screen(self, limit: int) -> Screen:
        """Return what is to be shown now."""
        if time.monotonic() >= self._inventory_due:
            self._read_inventory()
            self._inventory_due = time.monotonic() + INVENTORY_EVERY
        store = self._store
        book = Book(
            store.jobs.values(), store.workers.values(), store.settings, store.runs.values()
        )
        now = datetime.now(UTC)
        return Screen(
            view=overview(book, self._workers, now),
            backends=backend_views(book, self._targets),
            runs=tuple(self._runs(now)),
            dispatcher=self._dispatcher(),
            inventory_error=self._inventory_error,
            limit=limit,
        )

    def _runs(self, now: datetime) -> Iterator[RunView]:
        """Yield the runs that have not ended, or have just now."""
        store = self._store
        for view in run_views(store.runs.values(), store.jobs.values()):
            if view.ended_at is None or now - view.ended_at < RUN_STAYS:
                yield view

    def _dispatcher(self) -> Json | None:
        held = dispatching(self._config)
        if held is None:
            return None
        return {"pid": held.pid, "host": held.host, "started": held.started}

    def _read_inventory(self) -> None:
        self._inventory_error = ""
        try:
            self._workers = inventory.read_inventory(self._config).workers
        except HopperError as error:
            self._inventory_error = str(error)


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
