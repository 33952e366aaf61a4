"""What a job asks of the worker that takes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirements:
    """What a worker must have, and how long the job may hold it."""

    tags: frozenset[str] = frozenset()
    """Tags that the worker must all have."""
    gpus: int = 0
    """GPUs that the worker's slot must have."""
    time_limit: timedelta | None = None
    """How long an attempt may run; None for no limit of the job's own."""
    cpus: int | None = None
    """Of a batch system; None for 1."""
    memory: int | None = None
    """Bytes, of a batch system; None leaves it to the system."""
    partition: str = ""
    """Partition or queue of a batch system; empty for the backend's default."""
