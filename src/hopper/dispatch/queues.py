"""The jobs that could go to a batch system now, by backend and run, in the order of their ranks."""

from __future__ import annotations

from bisect import bisect_left, insort
from datetime import datetime

from hopper.model.job import Job

Rank = tuple[int, datetime, str]


class Queues:
    """Pending jobs for backends that are not held and wait for no other job."""

    def __init__(self) -> None:
        self._queues: dict[str, dict[str, list[Rank]]] = {}
        self._queued: dict[str, tuple[str, str, Rank]] = {}

    def put(self, job: Job) -> None:
        """Have the job wait for its turn."""
        if job.id in self._queued:
            self.drop(job.id)
        insort(self._queues.setdefault(job.backend, {}).setdefault(job.run, []), job.rank)
        self._queued[job.id] = (job.backend, job.run, job.rank)

    def drop(self, job_id: str) -> None:
        """It waits no longer, or never did."""
        known = self._queued.pop(job_id, None)
        if known is None:
            return
        backend, run, rank = known
        ranks = self._queues[backend][run]
        del ranks[bisect_left(ranks, rank)]
        if not ranks:
            del self._queues[backend][run]
            if not self._queues[backend]:
                del self._queues[backend]

    def backends(self) -> list[str]:
        """Return the backends that some job waits for."""
        return list(self._queues)

    def runs(self, backend: str) -> dict[str, list[Rank]]:
        """Return the ranks of those that wait for a backend, by run (empty for none); sorted."""
        return self._queues.get(backend, {})

    def __len__(self) -> int:
        return len(self._queued)
