"""The workers and backends that jobs go to, as the pages show them."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Thread

from anyio import Lock, to_thread

from hopper.bootstrap import inventory
from hopper.bootstrap.backends import systems
from hopper.bootstrap.settings import policy_settings
from hopper.config.model import HopperConfig
from hopper.dispatch.backend_views import BackendView, backend_views
from hopper.dispatch.book import Book
from hopper.dispatch.overview import WorkerView, worker_views
from hopper.errors import HopperError
from hopper.model.backend import BatchTarget
from hopper.model.states import JobState
from hopper.model.worker import Worker, WorkerRecord
from hopper.web.following.rows import CLUSTER, UNDER_WAY, JobRow
from hopper.web.following.state import Following

_STATES = {state.value: state for state in JobState}
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
    next_looks: Mapping[str, datetime] = field(default_factory=dict)
    """When each is looked at next at the latest, where that is still to come."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LookTimes:
    """Longest times between two looks at a place that has jobs, and at one that has none."""

    busy: timedelta
    idle: timedelta

    def next(self, record: WorkerRecord, *, busy: bool) -> datetime | None:
        """Return when a place is looked at next, at the latest; None where nobody knows."""
        if record.contact_not_before is not None:
            return record.contact_not_before
        if record.last_contact is None:
            return None
        return record.last_contact + (self.busy if busy else self.idle)


class Places:
    """Remembers the inventory for a moment. Lives in the event loop."""

    def __init__(self, config: HopperConfig) -> None:
        self._config = config
        self._targets: Mapping[str, BatchTarget] = systems(config).targets()
        self._workers: Mapping[str, Worker] = {}
        self._error = ""
        self._due = 0.0
        self._lock = Lock()
        self._ahead: Thread | None = None
        interval = timedelta(seconds=config.poll.interval_seconds)
        self._looks = LookTimes(busy=interval, idle=policy_settings(config).idle_look)

    def read_ahead(self) -> None:
        """Begin to read the inventory: Ansible does it, and other things can be done meanwhile."""
        self._ahead = Thread(target=self._read, name="inventory", daemon=True)
        self._ahead.start()

    def forget(self) -> None:
        """Read the inventory anew when it is asked for next: it has been changed."""
        self._due = 0.0

    async def stand(self, following: Following) -> Stand:
        """Return how workers and backends stand."""
        async with self._lock:
            if time.monotonic() >= self._due:
                ahead, self._ahead = self._ahead, None
                await to_thread.run_sync(self._read if ahead is None else ahead.join)
                self._due = time.monotonic() + INVENTORY_EVERY
        now = datetime.now(UTC)
        found = stand(following, self._workers, self._targets, now)
        views: tuple[WorkerView | BackendView, ...] = (
            *found.workers,
            *(place.view for place in found.backends),
        )
        looks = {view.name: self._looks.next(view.record, busy=_busy(view)) for view in views}
        return replace(
            found,
            inventory_error=self._error,
            next_looks={name: at for name, at in looks.items() if at is not None and at > now},
        )

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
            _place(view, counts.get(view.name, Counter())) for view in backend_views(book, targets)
        ),
        paused=book.paused,
        rows=under_way,
    )


def _busy(view: WorkerView | BackendView) -> bool:
    return bool(view.jobs) if isinstance(view, WorkerView) else view.under_way > 0


def _place(view: BackendView, counts: Counter[str]) -> BackendPlace:
    states = {_STATES[word]: count for word, count in counts.items() if word in _STATES}
    return BackendPlace(
        view=replace(view, counts=Counter(states)),
        waiting=counts["pending"],
        under_way=view.under_way,
        external=counts[CLUSTER],
    )


def _counts(rows: Iterable[JobRow]) -> Mapping[str, Counter[str]]:
    """Return the jobs of each backend by state, and others' that have not ended as CLUSTER."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row.origin != CLUSTER:
            found[row.backend][row.state] += 1
        elif not row.over:
            found[row.backend][CLUSTER] += 1
    return found
