"""A task: what one job of a run is to do on a batch system, or on a worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType

INPUTS, WORK = "inputs", "work"
"""Folders in the zip of a task for a worker: files to be copied, and where it runs."""
NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchResources:
    """What a task asks of a batch system."""

    cpus: int = 1
    memory: int | None = 4 * 1024**3
    """Bytes for all of it; None leaves it to the system."""
    time_limit: timedelta | None = timedelta(hours=1)
    """None leaves it to the system."""
    partition: str = ""
    """Partition or queue; empty for the backend's default."""
    gpus: int = 0
    gres: str = ""
    """Generic resources in the words of Slurm, ``gpu:a100:2``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryRule:
    """Which causes of a failure are tried again, and with how much more."""

    on: frozenset[str] = frozenset()
    """Causes: ``oom``, ``timeout``, ``node_fail``, ``failed``; empty for every one."""
    memory: float = 1.0
    """What the memory is multiplied by after an ``oom``."""
    time: float = 1.0
    """What the time limit is multiplied by after a ``timeout``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """The definition of one job of a run, after all that its JSON left open was filled in."""

    id: str
    """Unique in its run; dots make groups."""
    command: str
    """One or more lines of bash."""
    working_dir: str = "~"
    """On the backend; a leading ``~`` is expanded there."""
    resources: BatchResources = field(default_factory=BatchResources)
    environment: str = ""
    """The name of the environment of the config that it ran with, as it was asked for."""
    variables: Mapping[str, str] = field(default_factory=lambda: NO_VARIABLES)
    """All environment variables, in the order in which they are set: automatic, then of the
    environment, then its own."""
    init: str = ""
    """Lines of bash before the command: the backend's and the environment's."""
    output_file: str = ""
    """Where its standard output goes on the backend; empty for a file of hopper's."""
    error_file: str = ""
    generates_source: str = ""
    """A JSON file that it writes, with tasks to be added to the run."""
    inputs: tuple[str, ...] = ()
    """Files at home that are put into the working folder before it starts: ``path`` or
    ``path:name``."""
    outputs: tuple[str, ...] = ()
    """Globs below the working folder that come home when it has ended."""
    retry: RetryRule = field(default_factory=RetryRule)
    cache: bool = False
    """An earlier result of the same task may be taken for its own."""
    cache_key: str = ""
    """SHA-256 of all that its own definition says its result depends on; empty without
    ``cache``."""
    input_sums: tuple[str, ...] = ()
    """With ``cache_key``: SHA-256 of its inputs, in their order, as they went into the key."""

    @property
    def input_pairs(self) -> tuple[tuple[str, str], ...]:
        """The files at home that go along, and the names that they get."""
        pairs = (entry.rpartition(":") for entry in self.inputs)
        return tuple((path, name) for path, _, name in pairs)

    @property
    def own_folder(self) -> bool:
        """True where a worker runs it in its unpacked zip, not in a folder of the worker's."""
        return not self.working_dir.startswith(("/", "~"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What an attempt used, by the batch system's accounting. None where it does not tell."""

    cpu_seconds: float | None = None
    """User and system time of all its processes."""
    elapsed_seconds: float | None = None
    cpus: int | None = None
    """CPUs that it held."""
    peak_memory: int | None = None
    """Bytes."""
    node: str = ""

    @property
    def cpu_efficiency(self) -> float | None:
        """Share of the CPU time it held that it used, 0 to 1 (a little more by rounding)."""
        held = (self.elapsed_seconds or 0.0) * (self.cpus or 0)
        return None if self.cpu_seconds is None or not held else self.cpu_seconds / held

    @property
    def cpu_hours(self) -> float | None:
        """CPU hours that it held."""
        if self.elapsed_seconds is None or self.cpus is None:
            return None
        return self.elapsed_seconds * self.cpus / 3600
