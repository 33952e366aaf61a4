"""What a tick may decide."""

from __future__ import annotations

from dataclasses import dataclass

from hopper.model.job import Job


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """A pending job gets a slot of a worker."""

    job: Job
    worker: str
    slot: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """All that is to be done on one worker in one go. Jobs are named by their ids."""

    worker: str
    launches: tuple[str, ...] = ()
    """Placed before, perhaps in this very tick, and not known to have started."""
    follows: tuple[str, ...] = ()
    cancels: tuple[str, ...] = ()
    discards: tuple[tuple[str, str], ...] = ()
    """Job and attempt."""
    releases: tuple[tuple[str, str], ...] = ()
    cleans: tuple[tuple[str, str], ...] = ()
    bulk: bool = False
    """Transfers that take their time, on the worker's second lane."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchPlacement:
    """A pending job is to be submitted to its backend."""

    job: Job
    backend: str
    mates: tuple[Job, ...] = ()
    """The other members of its job array, in the order of their indices; none for no array."""

    @property
    def jobs(self) -> tuple[Job, ...]:
        """All jobs that are to be submitted so."""
        return (self.job, *self.mates)


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchVisit:
    """All that is to be done on a backend's login node in one go. Jobs are named by their ids."""

    backend: str
    submits: tuple[str, ...] = ()
    """Promised to it, perhaps in this very tick, and not known to have been submitted."""
    follows: tuple[str, ...] = ()
    cancels: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    """Jobs that ended of whose use the accounting is to tell."""
    discards: tuple[tuple[str, str], ...] = ()
    """Job and attempt: given up, to be cancelled there."""
    cleans: tuple[tuple[str, str], ...] = ()
    ask: bool = False
    """The batch system is to be asked where the jobs stand."""
    others: bool = False
    """And about the jobs of others, and its machines."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OutcomeUnknown:
    """A batch system answers and has had no evidence of an attempt for too long."""

    job: Job


@dataclass(frozen=True, kw_only=True, slots=True)
class DependencyFailed:
    """A job that it comes after will not complete."""

    job: Job
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OutOfTime:
    """An attempt has outlived its time limit and its launcher has not ended it."""

    job: Job


@dataclass(frozen=True, kw_only=True, slots=True)
class GivenUp:
    """The clock (``lost_after``) has given up waiting for a worker."""

    job: Job


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultsMissing:
    """An external job's zip has left the Inbox and no result has come."""

    job: Job


@dataclass(frozen=True, kw_only=True, slots=True)
class QuarantineOver:
    """A worker is to be tried again."""

    worker: str


Verdict = DependencyFailed | OutOfTime | GivenUp | ResultsMissing | OutcomeUnknown
"""What is said of one job."""
Decision = Placement | Visit | BatchPlacement | BatchVisit | Verdict | QuarantineOver
