"""The page of a task: its logs, script and facts, its attempts and results."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from hopper.documents.runs import task_document
from hopper.errors import HopperError, UsageError
from hopper.model import wire
from hopper.model.attempt import ResultFile
from hopper.model.job import Job
from hopper.operations.scripts import next_script, submitted_script
from hopper.web.addresses import address
from hopper.web.changing import apart
from hopper.web.downloads import attachment, send_result
from hopper.web.far_logs import FarLogs
from hopper.web.pages.logs import (
    KINDS,
    Far,
    Number,
    Place,
    Wanted,
    answer_log,
    view_of_log,
)
from hopper.web.pages.run_looks import RunLook, name_of, names_of, task_of
from hopper.web.problems import wants_json
from hopper.web.rendering import has_page, wants_part
from hopper.web.security.access import Viewer
from hopper.web.site import OfSite, Site

router = APIRouter()
Text = Annotated[str, Query(max_length=200)]

TABS = ("output", "error", "script", "json")
LONGEST = 200_000
"""Characters of a script or of JSON that a page shows; all of it can be had as text."""


@router.get("/runs/{run_id}/tasks/{task}", name="task")
async def task_page(
    *,
    request: Request,
    site: OfSite,
    far: Far,
    _: Viewer,
    run_id: str,
    task: str,
    tab: Text = "output",
    attempt: Number = None,
) -> Response:
    """Show a task: a page, or JSON."""
    if tab not in TABS:
        raise UsageError(f"there is no tab {tab!r}", way_out=", ".join(TABS))
    look, job = await task_of(site, run_id, task)
    if wants_json(request):
        return JSONResponse(task_document(job, names_of(look)))
    part = wants_part(request)
    shown: dict[str, Any] = {}
    if not part:
        shown = await _tab(request, site, far, look, job, tab=tab, number=attempt, word=task)
    known = site.following.index.rows
    names = names_of(look)
    return site.rendering.page(
        request,
        "task_head.html" if part else "task.html",
        section="runs",
        run=look.tally.run,
        live=look.live,
        job=job,
        word=task,
        name=name_of(job),
        tab=tab,
        number=attempt,
        deps=[
            (other, names.get(other, other), known[other].state if other in known else "")
            for other in job.spec.after
        ],
        results=_results(job, attempt),
        explained=has_page(request, "explain_job", job_id=job.id) and look.live,
        terminal=site.config.web.terminal and has_page(request, "terminal", job_id=job.id),
        **shown,
    )


async def _tab(
    request: Request,
    site: Site,
    far: FarLogs,
    look: RunLook,
    job: Job,
    *,
    tab: str,
    number: int | None,
    word: str,
) -> dict[str, Any]:
    if tab in KINDS:
        here = address(request, "task_log", run_id=look.id, task=word, kind=tab)
        return {"log": await view_of_log(site, far, job, tab, number, here)}
    if tab == "script":
        text, remark = await _script(site, look, job, number)
    else:
        text, remark = json.dumps(wire.to_json(job), indent=2, ensure_ascii=False), ""
    cut = len(text) > LONGEST
    return {"text": text[:LONGEST], "remark": remark, "cut": cut}


async def _script(site: Site, look: RunLook, job: Job, number: int | None) -> tuple[str, str]:
    """Return a task's script and a remark on it; what goes wrong is such a remark."""
    try:
        text = await apart(lambda: submitted_script(site.config, job, number))
        if text is not None:
            return text, ""
        text = await apart(lambda: next_script(site.config, job, look.tally.run))
    except HopperError as refusal:
        return "", str(refusal)
    return text, "It has not been submitted yet; it would be submitted so."


@router.get("/runs/{run_id}/tasks/{task}/script", name="task_script")
async def script(
    site: OfSite, _: Viewer, run_id: str, task: str, attempt: Number = None, download: Text = ""
) -> Response:
    """Send the script of a task as text: as it was submitted, else as it would be."""
    look, job = await task_of(site, run_id, task)
    text = await apart(lambda: submitted_script(site.config, job, attempt))
    if text is None:
        text = await apart(lambda: next_script(site.config, job, look.tally.run))
    headers = {"Content-Disposition": attachment(f"{job.id}.sh")} if download else {}
    return PlainTextResponse(text.encode("utf-8", "surrogateescape"), headers=headers)


@router.get("/runs/{run_id}/tasks/{task}/logs/{kind}", name="task_log")
async def log(
    *,
    request: Request,
    site: OfSite,
    far: Far,
    _: Viewer,
    run_id: str,
    task: str,
    kind: str,
    attempt: Number = None,
    start: Place = None,
    before: Place = None,
    download: Text = "",
) -> Response:
    """Give a log of a task: whole as text, a part as JSON, a page for browsers."""
    job = (await task_of(site, run_id, task))[1]
    wanted = Wanted(kind=kind, attempt=attempt, start=start, before=before, download=download)
    here = address(request, "task_log", run_id=run_id, task=task, kind=kind)
    return await answer_log(request, site, far, job, wanted, here)


# --- results


def _results(job: Job, number: int | None) -> tuple[ResultFile, ...]:
    attempts = [one for one in job.attempts if number in {None, one.number} and one.results]
    return attempts[-1].results if attempts else ()


@router.get("/runs/{run_id}/tasks/{task}/results/{name:path}", name="task_result")
async def result(site: OfSite, _: Viewer, run_id: str, task: str, name: str) -> Response:
    """Send a file that a task brought home, to be kept."""
    return await send_result(site, (await task_of(site, run_id, task))[1], name)
