"""What people do to jobs from the pages, and why a job waits."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from hopper.errors import UsageError
from hopper.web.addresses import address
from hopper.web.advised import advised
from hopper.web.changing import change_jobs, changed
from hopper.web.explaining import explained
from hopper.web.finding import changeable_job
from hopper.web.pages.job_rows import ACTS
from hopper.web.rendering import wants_part
from hopper.web.security.access import Operator, Viewer
from hopper.web.site import OfSite

router = APIRouter()

MOST = 1_000
"""Jobs that one change may name."""
LIMIT = 1_000_000
"""Priorities are at most so far from 0."""


@router.post("/jobs/changes", name="change_jobs")
async def change(
    request: Request,
    site: OfSite,
    identity: Operator,
    *,
    act: Annotated[str, Form(max_length=200)],
    jobs: Annotated[list[str] | None, Form()] = None,
    priority: Annotated[str, Form(max_length=12)] = "",
    back: Annotated[str, Form(max_length=2_000)] = "",
) -> Response:
    """Do something to the jobs that were chosen; ``ACT:JOB`` does it to that one alone."""
    act, _, one = act.partition(":")
    named = [one] if one else list(dict.fromkeys(jobs or ()))
    body = _body(act, priority)
    if not named:
        raise UsageError("no job is chosen", way_out="tick some of them first")
    if len(named) > MOST:
        raise UsageError(f"more than {MOST} jobs", way_out="choose fewer at a time")
    for job_id in named:
        await changeable_job(site, job_id)
    words = (await change_jobs(site, identity, body, named)).told()
    home = address(request, "jobs")
    return changed(request, site, words, back=f"{home}?{back}" if back else home)


def _body(act: str, priority: str) -> dict[str, object]:
    if act in ACTS:
        return {"do": act}
    if act == "abandon":
        return {"do": "requeue", "abandon": True}
    if act != "priority":
        raise UsageError(f"{act!r} cannot be done to a job")
    try:
        value = int(priority)
    except ValueError as error:
        raise UsageError(f"{priority!r} is no priority", way_out="give a whole number") from error
    if abs(value) > LIMIT:
        raise UsageError(f"a priority is from -{LIMIT} to {LIMIT}")
    return {"do": "priority", "priority": value}


@router.get("/jobs/{job_id}/explain", name="explain_job")
async def explain_job(request: Request, site: OfSite, _: Viewer, job_id: str) -> Response:
    """Tell why a job waits, where it is, or why it failed."""
    found = await explained(site, job_id)
    template = "explanation.html" if wants_part(request) else "explanation_page.html"
    return site.rendering.page(
        request,
        template,
        section="jobs",
        job=found.job,
        said=found.said,
        advice=advised(found.said.advice),
        lines=found.lines,
    )
