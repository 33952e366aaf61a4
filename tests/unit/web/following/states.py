"""Jobs, runs and what is done with them, for tests of what follows the state."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hopper.model.attempt import Attempt, Outcome
from hopper.model.backend import ExternalJob
from hopper.model.event import Event, EventKind
from hopper.model.job import Job, JobSpec, Origin
from hopper.model.native import NativePhase
from hopper.model.resources import Requirements
from hopper.model.run import Run
from hopper.model.states import JobState
from hopper.model.task import BatchResources, Task, Usage

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_job(
    job_id: str,
    *,
    state: JobState = JobState.PENDING,
    run: str = "",
    worker: str = "",
    name: str = "",
    tags: tuple[str, ...] = (),
    at: datetime = T0,
    held: bool = False,
) -> Job:
    """A job; one with a worker has an attempt there, of an hour when it has ended."""
    attempt = Attempt(
        id=f"{job_id}-1",
        number=1,
        worker=worker,
        intended_at=at,
        started_at=at,
        ended_at=at + timedelta(hours=1) if state.terminal else None,
        outcome=Outcome.COMPLETED if state is JobState.COMPLETED else None,
    )
    return Job(
        id=job_id,
        spec=JobSpec(name=name or job_id, requirements=Requirements(tags=frozenset(tags))),
        state=state,
        submitted_at=at,
        state_since=at + timedelta(hours=1),
        run=run,
        held=held,
        attempts=(attempt,) if worker else (),
    )


def a_task(job_id: str, *, run: str, task: str, state: JobState = JobState.PENDING) -> Job:
    """A job of a run on a cluster."""
    job = a_job(job_id, run=run, state=state, worker="" if state is JobState.PENDING else "cl")
    resources = BatchResources(cpus=4, memory=1 << 30, gpus=1, partition="long")
    return replace(
        job,
        origin=Origin.RUN,
        backend="cl",
        task=Task(id=task, command="true", resources=resources),
        attempts=tuple(
            replace(one, usage=Usage(cpu_seconds=7200.0, elapsed_seconds=3600.0, cpus=4))
            for one in job.attempts
        ),
    )


def a_run(run_id: str, *, user: str = "ada") -> Run:
    """A run on a cluster."""
    return Run(id=run_id, workflow="sweep", backend="cl", created_at=T0, user=user)


def somebodys(number: int, *, gone: bool = False) -> ExternalJob:
    """A job on a cluster that is none of ours."""
    return ExternalJob(
        id=f"cl/{number}",
        backend="cl",
        native_id=str(number),
        first_seen=T0,
        phase=NativePhase.RUNNING,
        word="R",
        name="theirs",
        user="eve",
        cpus=8,
        started_at=T0,
        gone_at=T0 + timedelta(hours=2) if gone else None,
    )


def told(job: Job, kind: EventKind = EventKind.JOB_STATE) -> Event:
    """The event that tells of a job."""
    return Event(kind=kind, at=T0, job=job.id)
