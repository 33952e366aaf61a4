"""Which jobs go to the batch systems now. A part of the policy: pure.

A backend takes at most ``max_concurrent`` jobs, and of one run at most that run's own. What is
free is shared out fairly: the next place goes to the run that has the fewest jobs there.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime

from hopper.dispatch.arrays import placements
from hopper.dispatch.book import Book
from hopper.dispatch.decisions import BatchPlacement
from hopper.dispatch.queues import Rank
from hopper.dispatch.snapshot import Snapshot
from hopper.dispatch.visits import reachable
from hopper.model.job import Job

AT_ONCE = 500
"""Jobs that one order submits at most."""


def submissions(snapshot: Snapshot, now: datetime) -> Iterator[BatchPlacement]:
    """Yield the jobs that are to be submitted now."""
    book = snapshot.book
    if book.paused:
        return
    for backend in book.queues.backends():
        target = snapshot.targets.get(backend)
        if (
            target is None
            or backend in snapshot.batch_busy
            or backend in book.paused_backends
            or not reachable(book.record(backend), now)
        ):
            continue
        placed = book.placed.get(backend, {})
        most = min(target.max_concurrent, snapshot.batch_limits.get(backend, target.max_concurrent))
        free = min(most - len(placed), AT_ONCE)
        chosen = _share(book, backend, now, free, snapshot.set_aside)
        yield from placements(chosen, target, book.runs)


def _share(
    book: Book, backend: str, now: datetime, free: int, set_aside: Collection[str]
) -> Iterator[Job]:
    active = Counter(job.run for job in book.placed.get(backend, {}).values())
    heap: list[tuple[int, Rank, str, Iterator[Rank]]] = []
    for run, ranks in book.queues.runs(backend).items():
        fit = (rank for rank in ranks if rank[2] not in set_aside)
        _offer(heap, book, now, active[run], run, fit)
    for _ in range(free):
        if not heap:
            return
        count, rank, run, rest = heapq.heappop(heap)
        yield book.jobs[rank[2]]
        _offer(heap, book, now, count + 1, run, rest)


def _offer(
    heap: list[tuple[int, Rank, str, Iterator[Rank]]],
    book: Book,
    now: datetime,
    active: int,
    run: str,
    ranks: Iterator[Rank],
) -> None:
    """Put a run's next job up, unless the run has all that it may have."""
    known = book.runs.get(run)
    # Jobs of no run are each their own.
    if known is not None and known.max_concurrent is not None and active >= known.max_concurrent:
        return
    for rank in ranks:
        job = book.jobs[rank[2]]
        if job.not_before is None or now >= job.not_before:
            heapq.heappush(heap, (active, rank, run, ranks))
            return
