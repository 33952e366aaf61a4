"""What of ended attempts waits to be tidied away on workers, and what was tried in vain."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from hopper.dispatch.book import Book
from hopper.dispatch.visits import to_tidy
from hopper.model.orders import Order


class Tidying:
    """Remembers what was to be tidied away and is still there."""

    def __init__(self) -> None:
        self._tried: set[str] = set()

    @property
    def tried(self) -> frozenset[str]:
        """Attempts that were to be tidied away and are still there."""
        return frozenset(self._tried)

    def note(self, order: Order, book: Book, now: datetime) -> None:
        """See what has come of an order, after its report was taken in."""
        targets = {item.attempt for item in (*order.discards, *order.cleans)}
        for attempt_id in targets | {item.attempt for item in order.releases}:
            found = book.find_attempt(order.host, attempt_id)
            if found is not None and to_tidy(found[1], now):
                self._tried.add(attempt_id)
            else:
                self._tried.discard(attempt_id)

    def left(self, book: Book, workers: Collection[str], now: datetime) -> bool:
        """True while something at a worker that answers waits to be tidied, not tried in vain."""
        return any(
            attempt.worker == worker and attempt.id not in self._tried and to_tidy(attempt, now)
            for worker, jobs in book.untidy.items()
            if worker in workers and book.record(worker).no_contact_since is None
            for job in jobs.values()
            for attempt in job.attempts
        )
