"""Runs of workflows: lists, one of them, and its tasks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from hopper.bootstrap.state import read_state
from hopper.dispatch.run_views import NOT_WELL, RunView, run_views, task_id, view_of
from hopper.documents.runs import manifest_document, run_document, task_document
from hopper.documents.values import Json
from hopper.errors import NotThere
from hopper.model.job import Job
from hopper.model.run import Run
from hopper.operations.finding import WAY_OUT, find_task
from hopper.operations.run_facts import Facts
from hopper.web.api import models, run_models
from hopper.web.api.answers import answer, page_of, tag_of, unchanged
from hopper.web.api.cursors import after
from hopper.web.api.jobs import script_of, whole_job
from hopper.web.api.logs import LOG, log_of
from hopper.web.api.logs import Asked as LogAsked
from hopper.web.api.parts import LIMIT, Cursor, Limit, Name, Text, body_of, problems
from hopper.web.changing import apart
from hopper.web.security.access import Viewer
from hopper.web.site import OfSite, Site

router = APIRouter(tags=["Runs"])


@router.get("/runs", response_model=run_models.RunPage, responses=problems())
async def list_runs(
    *,
    request: Request,
    site: OfSite,
    _: Viewer,
    workflow: Text = "",
    backend: Text = "",
    user: Text = "",
    state: Annotated[list[run_models.RunStateName], Query(description="One of these.")] = [],  # noqa: B006
    active: Annotated[bool, Query(description="Only those that have not ended.")] = False,
    history: Annotated[bool, Query(description="Also those that left the live state.")] = False,
    limit: Limit = LIMIT,
    cursor: Cursor = None,
) -> Response:
    """List runs, the newest first."""
    if not history and (seen := unchanged(request, site)) is not None:
        return seen

    def fits(run: Run) -> bool:
        return (
            workflow in {"", run.workflow}
            and backend in {"", run.backend}
            and user in {"", run.user}
        )

    if history:
        known = await apart(lambda: _with_history(site))
        found = [(view.run, run_document(view)) for view in known if fits(view.run)]
    else:
        tallies = [one for one in site.following.run_tallies() if fits(one.run)]
        found = [(one.run, run_document(one)) for one in tallies]
    told = [
        (run, document)
        for run, document in reversed(found)
        if (not state or document["state"] in state)
        and (not active or document["ended_at"] is None)
    ]
    shown, following = after(told, cursor, limit, key=lambda one: _key(one[0]), rising=False)
    return page_of(
        request,
        [document for _, document in shown],
        next_cursor=following,
        headers=None if history else tag_of(site),
        total=len(told),
    )


def _key(run: Run) -> tuple[str, str]:
    return run.created_at.astimezone(UTC).isoformat(timespec="microseconds"), run.id


def _with_history(site: Site) -> list[RunView]:
    with read_state(site.config) as store:
        runs = {run.id: run for run in store.history_runs()} | dict(store.runs)
        old = (job for job in store.history() if job.id not in store.jobs)
        return run_views(runs.values(), chain(store.jobs.values(), old))


@router.get("/runs/{run}", response_model=run_models.RunBrief, responses=problems(404))
async def show_run(
    site: OfSite,
    _: Viewer,
    run: Name,
    estimates: Annotated[
        bool, Query(description="With when it may end and what it would have cost.")
    ] = False,
) -> Response:
    """Show a run. Estimates take their time: the history is looked through for them."""
    live = site.following.newest_run(run)
    if live is not None and not estimates:
        return answer(run_document(site.following.tally(live)))

    def told() -> Json:
        with read_state(site.config) as store:
            view = view_of(_old(store.run(run), run), store.jobs_of(run))
            facts = Facts(site.config, store)
            if not estimates:
                return run_document(view)
            return run_document(view, left=facts.left(view), cost=facts.cost(view))

    return answer(await apart(told))


def _old(run: Run | None, reference: str) -> Run:
    if run is None:
        raise NotThere(f"there is no run {reference!r}", way_out=WAY_OUT)
    return run


async def the_run(site: Site, run_id: str) -> tuple[Run, Sequence[Job]]:
    """Return a run and its jobs, live or from the history. NotThere."""
    live = site.following.newest_run(run_id)
    if live is not None:
        return live, list(site.following.jobs_of(run_id))

    def old() -> tuple[Run, Sequence[Job]]:
        with read_state(site.config) as store:
            return _old(store.run(run_id), run_id), store.jobs_of(run_id)

    return await apart(old)


@router.get("/runs/{run}/items", response_model=run_models.RunTaskPage, responses=problems(404))
async def list_run_tasks(
    *,
    request: Request,
    site: OfSite,
    _: Viewer,
    run: Name,
    state: Annotated[list[models.JobStateName], Query(description="One of these.")] = [],  # noqa: B006
    group: Annotated[str, Query(max_length=200, description="What stands before a dot.")] = "",
    failed: Annotated[bool, Query(description="Only those that did not end well.")] = False,
    limit: Limit = LIMIT,
    cursor: Cursor = None,
) -> Response:
    """List the tasks of a run in their order."""
    if (seen := unchanged(request, site)) is not None:
        return seen
    _found, jobs = await the_run(site, run)
    names = {job.id: task_id(job) for job in jobs}
    wanted = [
        (number, job)
        for number, job in enumerate(jobs)
        if (not state or job.state in state)
        and (not failed or job.state in NOT_WELL)
        and group in {"", names[job.id].partition(".")[0]}
    ]
    shown, following = after(wanted, cursor, limit, key=lambda one: (one[0], one[1].id))
    return page_of(
        request,
        [task_document(job, names) for _, job in shown],
        next_cursor=following,
        headers=tag_of(site),
        total=len(wanted),
    )


@router.get("/runs/{run}/manifest", response_model=run_models.Manifest, responses=problems(404))
async def show_manifest(site: OfSite, _: Viewer, run: Name) -> Response:
    """Return all that is known of a run, to be kept beside its results."""
    found, jobs = await the_run(site, run)
    return answer(await apart(lambda: manifest_document(view_of(found, jobs), datetime.now(UTC))))


@router.get("/runs/{run}/tasks/{task}", response_model=models.JobWhole, responses=problems(404))
async def show_task(site: OfSite, _: Viewer, run: Name, task: Name) -> Response:
    """Show all that is known of a task, by its id in the run or its job's."""
    return answer(await whole_job(site, await _task(site, run, task)))


@router.get("/runs/{run}/tasks/{task}/log", response_class=Response, responses=LOG)
async def show_task_log(
    site: OfSite, _: Viewer, run: Name, task: Name, asked: LogAsked
) -> Response:
    """Show a part of what a task has printed."""
    return await log_of(site, await _task(site, run, task), asked)


@router.get(
    "/runs/{run}/tasks/{task}/script",
    response_class=Response,
    responses={**problems(404), 200: body_of("text/plain", description="The script.")},
)
async def show_task_script(
    site: OfSite,
    _: Viewer,
    run: Name,
    task: Name,
    attempt: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
    new: Annotated[bool, Query(description="That of the next attempt.")] = False,
) -> Response:
    """Show the script of a task as it was submitted, or as it would be."""
    return await script_of(site, await _task(site, run, task), attempt, new=new)


async def _task(site: Site, run_id: str, reference: str) -> Job:
    run, jobs = await the_run(site, run_id)
    return find_task(jobs, reference, run)
