"""Jobs: lists of them, one of them, why it waits, its script and results."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from hopper.bootstrap.state import read_state
from hopper.documents.jobs import explanation_document, whole_job_document
from hopper.documents.values import Json
from hopper.errors import NotThere
from hopper.model.job import Job
from hopper.operations.result_files import results_at_home
from hopper.operations.scripts import next_script, submitted_script
from hopper.operations.whereabouts import logs_at_home, result_paths
from hopper.web.addresses import address
from hopper.web.api import models
from hopper.web.api.answers import answer, page_of, tag_of, unchanged
from hopper.web.api.job_rows import brief
from hopper.web.api.parts import LIMIT, Cursor, Limit, Name, Text, body_of, problems
from hopper.web.changing import apart
from hopper.web.downloads import send_result
from hopper.web.explaining import explained
from hopper.web.finding import the_job
from hopper.web.following.listing import JobFilter
from hopper.web.security.access import Viewer
from hopper.web.site import OfSite, Site

router = APIRouter(tags=["Jobs"])
StateName = Literal[
    "pending",
    "submitted",
    "running",
    "settling",
    "completed",
    "failed",
    "cancelled",
    "dep_failed",
    "gone",
]
Sort = Literal[
    "submitted", "started", "ended", "state", "id", "name", "workflow", "run", "user", "backend"
]


@router.get("/jobs", response_model=models.JobPage, responses=problems())
async def list_jobs(
    *,
    request: Request,
    site: OfSite,
    _: Viewer,
    state: Annotated[list[StateName], Query(description="One of these.")] = [],  # noqa: B006
    tag: Annotated[list[str], Query(description="All of these.", max_length=50)] = [],  # noqa: B006
    user: Text = "",
    backend: Annotated[
        str, Query(max_length=200, description="A backend, or a worker that has or had it.")
    ] = "",
    run: Text = "",
    workflow: Text = "",
    origin: Annotated[Literal["", "zip", "run", "external", "cluster"], Query()] = "",
    name: Annotated[str, Query(max_length=200, description="A glob that it fits.")] = "",
    text: Annotated[str, Query(max_length=200, description="Words in ids, names, nodes.")] = "",
    since: Annotated[datetime | None, Query(description="Submitted then or later.")] = None,
    held: bool | None = None,
    history: Annotated[bool, Query(description="Also those that left the live state.")] = False,
    sort: Sort = "submitted",
    order: Literal["asc", "desc"] = "desc",
    limit: Limit = LIMIT,
    cursor: Cursor = None,
) -> Response:
    """List jobs, the newest first, those of others on clusters too.

    Pages hold while jobs come and go: the next one goes on after the last job of this one.
    """
    if not history and (seen := unchanged(request, site)) is not None:
        return seen
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    wanted = JobFilter(
        states=frozenset(state),
        user=user,
        backend=backend,
        run=run,
        workflow=workflow,
        origin=origin,
        tags=frozenset(tag),
        name=name,
        text=text,
        since=since,
        held=held,
        history=history,
    )
    page = await site.following.page(
        wanted, sort=sort, descending=order == "desc", limit=limit, at=cursor
    )
    return page_of(
        request,
        [brief(site.following, row) for row in page.rows],
        next_cursor=page.next,
        headers=None if history else tag_of(site),
        total=page.total,
        trouble=page.trouble or None,
    )


@router.get("/jobs/{job}", response_model=models.JobWhole, responses=problems(404))
async def show_job(site: OfSite, _: Viewer, job: Name) -> Response:
    """Show all that is known of a job, live or of the history."""
    return answer(await whole_job(site, await the_job(site, job)))


async def whole_job(site: Site, found: Job) -> Json:
    """Return all that is known of a job."""
    attempt = found.open_attempt
    record = site.following.store.workers.get(attempt.worker) if attempt is not None else None

    def told() -> Json:
        paths, logs = result_paths(site.config, found), logs_at_home(site.config, found)
        return whole_job_document(found, record, results=paths, logs=logs)

    return await apart(told)


@router.get("/jobs/{job}/explanation", response_model=models.Explanation, responses=problems(404))
async def explain_job(site: OfSite, _: Viewer, job: Name) -> Response:
    """Say why a job waits, where it is, or why it failed, and what can be done."""
    found = await explained(site, job)
    return answer(explanation_document(found.job, found.said, found.lines))


@router.get(
    "/jobs/{job}/script",
    response_class=Response,
    responses={**problems(404), 200: body_of("text/plain", description="The script.")},
)
async def show_job_script(
    site: OfSite,
    _: Viewer,
    job: Name,
    attempt: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
    new: Annotated[bool, Query(description="That of the next attempt.")] = False,
) -> Response:
    """Show the script of a task as it was submitted, or as it would be."""
    return await script_of(site, await the_job(site, job), attempt, new=new)


async def script_of(site: Site, job: Job, attempt: int | None, *, new: bool) -> Response:
    """Return a task's script as text."""

    def told() -> str:
        if job.task is None:
            raise NotThere(f"{job.id} is no task; its script is in its zip")
        said = None if new else submitted_script(site.config, job, attempt)
        if said is not None:
            return said
        with read_state(site.config) as store:
            run = store.run(job.run)
        if run is None:
            raise NotThere(f"the run of {job.id} is gone")
        return next_script(site.config, job, run)

    text = await apart(told)
    return Response(text.encode(errors="surrogateescape"), media_type="text/plain")


@router.get("/jobs/{job}/results", response_model=models.Results, responses=problems(404))
async def list_results(request: Request, site: OfSite, _: Viewer, job: Name) -> Response:
    """List what came home of a job."""
    found = await the_job(site, job)
    results = await apart(lambda: results_at_home(site.config, found))
    base = address(request, "api_show_job", job=found.id)
    items = [
        {
            "name": one.name,
            "path": str(one.path),
            "there": one.there,
            "bytes": one.size,
            "sha256": one.sha256,
            "href": f"{base}/results/{quote(one.name)}",
        }
        for one in results
    ]
    return answer({"items": items})


@router.get(
    "/jobs/{job}/results/{result:path}",
    response_class=FileResponse,
    responses={
        **problems(404),
        200: body_of("application/octet-stream", description="The file, as an attachment."),
    },
)
async def download_result(site: OfSite, _: Viewer, job: Name, result: Name) -> FileResponse:
    """Download a result."""
    return await send_result(site, await the_job(site, job), result)
