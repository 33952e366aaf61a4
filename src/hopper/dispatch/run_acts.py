"""What people ask to be done with runs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hopper.dispatch.changes import Changes
from hopper.dispatch.desk import Desk
from hopper.dispatch.job_acts import Done, cancel_one, requeue_one, workers_of
from hopper.errors import UsageError
from hopper.model import wire
from hopper.model.event import EventKind
from hopper.model.job import Job, JobSpec, Origin
from hopper.model.run import Run
from hopper.model.states import JobState
from hopper.model.task import Task


@dataclass(frozen=True, kw_only=True, slots=True)
class NewTask:
    """A job of a run that is to be made; ``spec.after`` names jobs by their ids."""

    job: str
    spec: JobSpec
    task: Task
    input_bytes: int = 0
    """Size of the files at home that go along."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRun:
    """A run that is to be made, or, where there is one of that id, to get more tasks."""

    run: Run
    tasks: tuple[NewTask, ...]
    no_cache: bool = False
    """They are to be run, whatever results of equal tasks are at home."""


def run_body(new: NewRun) -> dict[str, object]:
    """Return the command that makes a run."""
    return {"do": "run", **wire.to_json(new)}


def add_tasks(
    desk: Desk, run: Run, tasks: tuple[NewTask, ...], *, no_cache: bool = False
) -> list[Job]:
    """Put the jobs of a run on the desk. What is there already stays as it is."""
    made = []
    for new in tasks:
        if new.job in desk.jobs or new.job in desk.book.jobs:
            continue
        job = Job(
            id=new.job,
            spec=new.spec,
            state=JobState.PENDING,
            submitted_at=desk.now,
            state_since=desk.now,
            origin=Origin.RUN,
            backend="" if run.on_workers else run.backend,
            run=run.id,
            task=new.task,
            remote_name=new.job,
            user=run.user,
            no_cache=no_cache,
            # Of the zip that is packed when its turn has come.
            zip_size=_zip_size(run, new),
            unpacked_size=_zip_size(run, new),
        )
        desk.put(job)
        made.append(job)
    return made


def _zip_size(run: Run, new: NewTask) -> int:
    if not run.on_workers:
        return 0
    return new.input_bytes + (run.git.size if run.git is not None and new.task.own_folder else 0)


def _run(desk: Desk, body: dict[str, object]) -> Done:
    try:
        new = wire.from_json(NewRun, body)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"that is no run: {error!r}") from error
    answer: dict[str, object] = {"run": new.run.id, "jobs": [task.job for task in new.tasks]}
    if new.run.id in desk.book.runs:
        return Done(answer=answer)
    add_tasks(desk, new.run, new.tasks, no_cache=new.no_cache)
    desk.tell(
        EventKind.RUN_CREATED,
        run=new.run.id,
        workflow=new.run.workflow,
        tasks=len(new.tasks),
        reason="; ".join(new.run.warnings),
    )
    return Done(answer=answer, changes=Changes(runs=(new.run,)))


def _jobs_of(desk: Desk, body: Mapping[str, Any]) -> tuple[Run, list[Job]]:
    run = desk.book.runs.get(str(body.get("run")))
    if run is None:
        raise UsageError(f"there is no run {body.get('run')!r}", way_out="see 'hopper run list'")
    return run, [desk.job(job_id) for job_id in desk.book.run_jobs.get(run.id, ())]


def _each(desk: Desk, jobs: list[Job], act: Callable[[Desk, Job], str]) -> dict[str, object]:
    done: dict[str, str] = {}
    refused: dict[str, str] = {}
    for job in jobs:
        try:
            done[job.id] = act(desk, job)
        except UsageError as error:
            refused[job.id] = str(error)
    return {"done": done, "refused": refused}


def _cancel(desk: Desk, body: dict[str, object]) -> Done:
    run, jobs = _jobs_of(desk, body)
    live = [job for job in jobs if not job.state.terminal]
    places = frozenset(workers_of(live))
    answer = {"run": run.id, **_each(desk, live, cancel_one)}
    if not live:
        return Done(answer=answer)
    desk.tell(EventKind.RUN_CANCELLED, run=run.id)
    changes = Changes(runs=(replace(run, cancelled=True),))
    return Done(answer=answer, look_at=places, changes=changes)


def _rerun(desk: Desk, body: dict[str, object]) -> Done:
    """Put the ended tasks of a run back to pending; ``failed``: those that did not complete.

    ``no_cache``: they are run even where results of equal tasks, or their own, are at home.
    """
    run, jobs = _jobs_of(desk, body)
    wanted = [
        job
        for job in jobs
        if job.state.terminal and not (body.get("failed") and job.state is JobState.COMPLETED)
    ]
    if not wanted:
        what = "failed task" if body.get("failed") else "task that has ended"
        raise UsageError(f"run {run.id} has no {what}")
    no_cache = bool(body.get("no_cache"))

    def again(desk: Desk, job: Job) -> str:
        said = requeue_one(desk, job, abandon=False)
        desk.put(replace(desk.job(job.id), no_cache=no_cache))
        return said

    answer = {"run": run.id, **_each(desk, wanted, again)}
    return Done(answer=answer, changes=Changes(runs=(replace(run, cancelled=False),)))


def _delete(desk: Desk, body: dict[str, object]) -> Done:
    run_id = str(body.get("run"))
    if body.get("archived") and run_id not in desk.book.runs:
        desk.tell(EventKind.RUN_DELETED, run=run_id)
        return Done(answer={"run": run_id}, changes=Changes(forgotten_runs=(run_id,)))
    run, jobs = _jobs_of(desk, body)
    live = [job.id for job in jobs if not job.state.terminal]
    if live:
        raise UsageError(
            f"tasks of run {run.id} have not ended: {len(live)}", way_out="cancel it first"
        )
    desk.tell(EventKind.RUN_DELETED, run=run.id, tasks=len(jobs))
    changes = Changes(forgotten_runs=(run.id,), forgotten_jobs=tuple(job.id for job in jobs))
    return Done(answer={"run": run.id, "jobs": [job.id for job in jobs]}, changes=changes)


def _pause_backend(desk: Desk, body: dict[str, object]) -> Done:
    return _set_paused(desk, str(body.get("backend")), paused=True)


def _resume_backend(desk: Desk, body: dict[str, object]) -> Done:
    return _set_paused(desk, str(body.get("backend")), paused=False)


def _set_paused(desk: Desk, backend: str, *, paused: bool) -> Done:
    before = desk.book.paused_backends
    after = before | {backend} if paused else before - {backend}
    answer: dict[str, object] = {"backend": backend, "paused": paused}
    if after == before:
        return Done(answer=answer)
    kind = EventKind.DISPATCH_PAUSED if paused else EventKind.DISPATCH_RESUMED
    desk.tell(kind, worker=backend)
    changes = Changes(settings={"paused_backends": sorted(after)})
    return Done(answer=answer, look_at=frozenset({backend}), changes=changes)


ACTS: dict[str, Callable[[Desk, dict[str, object]], Done]] = {
    "run": _run,
    "cancel_run": _cancel,
    "rerun": _rerun,
    "delete_run": _delete,
    "pause_backend": _pause_backend,
    "resume_backend": _resume_backend,
}
