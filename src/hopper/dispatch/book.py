"""All that a tick knows, held in the order in which decisions need it.

A book is filled from the store once and follows every commit, so that a tick costs what has
changed and not what there is.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping

from hopper.dispatch.changes import Changes
from hopper.dispatch.equal_tasks import result_key
from hopper.dispatch.queues import Queues, Rank
from hopper.dispatch.waiting import Waiting
from hopper.model.attempt import Attempt, Remains
from hopper.model.backend import ClusterRecord, ExternalJob
from hopper.model.job import Job, Origin
from hopper.model.run import Run
from hopper.model.states import JobState
from hopper.model.stored import StoredResult
from hopper.model.worker import WorkerRecord


class Book:
    """The live jobs by what is to be done about them, and what is known of the workers."""

    def __init__(
        self,
        jobs: Iterable[Job] = (),
        records: Iterable[WorkerRecord] = (),
        settings: Mapping[str, object] | None = None,
        runs: Iterable[Run] = (),
        *,
        stored: Mapping[str, StoredResult] | None = None,
        clusters: Mapping[str, ClusterRecord] | None = None,
        externals: Mapping[str, ExternalJob] | None = None,
    ) -> None:
        self.jobs: dict[str, Job] = {}
        self.runs: dict[str, Run] = {run.id: run for run in runs}
        self.stored: Mapping[str, StoredResult] = {} if stored is None else stored
        """Results at home that equal tasks may take, by key. This and the next two are the
        store's own, as they are at any time."""
        self.clusters: Mapping[str, ClusterRecord] = {} if clusters is None else clusters
        """What was last seen of clusters, by backend."""
        self.externals: Mapping[str, ExternalJob] = {} if externals is None else externals
        """The jobs of others on clusters, by id."""
        self.takers: dict[str, str] = {}
        """Jobs that could go now and would take an equal task's result, and its key."""
        self.records: dict[str, WorkerRecord] = {}
        self.settings: dict[str, object] = dict(settings or {})
        self.placed: dict[str, dict[str, Job]] = {}
        """Jobs with an open attempt, by worker and id."""
        self.untidy: dict[str, dict[str, Job]] = {}
        """Jobs of which something ended lies on a worker, by worker and id."""
        self.pending: list[Rank] = []
        """Ranks of the pending jobs for workers that are not held, sorted."""
        self.unaccounted: dict[str, dict[str, Job]] = {}
        """Jobs that ended on a batch system whose accounting has not told of them, by backend."""
        self.queues = Queues()
        self.run_jobs: dict[str, dict[str, None]] = {}
        """Ids of the jobs of each run, in the order in which they came."""
        self._owners: dict[str, str] = {}
        """Ids of jobs, by those of their attempts."""
        self._waiting = Waiting(self.jobs)
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
            self._forget(job_id)
        for record in changes.workers:
            self.records[record.name] = record
        self.runs.update((run.id, run) for run in changes.runs)
        for run_id in changes.forgotten_runs:
            self.runs.pop(run_id, None)
        self.settings.update(changes.settings)

    @property
    def paused(self) -> bool:
        """True while nothing is to be launched."""
        return bool(self.settings.get("paused", False))

    @property
    def paused_backends(self) -> frozenset[str]:
        """The backends that nothing is to be submitted to."""
        named = self.settings.get("paused_backends", ())
        return frozenset(map(str, named)) if isinstance(named, list | tuple) else frozenset()

    @property
    def placed_count(self) -> int:
        """Our own jobs that hold a slot of a worker now."""
        return sum(
            job.origin is not Origin.EXTERNAL and not job.backend
            for jobs in self.placed.values()
            for job in jobs.values()
        )

    @property
    def batch_count(self) -> int:
        """Our own jobs that are on batch systems now."""
        return sum(bool(job.backend) for jobs in self.placed.values() for job in jobs.values())

    def record(self, worker: str) -> WorkerRecord:
        """Return what is known of a worker, which may be nothing yet."""
        return self.records.get(worker) or WorkerRecord(name=worker)

    def doomed(self) -> list[str]:
        """Return the pending jobs that come after one which will not complete, in order of ids."""
        return self._waiting.doomed()

    def find_attempt(self, worker: str, attempt_id: str) -> tuple[Job, Attempt] | None:
        """Return an attempt that has something on a worker, with its job."""
        job_id = self._owners.get(attempt_id, "")
        for jobs in (self.placed.get(worker, {}), self.untidy.get(worker, {})):
            job = jobs.get(job_id)
            attempt = job.find_attempt(attempt_id) if job is not None else None
            if job is not None and attempt is not None:
                return job, attempt
        return None

    def holder(self, worker: str, attempt_id: str) -> str | None:
        """Return the id of the job that has this attempt and holds a slot on that worker."""
        job_id = self._owners.get(attempt_id, "")
        return job_id if job_id in self.placed.get(worker, {}) else None

    def _insert(self, rank: Rank) -> None:
        insort(self.pending, rank)

    def _put(self, job: Job, add: Callable[[Rank], None] | None = None) -> None:
        self.jobs[job.id] = job
        if job.run:
            self.run_jobs.setdefault(job.run, {})[job.id] = None
        if _waits(job):
            if job.spec.after:
                self._waiting.add(job)
            if not job.backend:
                (add or self._insert)(job.rank)
        self._requeue(job.id)
        self._owners.update((attempt.id, job.id) for attempt in job.attempts)
        attempt = job.open_attempt
        if attempt is not None:
            self.placed.setdefault(attempt.worker, {})[job.id] = job
        for worker in untidy_workers(job):
            self.untidy.setdefault(worker, {})[job.id] = job
        if _unaccounted(job):
            self.unaccounted.setdefault(job.backend, {})[job.id] = job

    def _drop(self, job_id: str) -> None:
        job = self.jobs.pop(job_id, None)
        if job is None:
            return
        if _waits(job):
            self._waiting.remove(job)
            if not job.backend:
                self._remove_pending(job.rank)
        self.queues.drop(job_id)
        for each in job.attempts:
            self._owners.pop(each.id, None)
        attempt = job.open_attempt
        if attempt is not None:
            _remove(self.placed, attempt.worker, job_id)
        for worker in untidy_workers(job):
            _remove(self.untidy, worker, job_id)
        if _unaccounted(job):
            _remove(self.unaccounted, job.backend, job_id)

    def _forget(self, job_id: str) -> None:
        job = self.jobs.get(job_id)
        self._drop(job_id)
        self._requeue(job_id)
        if job is not None and job.run in self.run_jobs:
            self.run_jobs[job.run].pop(job_id, None)
            if not self.run_jobs[job.run]:
                del self.run_jobs[job.run]

    def _remove_pending(self, rank: Rank) -> None:
        place = bisect_left(self.pending, rank)
        if place < len(self.pending) and self.pending[place] == rank:
            del self.pending[place]

    def _requeue(self, changed: str) -> None:
        """Let those wait for their turn for which nothing else is to happen first."""
        for job_id in (changed, *self._waiting.changed(changed)):
            job = self.jobs.get(job_id)
            ready = job is not None and _waits(job) and self._waiting.ready(job_id)
            if job is not None and job.backend and ready:
                self.queues.put(job)
            else:
                self.queues.drop(job_id)
            key = result_key(job, self.jobs) if job is not None and ready else ""
            if job is not None and key and not job.no_cache:
                self.takers[job_id] = key
            else:
                self.takers.pop(job_id, None)


def _unaccounted(job: Job) -> bool:
    attempt = job.attempt
    return (
        bool(job.backend)
        and attempt is not None
        and not attempt.open
        and bool(attempt.native_id)
        and attempt.usage is None
    )


def _waits(job: Job) -> bool:
    return job.state is JobState.PENDING and not job.held


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
