"""How everything stands, looked at again and again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hopper.bootstrap import inventory
from hopper.bootstrap.backends import systems
from hopper.bootstrap.state import dispatching
from hopper.config.model import HopperConfig
from hopper.dispatch.backend_views import BackendView, backend_views
from hopper.dispatch.book import Book
from hopper.dispatch.overview import Overview, overview
from hopper.dispatch.run_views import RunView, run_views
from hopper.errors import HopperError
from hopper.model.worker import Worker

if TYPE_CHECKING:
    from hopper.store.state import StateStore


INVENTORY_EVERY = 5.0
"""Seconds after which the inventory is read anew."""
RUN_STAYS = timedelta(minutes=10)
"""How long a run that has ended is shown."""


@dataclass(frozen=True, kw_only=True)
class Screen:
    """What is to be shown."""

    view: Overview
    dispatcher: Mapping[str, object] | None
    """pid, host and started of the dispatcher that runs."""
    backends: tuple[BackendView, ...] = ()
    runs: tuple[RunView, ...] = ()
    """Those that have not ended, and those that have just now."""
    inventory_error: str = ""
    limit: int = 15
    """Rows of jobs at most."""


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

    def _dispatcher(self) -> Mapping[str, object] | None:
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
