"""What a batch system must be able to say. A new one is a file here and a line in registry.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hopper.model.batch import Query, Said
from hopper.model.native import BatchReading, Followed
from hopper.model.task import BatchResources

__all__ = ["Backend", "BackendSettings", "Followed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class BackendSettings:
    """What of a backend's config its commands and scripts depend on."""

    name: str
    kind: str
    """``slurm``, ``pbs``, ``lsf``, ``gridengine``, ``local`` or one of another package."""
    account: str = ""
    queue: str = ""
    """PBS: goes before the task's own partition."""
    default_partition: str = ""
    """Where a task names none."""
    partitions: Mapping[str, str] | None = None
    """Other names of partitions: what tasks say to what the system knows."""
    login_shell: bool = False
    dialect: str = ""
    """PBS: ``torque`` where resources are asked for as Torque wants them; empty for all else."""


class Backend(Protocol):
    """One kind of batch system. Pure: shell text out, output in. Never raises for odd output."""

    kind: str
    """The word for ``type:`` in the config."""
    template: str
    """The script template's file name in ``roles/batch_submit/templates``."""
    accounts: bool
    """True where a finished job is told of by an accounting, which may lag."""
    array_limit: int
    """Most tasks of one job array; 0 where there are none, as for a backend without this member."""

    def __init__(self, settings: BackendSettings) -> None: ...

    def directives(self, name: str, attempt: str, resources: BatchResources, log: str) -> list[str]:
        """Return the script's directive lines (``#SBATCH --cpus-per-task=2``), safe words only.

        ``name`` is the job's name for people; what the system cannot take of it is replaced.
        The attempt's id is in the job's name or comment. ``log`` is the path without suffix of
        the system's own output, ``LOG.out`` and ``LOG.err``. Never requeued by the system
        where it lets one say so.
        """

    def array_directives(
        self, name: str, group: str, resources: BatchResources, log: str, count: int
    ) -> list[str]:
        """Return the directive lines of a job array of the indices 1 to ``count``.

        As ``directives``, with the array's id in the place of the attempt's. ``log`` is the path
        without suffix of the system's own output, ``LOG.INDEX.out`` and ``LOG.INDEX.err``.
        """

    def member_id(self, native_id: str, index: int) -> str:
        """Return the native id of an array's member, from what ``native_id`` read of the array."""

    def submit_command(self) -> str:
        """Return shell text that submits ``"$hopper_script"`` and prints what has the native id."""

    def native_id(self, said: Said) -> str:
        """Return the native id in the submit command's (or lookup's) words; empty for a refusal."""

    def refusal(self, said: Said) -> str:
        """Return why a submission was refused, one line in the system's words.

        Empty where it is not known to have been refused (a time-out, a controller that is down).
        """

    def lookup_command(self, attempt: str) -> str:
        """Return shell text that prints the native id of an attempt that may be known.

        It prints one id or nothing, and ends with a code other than 0 when it cannot be told.
        """

    def queries(self, jobs: Sequence[Followed], *, now: datetime, others: bool) -> Sequence[Query]:
        """Return what to ask about these jobs, in as few commands as can be.

        ``others``: all jobs of the cluster's users and the machines too.
        """

    def read(self, answers: Mapping[str, Said], jobs: Sequence[Followed]) -> BatchReading:
        """Return what the answers mean. Whatever is garbled is trouble and concludes nothing."""

    def cancel_command(self, native_ids: Sequence[str]) -> str:
        """Return shell text that cancels jobs."""

    def log_variables(self) -> Mapping[str, str]:
        """Return shell words by which a running script tells about itself.

        ``native`` (its native id), ``node`` and ``index`` (its place in a job array), as bash
        expressions such as ``"$SLURM_JOB_ID"``.
        """


class NoArrays:
    """What a backend without job arrays says of them."""

    array_limit = 0

    def array_directives(
        self, name: str, group: str, resources: BatchResources, log: str, count: int
    ) -> list[str]:
        """Return nothing: it is never asked."""
        del name, group, resources, log, count
        return []

    def member_id(self, native_id: str, index: int) -> str:
        """Return the id as it is."""
        del index
        return native_id
