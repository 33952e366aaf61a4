"""Why a job waits, where it is, or why it failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Protocol

from hopper.bootstrap import inventory
from hopper.bootstrap.backends import systems
from hopper.bootstrap.settings import policy_settings
from hopper.bootstrap.state import dispatching
from hopper.config.model import HopperConfig
from hopper.dispatch.book import Book
from hopper.dispatch.explain import Situation
from hopper.errors import HopperError
from hopper.model.job import Job
from hopper.model.run import Run
from hopper.model.states import JobState
from hopper.model.worker import WorkerRecord
from hopper.operations.whereabouts import last_lines, log_at_home

LOG_LINES = 10


class Known(Protocol):
    """What an explanation needs of the state."""

    @property
    def jobs(self) -> Mapping[str, Job]:
        """Live jobs by id."""

    @property
    def workers(self) -> Mapping[str, WorkerRecord]:
        """What is remembered of workers, by name."""

    @property
    def settings(self) -> Mapping[str, object]:
        """What people have set."""

    @property
    def runs(self) -> Mapping[str, Run]:
        """Live runs by id."""


def situation(config: HopperConfig, store: Known, jobs: Iterable[Job] | None = None) -> Situation:
    """Return all that an explanation goes by, as it is now.

    ``jobs`` are those that have not ended, and those that the one to explain comes after; all
    live ones if they are not given.
    """
    error = ""
    workers = {}
    try:
        workers = dict(inventory.read_inventory(config).workers)
    except HopperError as refusal:
        error = str(refusal)
    return Situation(
        book=Book(
            store.jobs.values() if jobs is None else jobs,
            store.workers.values(),
            store.settings,
            store.runs.values(),
        ),
        workers=workers,
        settings=policy_settings(config),
        now=datetime.now(UTC),
        dispatching=dispatching(config) is not None,
        inventory_error=error,
        targets=systems(config).targets(),
    )


def log_end(config: HopperConfig, job: Job) -> list[str]:
    """Return the last lines of the log of a job that has failed."""
    if job.state is not JobState.FAILED or job.attempt is None:
        return []
    path = log_at_home(config, job, job.attempt)
    return last_lines(path, LOG_LINES) if path is not None else []
