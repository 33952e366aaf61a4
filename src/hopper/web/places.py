"""The workers and backends that jobs go to, as the pages show them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from anyio import Lock, to_thread

from hopper.bootstrap import inventory
from hopper.bootstrap.backends import systems
from hopper.config.model import HopperConfig
from hopper.dispatch.backend_views import BackendView, backend_views
from hopper.dispatch.book import Book
from hopper.dispatch.overview import WorkerView, worker_views
from hopper.errors import HopperError
from hopper.model.backend import BatchTarget
from hopper.model.worker import Worker
from hopper.web.following.rows import CLUSTER, UNDER_WAY, JobRow
from hopper.web.following.state import Following

INVENTORY_EVERY = 5.0
"""Seconds after which the inventory is read anew."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BackendPlace:
    """A batch system, with how many jobs are there and wait for it."""

    view: BackendView
    waiting: int
    under_way: int
    external: int
    """Jobs there that hopper did not submit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stand:
    """How all of them stand now."""

    workers: tuple[WorkerView, ...] = ()
    backends: tuple[BackendPlace, ...] = ()
    paused: bool = False
    inventory_error: str = ""
    rows: Mapping[str, JobRow] = field(default_factory=dict)
    """Of the jobs that are under way, by id."""


class Places:
    """Remembers the inventory for a moment. Lives in the event loop."""

    def __init__(self, config: HopperConfig) -> None:
        self._config = config
        self._targets: Mapping[str, BatchTarget] = systems(config).targets()
        self._workers: Mapping[str, Worker] = {}
        self._error = ""
        self._due = 0.0
        self._lock = Lock()

    def forget(self) -> None:
        """Read the inventory anew when it is asked for next: it has been changed."""
        self._due = 0.0

    async def stand(self, following: Following) -> Stand:
        """Return how workers and backends stand."""
        async with self._lock:
            if time.monotonic() >= self._due:
                await to_thread.run_sync(self._read)
                self._due = time.monotonic() + INVENTORY_EVERY
        return stand(following, self._workers, self._targets, self._error, datetime.now(UTC))

    def _read(self) -> None:
        try:
            self._workers, self._error = inventory.read_inventory(self._config).workers, ""
        except HopperError as error:
            # What was known stays.
            self._error = str(error)


def stand(
    following: Following,
    workers: Mapping[str, Worker],
    targets: Mapping[str, BatchTarget],
    error: str,
    now: datetime,
) -> Stand:
    """Return how these workers and backends stand by what is known of their jobs."""
    store, rows = following.store, following.index.rows
    under_way = {row.id: row for row in rows.values() if row.state in UNDER_WAY}
    jobs = [job for job_id in under_way if (job := following.job(job_id)) is not None]
    book = Book(jobs, store.workers.values(), store.settings)
    counts = _counts(rows.values())
    return Stand(
        workers=worker_views(book, workers, now),
        backends=tuple(
            BackendPlace(
                view=view,
                waiting=counts[view.name, "pending"],
                under_way=view.under_way,
                external=counts[view.name, CLUSTER],
            )
            for view in backend_views(book, targets)
        ),
        paused=book.paused,
        inventory_error=error,
        rows=under_way,
    )


def _counts(rows: Iterable[JobRow]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row.origin == CLUSTER:
            found[row.backend, CLUSTER] += not row.over
        elif row.state == "pending":
            found[row.backend, "pending"] += 1
    return found
