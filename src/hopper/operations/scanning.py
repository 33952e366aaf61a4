"""What a look at the workers asks, and what the answers mean for the jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hopper.bootstrap import visiting
from hopper.bootstrap.state import read_state
from hopper.dispatch.book import Book
from hopper.dispatch.orders import remote_name
from hopper.errors import NotThere
from hopper.model.attempt import Attempt
from hopper.model.job import Job, Origin
from hopper.model.orders import External, Follow, Order, Report
from hopper.model.worker import Worker

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig

MARGIN = 30.0
"""Seconds beside what an order may take."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a worker has of one job, or a zip of nobody's."""

    name: str
    """Its zip's name there, without ``.zip``."""
    job: str | None = None
    whose: str
    """hopper, external, or nobody: a zip that is not adopted yet."""
    phase: str = ""
    """absent, staged, running, ended, rebooted or vanished; empty where it cannot be told."""
    exit_code: int | None = None
    log_bytes: int = 0
    in_inbox: bool = False
    results: tuple[tuple[str, int], ...] = ()
    """What waits in the Outbox: names and bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A worker as it was found."""

    worker: str
    at: datetime
    error: str = ""
    """Why it could not be reached; nothing else is known then."""
    missing: tuple[str, ...] = ()
    zips: int = 0
    """How many lie in its Inbox."""
    free_bytes: int | None = None
    clock_skew: float | None = None
    boot_id: str = ""
    items: tuple[Found, ...] = ()

    def document(self) -> dict[str, object]:
        """Return it as JSON has it."""
        items = [
            {**asdict(item), "results": [{"name": n, "bytes": size} for n, size in item.results]}
            for item in self.items
        ]
        return {
            "worker": self.worker,
            "at": self.at.isoformat(),
            "error": self.error or None,
            "missing": list(self.missing),
            "zips": self.zips,
            "free_bytes": self.free_bytes,
            "clock_skew_seconds": self.clock_skew,
            "boot_id": self.boot_id,
            "items": items,
        }


def scan(config: HopperConfig, names: Sequence[str]) -> list[Seen]:
    """Look at these workers, or at all of them, and change nothing. NotThere for no worker."""
    with read_state(config) as store:
        book = Book(store.jobs.values(), store.workers.values(), store.settings)
    visitor = visiting.Visitor(config)
    try:
        workers = _chosen(visitor.roster.workers(), names)
        seconds = config.dispatch.order_timeout.total_seconds()
        orders = orders_for(workers, book, seconds)
        reports = visitor.carry_out(orders, timeout=seconds + MARGIN)
        now = datetime.now(UTC)
        return [seen(worker, reports.get(worker.name), book, now) for worker in workers]
    finally:
        visitor.close()


def _chosen(workers: Mapping[str, Worker], names: Sequence[str]) -> list[Worker]:
    unknown = [name for name in names if name not in workers]
    if unknown:
        raise NotThere(f"no worker {unknown[0]!r}", way_out="see 'hopper workers list'")
    return [workers[name] for name in names] if names else list(workers.values())


def orders_for(workers: Iterable[Worker], book: Book, deadline: float) -> list[Order]:
    """Return orders that only look: at each job's attempt, its zip and its results."""
    return [_order(worker, book, deadline) for worker in workers]


def _order(worker: Worker, book: Book, deadline: float) -> Order:
    placed = _placed(book, worker.name)
    return Order(
        id=f"look-{worker.name}",
        host=worker.name,
        inbox=worker.inbox,
        outbox=worker.outbox,
        follows=tuple(
            Follow(attempt=attempt.id, name=remote_name(job), collect=False)
            for job, attempt in placed
            if job.origin is Origin.ZIP
        ),
        externals=tuple(
            External(attempt=attempt.id, name=remote_name(job)) for job, attempt in placed
        ),
        deadline=deadline,
    )


def _placed(book: Book, worker: str) -> list[tuple[Job, Attempt]]:
    """Return the jobs whose newest attempt is or was there and has left something."""
    jobs = {**book.untidy.get(worker, {}), **book.placed.get(worker, {})}
    return [
        (job, attempt)
        for job in jobs.values()
        if (attempt := job.attempt) is not None and attempt.worker == worker
    ]


def seen(worker: Worker, report: Report | None, book: Book, now: datetime) -> Seen:
    """Return what a worker's report shows; without one, that it did not answer."""
    if report is None or report.error:
        error = "it did not answer in time" if report is None else report.error
        return Seen(worker=worker.name, at=now, error=error)
    placed = _placed(book, worker.name)
    items = [_found(job, attempt, report) for job, attempt in placed]
    known = {item.name for item in items} | {
        remote_name(job) for job in book.untidy.get(worker.name, {}).values()
    }
    names = [name.removesuffix(".zip") for name in report.zips]
    items += [
        Found(name=name, whose="nobody", in_inbox=True) for name in names if name not in known
    ]
    return Seen(
        worker=worker.name,
        at=now,
        missing=report.missing,
        zips=len(report.zips),
        free_bytes=report.free_bytes,
        clock_skew=report.clock_skew,
        boot_id=report.boot_id,
        items=tuple(items),
    )


def _found(job: Job, attempt: Attempt, report: Report) -> Found:
    name = remote_name(job)
    sighting = next((s for s in report.sightings if s.attempt == attempt.id), None)
    outbox = next((e for e in report.externals if e.name == name), None)
    return Found(
        name=name,
        job=job.id,
        whose="external" if job.origin is Origin.EXTERNAL else "hopper",
        phase=sighting.phase if sighting is not None else "",
        exit_code=sighting.exit_code if sighting is not None else None,
        log_bytes=sighting.log_bytes if sighting is not None else 0,
        in_inbox=outbox is not None and outbox.in_inbox,
        results=outbox.results if outbox is not None else (),
    )
