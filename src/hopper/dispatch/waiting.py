"""Which pending jobs wait for others, kept up with every change: no tick goes through them all."""

from __future__ import annotations

from collections.abc import Mapping

from hopper.model.job import Job
from hopper.model.states import JobState


class Waiting:
    """The pending jobs that come after others, and what of those is still to happen."""

    def __init__(self, jobs: Mapping[str, Job]) -> None:
        self._jobs = jobs
        self._dependents: dict[str, set[str]] = {}
        """Pending jobs that come after others, by each of those."""
        self._outstanding: dict[str, set[str]] = {}
        """What each of them waits for."""
        self._broken: dict[str, set[str]] = {}
        """What will not complete, by those that come after it."""

    def add(self, job: Job) -> None:
        """A job is pending that comes after others."""
        for other in job.spec.after:
            self._dependents.setdefault(other, set()).add(job.id)
            self._judge(job.id, other)

    def remove(self, job: Job) -> None:
        """It is not pending any more, or gone."""
        for other in job.spec.after:
            dependents = self._dependents.get(other)
            if dependents is not None:
                dependents.discard(job.id)
                if not dependents:
                    del self._dependents[other]
        self._outstanding.pop(job.id, None)
        self._broken.pop(job.id, None)

    def changed(self, other: str) -> list[str]:
        """A job has changed, come or gone; return those that wait for it."""
        dependents = list(self._dependents.get(other, ()))
        for job_id in dependents:
            self._judge(job_id, other)
        return dependents

    def ready(self, job_id: str) -> bool:
        """True when nothing holds the job up."""
        return job_id not in self._outstanding and job_id not in self._broken

    def doomed(self) -> list[str]:
        """Return those that come after a job which will not complete, in order of ids."""
        return sorted(self._broken)

    def _judge(self, job_id: str, other_id: str) -> None:
        other = self._jobs.get(other_id)
        broken = other is None or (other.state.terminal and other.state is not JobState.COMPLETED)
        done = other is not None and other.state is JobState.COMPLETED
        _mark(self._broken, job_id, other_id, wanted=broken)
        _mark(self._outstanding, job_id, other_id, wanted=not done and not broken)


def _mark(table: dict[str, set[str]], job_id: str, other_id: str, *, wanted: bool) -> None:
    if wanted:
        table.setdefault(job_id, set()).add(other_id)
    elif job_id in table:
        table[job_id].discard(other_id)
        if not table[job_id]:
            del table[job_id]
