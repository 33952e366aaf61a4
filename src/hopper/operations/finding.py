"""Which job, run or task a person means."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from hopper.config.model import HopperConfig
from hopper.dispatch.run_views import task_id
from hopper.errors import NotThere, UnknownJob, UsageError
from hopper.model.ids import JOB_ID
from hopper.model.job import Job
from hopper.model.run import Run

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig
    from hopper.model.run import Run
if TYPE_CHECKING:
    from hopper.store.state import StateStore
if TYPE_CHECKING:
    from hopper.store.state import StateStore


def find_job(jobs: Mapping[str, Job], reference: str) -> Job:
    """Return the job that a person means: an id, the start of one, or a name.

    Raises UnknownJob, or UsageError where several answer.
    """
    if reference in jobs:
        return jobs[reference]
    found = [job for job in jobs.values() if job.name == reference]
    found = found or [job for job in jobs.values() if job.id.startswith(reference)]
    if not found:
        raise UnknownJob(reference)
    if len(found) > 1:
        newest = sorted(found, key=lambda job: job.submitted_at, reverse=True)
        names = ", ".join(job.id for job in newest[:5])
        raise UsageError(f"{reference!r} may be {names}", way_out="give the whole id")
    return found[0]


def one_job(store: StateStore, reference: str) -> Job:
    """Return the job that a person means, from the history if need be.

    Raises UnknownJob, or UsageError where several answer.
    """
    try:
        return find_job(store.jobs, reference)
    except UnknownJob:
        old = store.job(reference) if JOB_ID.match(reference) else None
        if old is None:
            raise
        return old


def job_before(store: StateStore, reference: str) -> str:
    """Return the id of a job to come after: of several with that name the newest."""
    if reference in store.jobs:
        return reference
    named = [job for job in store.jobs.values() if job.name == reference]
    if named:
        return max(named, key=lambda job: (job.submitted_at, job.id)).id
    return find_job(store.jobs, reference).id


def live_jobs(store: StateStore, references: Iterable[str]) -> list[str]:
    """Return the ids of the live jobs that a person means, each once. UnknownJob, UsageError."""
    return list(dict.fromkeys(find_job(store.jobs, reference).id for reference in references))


WAY_OUT = "see 'hopper run list'"


def find_run(store: StateStore, reference: str, *, exactly: bool = False) -> Run:
    """Return the run that a person means: its id, the start of it, or a workflow's newest.

    One of the history is meant only where no live one is.

    ``exactly``: a workflow of several runs does not do. UsageError where none or several answer.
    """
    if reference in store.runs:
        return store.runs[reference]
    found = _meant(store.runs.values(), reference)
    if not found:
        old = list(store.history_runs())
        found = [run for run in old if run.id == reference] or _meant(old, reference)
    if not found:
        raise NotThere(f"there is no run {reference!r}", way_out=WAY_OUT)
    if found[0].workflow == reference and not exactly:
        return max(found, key=lambda run: (run.created_at, run.id))
    if len(found) > 1:
        newest = sorted(found, key=lambda run: run.created_at, reverse=True)
        names = ", ".join(run.id for run in newest[:5])
        raise UsageError(f"{reference!r} may be {names}", way_out="give the whole id")
    return found[0]


def _meant(runs: Iterable[Run], reference: str) -> list[Run]:
    """Return the runs of that workflow, or else those whose ids begin so."""
    runs = list(runs)
    named = [run for run in runs if run.workflow == reference]
    return named or [run for run in runs if run.id.startswith(reference)]


def find_task(jobs: Sequence[Job], reference: str, run: Run) -> Job:
    """Return the job of a run that a person means: its task's id, or its own. UsageError."""
    for job in jobs:
        if reference in {task_id(job), job.id}:
            return job
    found = [job for job in jobs if task_id(job).startswith(reference)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(task_id(job) for job in found[:5])
        raise UsageError(f"{reference!r} may be {names}", way_out="give the whole id of the task")
    raise NotThere(
        f"run {run.id} has no task {reference!r}", way_out=f"see 'hopper run show {run.id}'"
    )


def most_runs(config: HopperConfig) -> Mapping[str, list[Run]]:
    """Return the runs that are remembered by workflow, the newest first."""
    from hopper.bootstrap.state import read_state

    with read_state(config) as store:
        return by_workflow(store.runs.values())


def by_workflow(runs: Iterable[Run]) -> Mapping[str, list[Run]]:
    """Return runs by workflow, the newest first."""
    found: defaultdict[str, list[Run]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: run.created_at, reverse=True):
        found[run.workflow].append(run)
    return found
