"""What a task asks for at its next try: more, after an end that more may have prevented. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hopper.model.attempt import Attempt, Outcome
from hopper.model.job import Job, JobSpec
from hopper.model.task import BatchResources, RetryRule

CAUSE_OF = {
    Outcome.FAILED: "failed",
    Outcome.TIMED_OUT: "timeout",
    Outcome.OUT_OF_MEMORY: "oom",
    Outcome.NODE_FAILED: "node_fail",
    Outcome.VANISHED: "node_fail",
    Outcome.REBOOTED: "node_fail",
}
"""What the ``retry: {on: …}`` of a task calls an outcome."""


def worth_another_try(job: Job, attempt: Attempt) -> bool:
    """Return True when the job's task wants to be tried again after an end like this."""
    on = job.task.retry.on if job.task is not None else frozenset()
    return not on or CAUSE_OF.get(attempt.outcome or Outcome.VANISHED, "") in on


def resources_for(job: Job, attempt: Attempt) -> BatchResources:
    """Return what an attempt is given, by how the ones before it ended."""
    return _given(job, [item for item in job.attempts if item.number < attempt.number])


def next_resources(job: Job) -> BatchResources:
    """Return what the next attempt of a job is given."""
    return _given(job, job.attempts)


def _given(job: Job, before: Sequence[Attempt]) -> BatchResources:
    if job.task is None:
        return resources_of(job.spec)
    wanted, rule = job.task.resources, job.task.retry
    oom = sum(item.outcome is Outcome.OUT_OF_MEMORY for item in before)
    late = sum(item.outcome is Outcome.TIMED_OUT for item in before)
    return _grown(wanted, rule, oom, late)


def resources_of(spec: JobSpec) -> BatchResources:
    """Return what a zip asks of a batch system; what it does not say is left to the system."""
    needs = spec.requirements
    return BatchResources(
        cpus=needs.cpus or 1,
        memory=needs.memory,
        time_limit=needs.time_limit,
        partition=needs.partition,
        gpus=needs.gpus,
    )


def _grown(wanted: BatchResources, rule: RetryRule, oom: int, late: int) -> BatchResources:
    memory, limit = wanted.memory, wanted.time_limit
    if memory is not None and oom:
        memory = int(memory * rule.memory**oom)
    if limit is not None and late:
        limit = limit * rule.time**late
    return replace(wanted, memory=memory, time_limit=limit)
