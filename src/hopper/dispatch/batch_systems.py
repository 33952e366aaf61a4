"""What the scheduler needs of the batch systems; the adapter is ``backends.systems``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from hopper.errors import HopperError
from hopper.model.attempt import Attempt
from hopper.model.backend import BatchTarget
from hopper.model.batch import BatchOrder, BatchReport, Query, Said, Submission
from hopper.model.job import Job
from hopper.model.native import BatchReading, Followed
from hopper.model.run import Run


class Clusters(Protocol):
    """The login nodes: each order is answered by one report, at some time."""

    def send(self, orders: Sequence[BatchOrder]) -> None:
        """Have the orders carried out; returns at once."""

    def receive_batch(self) -> list[BatchReport]:
        """Return the reports that have come in since the last call."""


class NoClusters:
    """There is no login node: nothing is ever sent."""

    def send(self, orders: Sequence[BatchOrder]) -> None:
        """Refuse."""
        raise HopperError(f"no batch system is talked to here ({len(orders)} orders)")

    def receive_batch(self) -> list[BatchReport]:
        """Return nothing."""
        return []


class BatchSystems(Protocol):
    """What the batch systems are asked, and what their answers mean. Does nothing itself."""

    def targets(self) -> Mapping[str, BatchTarget]:
        """Return the batch systems of the config, by backend."""

    def submission(self, job: Job, attempt: Attempt, run: Run | None) -> Submission:
        """Return what hands an attempt in. HopperError where it cannot be written."""

    def array_submission(
        self, members: Sequence[tuple[Attempt, Submission]], job: Job, run: Run | None
    ) -> Submission:
        """Return what hands a job array in, of which ``job`` is one member.

        HopperError where it cannot be written.
        """

    def member_id(self, backend: str, native_id: str, index: int) -> str:
        """Return the native id of an array's member from that of the array."""

    def queries(
        self, backend: str, jobs: Sequence[Followed], *, now: datetime, others: bool
    ) -> Sequence[Query]:
        """Return what to ask about these jobs; ``others``: and about all else."""

    def read(
        self, backend: str, answers: Mapping[str, Said], jobs: Sequence[Followed]
    ) -> BatchReading:
        """Return what the answers mean."""

    def native_id(self, backend: str, said: Said) -> str:
        """Return the native id in what was said to a submission; empty for none."""

    def refusal(self, backend: str, said: Said) -> str:
        """Return why a submission was refused; empty where it is not known to have been."""

    def limit_reached(self, said: Said) -> str:
        """Return why no more jobs are taken for now; empty where that is not what was said."""

    def lookup_command(self, backend: str, attempt: str) -> str:
        """Return shell text that prints the native id of an attempt that may be known."""

    def cancel_command(self, backend: str, native_ids: Sequence[str]) -> str:
        """Return shell text that cancels jobs; empty where they are process groups of ours."""
