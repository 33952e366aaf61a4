"""A backend: where the jobs of runs are submitted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hopper.model.batch import ClusterInfo, NativeSighting


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
    accounts: bool = False
    """A job that ended is told of by an accounting, which may lag."""
    first_poll: timedelta = timedelta(seconds=1)
    """After a change, look again so soon."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterRecord:
    """What was last seen of a cluster besides our own jobs. Times are aware UTC."""

    name: str
    """The backend's."""
    seen_at: datetime | None = None
    info: ClusterInfo | None = None
    others: tuple[NativeSighting, ...] = ()
    """Jobs that hopper did not submit, as far as the batch system shows them."""
    clone_bytes: int | None = None
    """What the clones take on its disk."""
