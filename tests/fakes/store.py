"""A store in memory."""

from __future__ import annotations

from dataclasses import replace

from hopper.dispatch.changes import Changes
from hopper.errors import HopperError
from hopper.model.backend import ClusterRecord, ExternalJob
from hopper.model.event import Event
from hopper.model.job import Job
from hopper.model.run import Run
from hopper.model.stored import StoredResult
from hopper.model.worker import WorkerRecord


class FakeStore:
    """Keeps values as they are. ``full`` refuses all commits, as a full disk does."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.workers: dict[str, WorkerRecord] = {}
        self.runs: dict[str, Run] = {}
        self.clusters: dict[str, ClusterRecord] = {}
        self.externals: dict[str, ExternalJob] = {}
        self.stored: dict[str, StoredResult] = {}
        self.settings: dict[str, object] = {}
        self.told: list[Event] = []
        self.commits = 0
        self.full = False

    def commit(self, changes: Changes) -> None:
        if self.full:
            raise HopperError("the disk is full")
        self.commits += 1
        self.jobs.update((job.id, job) for job in changes.jobs)
        for job_id in changes.forgotten_jobs:
            self.jobs.pop(job_id, None)
        self.workers.update((record.name, record) for record in changes.workers)
        self.runs.update((run.id, run) for run in changes.runs)
        for run_id in changes.forgotten_runs:
            self.runs.pop(run_id, None)
        self.clusters.update((record.name, record) for record in changes.clusters)
        self.externals.update((job.id, job) for job in changes.externals)
        for key in changes.forgotten_externals:
            self.externals.pop(key, None)
        self.stored.update((result.key, result) for result in changes.stored)
        for key in changes.forgotten_results:
            self.stored.pop(key, None)
        self.settings.update(changes.settings)
        for event in changes.events:
            self.told.append(replace(event, seq=len(self.told) + 1))

    def events(self) -> list[Event]:
        return list(self.told)
