"""What is told of a run beside its state: when it may end, and what it would have cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import TYPE_CHECKING

from hopper.dispatch.run_views import Experience, RunView, elapsed_seconds, remaining
from hopper.model.job import Job
from hopper.model.states import JobState
from hopper.pricing import Estimate, Work, estimate, load_prices

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig
    from hopper.store.state import StateStore

HISTORY = 20_000
"""Jobs of the history that estimates are made from at most."""


class Facts:
    """Estimates for runs. What they are made from is read once, when it is first asked for."""

    def __init__(self, config: HopperConfig, store: StateStore) -> None:
        self._config = config
        self._store = store
        self._known: Experience | None = None
        self._most = {backend.name: backend.max_concurrent for backend in config.backends}

    def left(self, view: RunView) -> timedelta | None:
        """Return how long a run may still take; None when it is over or nothing is known."""
        if view.ended_at is not None:
            return None
        if self._known is None:
            old = islice(self._store.history(), HISTORY)
            self._known = Experience(chain(old, self._store.jobs.values()))
        most = self._most.get(view.run.backend, 1)
        if view.run.max_concurrent is not None:
            most = min(most, view.run.max_concurrent)
        return remaining(view, self._known, most=most, now=datetime.now(UTC))

    def cost(self, view: RunView) -> Estimate | None:
        """Return what a run's completed tasks would have cost; None without prices."""
        pricing = self._config.pricing
        if pricing is None:
            return None
        prices = load_prices(pricing, self._config.paths.db, now=datetime.now(UTC))
        work = [
            _work(job) for job in view.jobs if job.state is JobState.COMPLETED and not _taken(job)
        ]
        return estimate(pricing, prices, work)


def _taken(job: Job) -> bool:
    """Return True for a job that took an equal task's result: that has its cost."""
    return job.attempt is not None and job.attempt.taken_from is not None


def _work(job: Job) -> Work:
    attempt, task = job.attempt, job.task
    usage = attempt.usage if attempt is not None else None
    asked = task.resources.cpus if task is not None else 1
    return Work(
        partition=task.resources.partition if task is not None else "",
        cpus=(usage.cpus if usage is not None else None) or asked,
        elapsed_seconds=elapsed_seconds(attempt) if attempt is not None else None,
    )
