"""All that a tick knows, held in the order in which decisions need it.

A book is filled from the store once and follows every commit, so that a tick costs what has
changed and not what there is.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from hopper.dispatch.changes import Changes
from hopper.dispatch.dependencies import Readiness, readiness
from hopper.model.attempt import Attempt, Remains
from hopper.model.job import Job, Origin
from hopper.model.states import JobState
from hopper.model.worker import WorkerRecord

Rank = tuple[int, datetime, str]
_NOBODY: frozenset[str] = frozenset()


class Book:
    """The live jobs by what is to be done about them, and what is known of the workers."""

    def __init__(
        self,
        jobs: Iterable[Job] = (),
        records: Iterable[WorkerRecord] = (),
        settings: Mapping[str, object] | None = None,
    ) -> None:
        self.jobs: dict[str, Job] = {}
        self.records: dict[str, WorkerRecord] = {}
        self.settings: dict[str, object] = dict(settings or {})
        self.placed: dict[str, dict[str, Job]] = {}
        """Jobs with an open attempt, by worker and id."""
        self.untidy: dict[str, dict[str, Job]] = {}
        """Jobs of which something ended lies on a worker, by worker and id."""
        self.pending: list[Rank] = []
        """Ranks of the pending jobs that are not held, sorted."""
        self._dependents: dict[str, set[str]] = {}
        """Pending jobs that come after others, by each of those."""
        self._doomed: set[str] = set()
        self._to_judge: set[str] = set()
        for job in jobs:
            self._put(job, add=self.pending.append)
        self.pending.sort()
        for record in records:
            self.records[record.name] = record

    def apply(self, changes: Changes) -> None:
        """Follow a commit."""
        for job in changes.jobs:
            self._drop(job.id)
            self._put(job)
        for job_id in changes.forgotten_jobs:
            self._drop(job_id)
        for record in changes.workers:
            self.records[record.name] = record
        self.settings.update(changes.settings)

    @property
    def paused(self) -> bool:
        """True while nothing is to be launched."""
        return bool(self.settings.get("paused", False))

    @property
    def placed_count(self) -> int:
        """Our own jobs that hold a slot of a worker now."""
        return sum(
            job.origin is Origin.ZIP for jobs in self.placed.values() for job in jobs.values()
        )

    def record(self, worker: str) -> WorkerRecord:
        """Return what is known of a worker, which may be nothing yet."""
        return self.records.get(worker) or WorkerRecord(name=worker)

    def doomed(self) -> list[str]:
        """Return the pending jobs that come after one which will not complete, in order of ids."""
        for job_id in self._to_judge:
            job = self.jobs.get(job_id)
            self._doomed.discard(job_id)
            if job is not None and _is_doomed(job, self.jobs):
                self._doomed.add(job_id)
        self._to_judge.clear()
        return sorted(self._doomed)

    def find_attempt(self, worker: str, attempt_id: str) -> tuple[Job, Attempt] | None:
        """Return an attempt that has something on a worker, with its job."""
        for jobs in (self.placed.get(worker, {}), self.untidy.get(worker, {})):
            for job in jobs.values():
                attempt = job.find_attempt(attempt_id)
                if attempt is not None:
                    return job, attempt
        return None

    def _insert(self, rank: Rank) -> None:
        insort(self.pending, rank)

    def _put(self, job: Job, add: Callable[[Rank], None] | None = None) -> None:
        self.jobs[job.id] = job
        if job.state is JobState.PENDING and not job.held:
            (add or self._insert)(job.rank)
        self._to_judge |= self._dependents.get(job.id, _NOBODY)
        if _depends(job):
            self._to_judge.add(job.id)
            for other in job.spec.after:
                self._dependents.setdefault(other, set()).add(job.id)
        attempt = job.open_attempt
        if attempt is not None:
            self.placed.setdefault(attempt.worker, {})[job.id] = job
        for worker in untidy_workers(job):
            self.untidy.setdefault(worker, {})[job.id] = job

    def _drop(self, job_id: str) -> None:
        job = self.jobs.pop(job_id, None)
        if job is None:
            return
        self._to_judge |= self._dependents.get(job_id, _NOBODY)
        if _depends(job):
            self._to_judge.add(job_id)
            for other in job.spec.after:
                self._forget_dependent(other, job_id)
        if job.state is JobState.PENDING and not job.held:
            place = bisect_left(self.pending, job.rank)
            if place < len(self.pending) and self.pending[place] == job.rank:
                del self.pending[place]
        attempt = job.open_attempt
        if attempt is not None:
            _remove(self.placed, attempt.worker, job_id)
        for worker in untidy_workers(job):
            _remove(self.untidy, worker, job_id)

    def _forget_dependent(self, other: str, job_id: str) -> None:
        dependents = self._dependents.get(other)
        if dependents is not None:
            dependents.discard(job_id)
            if not dependents:
                del self._dependents[other]


def _depends(job: Job) -> bool:
    return bool(job.spec.after) and job.state is JobState.PENDING and not job.held


def _is_doomed(job: Job, jobs: Mapping[str, Job]) -> bool:
    return _depends(job) and readiness(job, jobs)[0] is Readiness.FAILED


def untidy_workers(job: Job) -> set[str]:
    """Return the workers on which something ended of the job lies."""
    return {
        attempt.worker
        for attempt in job.attempts
        if not attempt.open and attempt.remains is not Remains.GONE
    }


def _remove(index: dict[str, dict[str, Job]], worker: str, job_id: str) -> None:
    jobs = index.get(worker)
    if jobs is not None:
        jobs.pop(job_id, None)
        if not jobs:
            del index[worker]
