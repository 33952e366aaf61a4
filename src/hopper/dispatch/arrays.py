"""Which jobs that are submitted together make job arrays. A part of the policy: pure.

The members of an array ask the batch system for the same and belong to one run. In all else each
stays a job of its own: its attempt, logs, results, retries and its cancel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from hopper.dispatch.decisions import BatchPlacement
from hopper.dispatch.growing import next_resources
from hopper.model.backend import BatchTarget
from hopper.model.job import Job
from hopper.model.run import Run
from hopper.model.task import BatchResources

AUTO = "auto"


def placements(
    jobs: Iterable[Job], target: BatchTarget, runs: Mapping[str, Run]
) -> Iterator[BatchPlacement]:
    """Yield the jobs to be submitted now, each array at the place of its first member.

    Two equal jobs make an array: one call of the batch system in the place of two.
    """
    groups: dict[object, list[Job]] = {}
    for job in jobs:
        kind = _kind(job) if _may_join(job, target, runs) else job.id
        groups.setdefault(kind, []).append(job)
    most = max(1, target.array_limit)
    for group in groups.values():
        for start in range(0, len(group), most):
            first, *mates = group[start : start + most]
            yield BatchPlacement(job=first, backend=target.name, mates=tuple(mates))


def _kind(job: Job) -> tuple[str, int, BatchResources]:
    """Return what the members of an array have in common."""
    return (job.run, job.spec.priority, next_resources(job))


def _may_join(job: Job, target: BatchTarget, runs: Mapping[str, Run]) -> bool:
    """Return True where a job may be a member: files of its own go along with single jobs only."""
    run = runs.get(job.run)
    if run is None or job.task is None or job.task.inputs or not target.array_limit:
        return False
    return run.array == AUTO if run.array else target.arrays
