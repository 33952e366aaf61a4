"""Jobs and machines of a batch system, as its backend reads its answers.

Times are epoch seconds unless a field is a ``datetime``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class NativePhase(StrEnum):
    """Where the batch system says that a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


class Cause(StrEnum):
    """Why an attempt did not complete."""

    FAILED = "failed"
    TIMEOUT = "timeout"
    OOM = "oom"
    NODE_FAIL = "node_fail"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True, slots=True)
class NativeSighting:
    """What the batch system says of one job, by its live view or its accounting."""

    native_id: str
    phase: NativePhase
    name: str = ""
    """The job's name there."""
    user: str = ""
    partition: str = ""
    word: str = ""
    """Its state in the system's own word (``COMPLETING``, ``Eqw``)."""
    reason: str = ""
    """Why it waits or failed, in the system's own words."""
    stuck: bool = False
    """It waits in an error that only a person can clear there."""
    hopeless: bool = False
    """It is stuck by a fault that will not pass, such as a folder that is not there."""
    cause: Cause | None = None
    """Set when it ended and did not complete."""
    exit_code: int | None = None
    """None where the system does not tell: that is no success."""
    succeeded: bool = False
    """True only on positive evidence of a success."""
    submitted_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    cpus: int | None = None
    cpu_seconds: float | None = None
    elapsed_seconds: float | None = None
    peak_memory: int | None = None
    node: str = ""
    working_dir: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterInfo:
    """The machines of a cluster, as far as its commands tell."""

    nodes: int = 0
    nodes_up: int = 0
    cpus: int = 0
    cpus_free: int = 0
    partitions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Followed:
    """An attempt that the batch system is asked about."""

    attempt: str
    native_id: str
    """Empty while it is not known."""
    submitted_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchReading:
    """What the answers to a backend's queries mean."""

    jobs: tuple[NativeSighting, ...] = ()
    """At most one for each native id: the live view's word, with the accounting's figures."""
    queue_seen: bool = False
    """The live view was whole: a job that is not in it has left it."""
    accounting_seen: bool = False
    """The accounting answered: what it holds of the jobs asked for is among ``jobs``."""
    accounting: bool = True
    """False where there is no accounting to wait for (disabled, or none on this system)."""
    others_seen: bool = False
    """All jobs were asked for, and told of: one of others that is not among ``jobs`` is over."""
    trouble: str = ""
    """What went wrong, in the system's own words; empty when nothing did."""
    info: ClusterInfo | None = None
