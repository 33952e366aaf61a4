"""What the scheduler needs of the outside: a few small ports, each with one adapter.

Adapters: ``Store`` is ``store.state.StateStore``, ``Fleet`` ``ansible.sweep.SweepFleet``,
``Home`` ``home.files_at_home.FilesAtHome``, ``Roster`` ``ansible.inventory``'s, ``Mailbox``
``store.mailbox.Mailbox``. The fakes are in ``tests/fakes``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from hopper.dispatch.changes import Changes
from hopper.errors import HopperError
from hopper.model.attempt import ResultFile
from hopper.model.backend import ClusterRecord, ExternalJob
from hopper.model.event import Event
from hopper.model.job import Job, JobSpec
from hopper.model.orders import Collected, Order, Report
from hopper.model.run import Run
from hopper.model.stored import StoredResult
from hopper.model.worker import Worker, WorkerRecord


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """Return the aware UTC time."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""


class Store(Protocol):
    """Where jobs, workers and events are kept."""

    @property
    def jobs(self) -> Mapping[str, Job]:
        """The live jobs by id."""

    @property
    def workers(self) -> Mapping[str, WorkerRecord]:
        """What is remembered of workers, by name."""

    @property
    def runs(self) -> Mapping[str, Run]:
        """The live runs by id."""

    @property
    def clusters(self) -> Mapping[str, ClusterRecord]:
        """What was last seen of clusters by backend, as it is at any time."""

    @property
    def externals(self) -> Mapping[str, ExternalJob]:
        """The jobs of others on clusters by id, as they are at any time."""

    @property
    def stored(self) -> Mapping[str, StoredResult]:
        """The results that equal tasks may take, by key, as they are at any time."""

    @property
    def settings(self) -> Mapping[str, object]:
        """Small values by key."""

    def commit(self, changes: Changes) -> None:
        """Make the changes durable before returning, all or none."""


class Upkeeping(Protocol):
    """What is due of a store's upkeep, done in idle moments."""

    def __call__(self, now: datetime, /) -> Collection[str]:
        """Do it and return the problems met."""


class Fleet(Protocol):
    """The workers: each order is answered by one report, at some time."""

    def send(self, orders: Sequence[Order]) -> None:
        """Have the orders carried out; returns at once."""

    def receive(self) -> list[Report]:
        """Return the reports that have come in since the last call."""

    def close(self, patience: float) -> None:
        """End; what the workers have been told to run goes on running."""


class NoFleet:
    """For commands that only change the state: no worker is talked to."""

    def send(self, orders: Sequence[Order]) -> None:
        """Refuse."""
        raise HopperError(f"no worker is talked to here ({len(orders)} orders)")

    def receive(self) -> list[Report]:
        """Return nothing."""
        return []

    def close(self, patience: float) -> None:
        """Do nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """A zip that was found in the queue folder or handed in, looked into and fit to be sent."""

    job_id: str
    spec: JobSpec
    zip_name: str
    source_name: str
    size: int
    sha256: str
    unpacked_size: int
    backend: str = ""
    """The backend that it is for; empty for the workers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A zip that is not fit to be sent; it lies in the failed folder, its reason beside it."""

    job_id: str
    name: str
    zip_name: str
    reason: str


class ZipGone(HopperError):
    """A job's zip is in none of the folders at home."""


class Home(Protocol):
    """The files at home."""

    def arrivals(self, known: Collection[str]) -> Sequence[Arrival | Refusal]:
        """Return the zips that have settled in the queue folder, under their jobs' names.

        ``known`` holds the ids of all jobs: their zips in the queue are no arrivals.
        """

    def arriving(self) -> float | None:
        """Return the seconds until a zip may have settled; None when none is awaited."""

    def accept(self, job_id: str) -> None:
        """Make a handed-in zip (``.ID.zip`` in the queue) visible under its job's name."""

    def place(self, job: Job) -> None:
        """Bring a job's zip to the folder that its state says. ZipGone, or another HopperError."""

    def path(self, job: Job) -> Path:
        """Return where a job's zip lies when it is in its place."""

    def incoming(self) -> Path:
        """Return the folder through which results come in."""

    def land(self, job: Job, files: Sequence[Collected]) -> tuple[ResultFile, ...]:
        """Give verified results of the newest attempt their names at home; may be repeated."""

    def write_reason(self, job: Job) -> None:
        """Write why a job failed beside its zip."""

    def free_bytes(self) -> int:
        """Return the free space where results come home to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadyZip:
    """A zip at home that is to be launched. Sizes in bytes."""

    path: Path
    size: int
    sha256: str
    unpacked_size: int


class TaskZips(Protocol):
    """Makes zips of tasks for the workers. They can be made anew at any time."""

    def zip_of(self, job: Job, run: Run | None) -> ReadyZip | None:
        """Return the zip of a job's open attempt; None while it is being made.

        HopperError where it cannot be made.
        """

    def drop(self, job: Job) -> None:
        """Remove the zips of a job; never raises."""


class NoTaskZips:
    """For those that launch nothing."""

    def zip_of(self, job: Job, run: Run | None) -> ReadyZip | None:
        """Refuse."""
        raise HopperError(f"{job.id} of {run} cannot be packed here")

    def drop(self, job: Job) -> None:
        """Do nothing."""


class Roster(Protocol):
    """The inventory's workers."""

    def workers(self) -> Mapping[str, Worker]:
        """Return the workers as last read, in the inventory's order; reads anew when due."""


class NoRoster:
    """Knows no worker."""

    def workers(self) -> Mapping[str, Worker]:
        """Return nothing."""
        return {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """A command from another process."""

    id: str
    body: Mapping[str, object]


class Mailbox(Protocol):
    """Commands from other processes."""

    def take(self) -> Sequence[Letter]:
        """Return the commands that wait for an answer, in the order of their arrival."""

    def answer(self, letter: Letter, body: Mapping[str, object]) -> None:
        """Answer a command, which takes it out of the box."""


class Log(Protocol):
    """Where events are told to people as they happen."""

    def write(self, events: Sequence[Event]) -> None:
        """Write them; never raises."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderSettings:
    """What of the config goes into every order."""

    command: str
    """The launch template, rendered into shell."""
    task_command: str = ""
    """What launches the zip of a task, which always holds a run_job.sh; empty for ``command``."""
    unpack_dirname: str = "job"
    transfer_mode: str = "scp"
    inline_limit: int = 1_000_000
    bulk_limit: int = 64_000_000
    deadline: timedelta = timedelta(seconds=120)
    home_low: int = 1_000_000_000
    """Bytes free at home below which no results are brought home."""
