"""What each run has of the workers, of which it may have no more than its limit. Pure."""

from __future__ import annotations

from collections import Counter

from hopper.dispatch.book import Book


class Shares:
    """How many tasks each run has on workers, while a tick hands out slots."""

    def __init__(self, book: Book) -> None:
        self._runs = book.runs
        self._there = Counter(
            job.run
            for jobs in book.placed.values()
            for job in jobs.values()
            if job.run and not job.backend
        )

    def there(self, run_id: str) -> int:
        """Return how many tasks of a run are on workers."""
        return self._there[run_id]

    def free(self, run_id: str) -> bool:
        """Return True while the run may have another task there; so may what is of no run."""
        run = self._runs.get(run_id)
        most = run.max_concurrent if run is not None else None
        return most is None or self._there[run_id] < most

    def take(self, run_id: str) -> None:
        """Give the run's next task a slot."""
        self._there[run_id] += 1
