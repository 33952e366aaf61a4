"""A backend: where the jobs of runs are submitted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hopper.model.native import ClusterInfo, NativePhase


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchTarget:
    """What decisions and orders depend on of a batch system."""

    name: str
    kind: str
    host: str
    """Its login node's name in the inventory."""
    work_dir: str = "~/.hopper"
    program: str = ""
    """What must be on PATH there."""
    max_concurrent: int = 100
    array_limit: int = 0
    """Most tasks of one job array; 0 where there are none."""
    arrays: bool = False
    """Equal tasks go as job arrays, where their run does not say otherwise."""
    accounts: bool = False
    """A job that ended is told of by an accounting, which may lag."""
    first_poll: timedelta = timedelta(seconds=1)
    """After a change, look again so soon."""
    users: frozenset[str] = frozenset()
    """Whose jobs from elsewhere are kept an eye on; none for one's own, ``*`` for everybody's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterRecord:
    """What was last seen of a cluster besides our own jobs. Times are aware UTC."""

    name: str
    """The backend's."""
    seen_at: datetime | None = None
    """When all of its jobs were last told of."""
    info: ClusterInfo | None = None
    others_count: int = 0
    """How many of the jobs then were none of hopper's, and of the users asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalJob:
    """A job on a cluster that hopper did not submit. Times are aware UTC."""

    id: str
    """``BACKEND/NATIVE_ID``."""
    backend: str
    native_id: str
    first_seen: datetime
    phase: NativePhase
    word: str = ""
    """Its state in the system's own word, as last seen."""
    name: str = ""
    user: str = ""
    partition: str = ""
    node: str = ""
    cpus: int | None = None
    submitted_at: datetime | None = None
    started_at: datetime | None = None
    last_seen: datetime | None = None
    """Once it is gone, when it was there last; until then, whenever the cluster was seen."""
    gone_at: datetime | None = None
    """When it was found to be gone. How it ended is not known, unless ``phase`` says ended."""
