"""A job: one unit of work that hopper tracks, whatever it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from hopper.model.attempt import Attempt
from hopper.model.resources import Requirements
from hopper.model.states import JobState, check_move
from hopper.model.task import Task

NO_ENV: Mapping[str, str] = MappingProxyType({})


class Origin(StrEnum):
    """Where a job came from."""

    ZIP = "zip"
    """A zip in the queue folder, dropped or submitted."""
    EXTERNAL = "external"
    """A zip that somebody else put into a worker's Inbox, or that jobhopper had launched."""
    RUN = "run"
    """A task of a run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobSpec:
    """What the person who submits a job says about it (``hopper-job.yaml`` and options)."""

    name: str
    priority: int = 0
    """Higher goes first."""
    requirements: Requirements = field(default_factory=Requirements)
    retries: int = 0
    """How often a failed attempt is followed by another."""
    env: Mapping[str, str] = field(default_factory=lambda: NO_ENV)
    results: tuple[str, ...] = ()
    """Globs below the unpack folder that are packed when the script packs nothing."""
    after: tuple[str, ...] = ()
    """Ids of jobs that must have completed before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One unit of work, with all its attempts. Times are aware UTC."""

    id: str
    spec: JobSpec
    state: JobState
    submitted_at: datetime
    origin: Origin = Origin.ZIP
    zip_name: str = ""
    """The zip's file name at home; its folder follows from the state."""
    source_name: str = ""
    """The name that the zip was dropped under."""
    zip_size: int = 0
    zip_sha256: str = ""
    unpacked_size: int = 0
    """Bytes that it needs on a worker once unpacked."""
    backend: str = ""
    """The backend that it is for; empty for the workers."""
    run: str = ""
    """The run that it belongs to; empty for a job of its own."""
    task: Task | None = None
    """What it is to do on a backend."""
    remote_name: str = ""
    """The zip's name on the worker without ``.zip``: the id, save for external jobs."""
    held: bool = False
    """A person wants it to wait."""
    cancel_requested: bool = False
    not_before: datetime | None = None
    """End of the back-off after a failed attempt."""
    state_since: datetime | None = None
    reason: str = ""
    """Why it is in this state, for a person."""
    attempts: tuple[Attempt, ...] = ()
    failures: int = 0
    """Attempts since the last requeue that count against ``spec.retries``."""
    refusals: int = 0
    """Launches in a row that a worker refused; they cost no retry."""
    refused_by: str = ""
    """The worker that refused last; others are tried first."""
    user: str = ""
    """Who handed it in; empty where that is not known."""
    no_cache: bool = False
    """It is to be run, whatever result of an equal task is at home."""

    @property
    def name(self) -> str:
        """The job's name."""
        return self.spec.name

    @property
    def attempt(self) -> Attempt | None:
        """The newest attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def open_attempt(self) -> Attempt | None:
        """The attempt that holds a slot now."""
        newest = self.attempt
        return newest if newest is not None and newest.open and self.state.on_worker else None

    @property
    def rank(self) -> tuple[int, datetime, str]:
        """What jobs are ordered by: priority, then age."""
        return (-self.spec.priority, self.submitted_at, self.id)

    def find_attempt(self, attempt_id: str) -> Attempt | None:
        """Return the attempt of that id, or None."""
        return next((a for a in self.attempts if a.id == attempt_id), None)

    def moved(self, state: JobState, *, at: datetime, reason: str = "") -> Job:
        """Return the job in another state; IllegalMove unless the table allows it."""
        check_move(self.id, self.state, state)
        return replace(self, state=state, state_since=at, reason=reason)

    def with_attempt(self, attempt: Attempt) -> Job:
        """Return the job with that attempt in place of the one of the same id, or added."""
        if self.find_attempt(attempt.id) is None:
            return replace(self, attempts=(*self.attempts, attempt))
        return replace(
            self,
            attempts=tuple(attempt if a.id == attempt.id else a for a in self.attempts),
        )
