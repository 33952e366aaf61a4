"""What one step of the scheduler changes: the unit that the store makes durable at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from hopper.model.backend import ClusterRecord, ExternalJob
from hopper.model.event import Event
from hopper.model.job import Job
from hopper.model.run import Run
from hopper.model.stored import StoredResult
from hopper.model.worker import WorkerRecord

NO_SETTINGS: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """New values of jobs and workers, and the events that tell of them. One commit, one fsync."""

    jobs: tuple[Job, ...] = ()
    """Whole new values, put in place of those of the same id."""
    workers: tuple[WorkerRecord, ...] = ()
    settings: Mapping[str, object] = field(default_factory=lambda: NO_SETTINGS)
    """Small JSON values by key, such as ``paused``."""
    events: tuple[Event, ...] = ()
    forgotten_jobs: tuple[str, ...] = ()
    """Ids of jobs to be removed from the live file."""
    runs: tuple[Run, ...] = ()
    forgotten_runs: tuple[str, ...] = ()
    clusters: tuple[ClusterRecord, ...] = ()
    externals: tuple[ExternalJob, ...] = ()
    """Jobs of others on clusters, put in place of those of the same id."""
    forgotten_externals: tuple[str, ...] = ()
    stored: tuple[StoredResult, ...] = ()
    """Results that equal tasks may take, put in place of those of the same key."""
    forgotten_results: tuple[str, ...] = ()
    """Keys of those that are of no use any more."""

    def __bool__(self) -> bool:
        return any(
            (
                self.jobs,
                self.workers,
                self.settings,
                self.events,
                self.forgotten_jobs,
                self.runs,
                self.forgotten_runs,
                self.clusters,
                self.externals,
                self.forgotten_externals,
                self.stored,
                self.forgotten_results,
            )
        )


def merged(parts: Iterable[Changes]) -> Changes:
    """Return one Changes that says what all the parts say, later values winning."""
    jobs: dict[str, Job] = {}
    workers: dict[str, WorkerRecord] = {}
    settings: dict[str, object] = {}
    events: list[Event] = []
    forgotten: dict[str, None] = {}
    runs: dict[str, Run] = {}
    forgotten_runs: dict[str, None] = {}
    clusters: dict[str, ClusterRecord] = {}
    externals: dict[str, ExternalJob] = {}
    forgotten_externals: dict[str, None] = {}
    stored: dict[str, StoredResult] = {}
    forgotten_results: dict[str, None] = {}
    for part in parts:
        jobs.update((job.id, job) for job in part.jobs)
        workers.update((worker.name, worker) for worker in part.workers)
        settings.update(part.settings)
        events.extend(part.events)
        forgotten.update(dict.fromkeys(part.forgotten_jobs))
        runs.update((run.id, run) for run in part.runs)
        forgotten_runs.update(dict.fromkeys(part.forgotten_runs))
        clusters.update((record.name, record) for record in part.clusters)
        externals.update((job.id, job) for job in part.externals)
        forgotten_externals.update(dict.fromkeys(part.forgotten_externals))
        stored.update((result.key, result) for result in part.stored)
        forgotten_results.update(dict.fromkeys(part.forgotten_results))
    return Changes(
        jobs=tuple(jobs.values()),
        workers=tuple(workers.values()),
        settings=settings,
        events=tuple(events),
        forgotten_jobs=tuple(forgotten),
        runs=tuple(runs.values()),
        forgotten_runs=tuple(forgotten_runs),
        clusters=tuple(clusters.values()),
        externals=tuple(externals.values()),
        forgotten_externals=tuple(forgotten_externals),
        stored=tuple(stored.values()),
        forgotten_results=tuple(forgotten_results),
    )
