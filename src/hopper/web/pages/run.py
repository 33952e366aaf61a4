"""The page of one run: how far it is, and its tasks as table, drawing and facts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from hopper.documents.runs import manifest_document, run_document, task_document
from hopper.errors import UsageError
from hopper.model.job import Job
from hopper.operations.whereabouts import last_lines, log_at_home
from hopper.web.changing import apart
from hopper.web.following.rows import JobRow
from hopper.web.pages.estimates import estimates_of
from hopper.web.pages.run_gantt import drawing
from hopper.web.pages.run_looks import (
    STATES,
    RunLook,
    job_of,
    look_at,
    names_of,
    sections,
    task_word,
    wanted_rows,
    whole_view,
)
from hopper.web.pages.runs import row_of
from hopper.web.problems import wants_json
from hopper.web.rendering import wants_part
from hopper.web.security.access import Viewer
from hopper.web.site import OfSite, Site

router = APIRouter()
Text = Annotated[str, Query(max_length=500)]
Page = Annotated[int, Query(ge=1, le=1_000_000)]

TABS = ("table", "gantt", "details")
ROWS = 100
"""Tasks of a group on one page."""
GROUPS = 50
"""Groups on one page."""
UNFOLDED = 60
"""Of a run of no more tasks all groups are open at first."""
MOST_ITEMS = 1_000
"""Tasks that programs are given at a time."""
ENDS = 20
"""Failed tasks of a page whose last lines are shown."""
LINES = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskRow:
    """A task as the table shows it."""

    row: JobRow
    word: str
    """What stands for it in an address."""
    deps: Sequence[str] = ()
    peak_memory: int | None = None
    seconds: float | None = None
    """How long its newest attempt has run."""
    said: Sequence[str] = ()
    """The last lines of what it wrote, where it failed."""


@router.get("/runs/{run_id}", name="run")
async def run(
    *,
    request: Request,
    site: OfSite,
    _: Viewer,
    run_id: str,
    tab: Text = "table",
    state: Text = "",
    group: Text = "",
    deps: Text = "",
    page: Page = 1,
) -> Response:
    """Show a run: a page, its part for htmx, or JSON."""
    if tab not in TABS:
        raise UsageError(f"there is no tab {tab!r}", way_out=", ".join(TABS))
    if state and state not in STATES:
        raise UsageError(f"there is no state {state!r}", way_out=", ".join(STATES))
    look = await look_at(site, run_id)
    if wants_json(request):
        view = await apart(lambda: whole_view(site.config, run_id))
        return JSONResponse(run_document(view))
    values: dict[str, Any] = {
        "section": "runs",
        "look": look,
        "run": look.tally.run,
        "summary": row_of(look.tally, time.time()),
        "states": STATES,
        "tab": tab,
        "state_filter": state,
        "group": group,
        "page": page,
    }
    if tab == "table":
        values |= _table(look, state, page)
    elif tab == "gantt":
        values |= drawing(site, look, group=group, page=page, deps=deps == "1")
    template = f"run_{tab}.html" if wants_part(request) else "run.html"
    return site.rendering.page(request, template, **values)


def _table(look: RunLook, state: str, page: int) -> dict[str, Any]:
    found = sections(look, state)
    total = sum(one.total for one in found)
    return {
        "sections": found[(page - 1) * GROUPS : page * GROUPS],
        "unfolded": total <= UNFOLDED or len(found) == 1,
        "task_total": total,
        "last": max(1, -(-len(found) // GROUPS)),
    }


@router.get("/runs/{run_id}/head", name="run_head")
async def head(
    request: Request, site: OfSite, _: Viewer, run_id: str, state: Text = "", page: Page = 1
) -> Response:
    """Show how far a run is, with the counts of the groups that its page shows."""
    look = await look_at(site, run_id)
    return site.rendering.page(
        request,
        "run_head_update.html",
        look=look,
        run=look.tally.run,
        summary=row_of(look.tally, time.time()),
        states=STATES,
        state_filter=state,
        page=page,
        **_table(look, state, page),
    )


@router.get("/runs/{run_id}/facts", name="run_facts")
async def facts(request: Request, site: OfSite, _: Viewer, run_id: str) -> Response:
    """Show when a run may end and what it would have cost, which takes a moment to find out."""
    found = await estimates_of(site.config, run_id)
    return site.rendering.page(request, "run_facts.html", found=found)


@router.get("/runs/{run_id}/cost", name="run_cost")
async def cost(request: Request, site: OfSite, _: Viewer, run_id: str) -> Response:
    """Show what a run would have cost, for the list."""
    found = await estimates_of(site.config, run_id)
    return site.rendering.page(request, "run_cost.html", found=found)


@router.get("/runs/{run_id}/manifest", name="run_manifest")
async def manifest(site: OfSite, _: Viewer, run_id: str) -> Response:
    """Send all that is known of a run, to be kept."""
    view = await apart(lambda: whole_view(site.config, run_id))
    name = f"{run_id}-manifest.json"
    return JSONResponse(
        manifest_document(view, datetime.now(UTC)),
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get("/runs/{run_id}/items", name="run_items")
async def items(
    *,
    request: Request,
    site: OfSite,
    _: Viewer,
    run_id: str,
    group: Annotated[str | None, Query(max_length=500)] = None,
    state: Text = "",
    page: Page = 1,
) -> Response:
    """Show the tasks of a run, or of one group: rows for htmx, or JSON."""
    look = await look_at(site, run_id)
    wanted = wanted_rows(look, group, state)
    if wants_json(request):
        some = wanted[(page - 1) * MOST_ITEMS : page * MOST_ITEMS]
        names = names_of(look)
        jobs = [job for row in some if (job := job_of(site, look, row)) is not None]
        body = [task_document(job, names) for job in jobs]
        return JSONResponse({"items": body, "total": len(wanted), "page": page})
    shown = wanted[(page - 1) * ROWS : page * ROWS]
    return site.rendering.page(
        request,
        "run_items.html" if wants_part(request) else "run_items_page.html",
        section="runs",
        look=look,
        run=look.tally.run,
        group=group,
        state_filter=state,
        number=next((one.number for one in sections(look, "") if one.name == group), 0),
        tasks=await _task_rows(site, look, shown),
        total=len(wanted),
        page=page,
        last=max(1, -(-len(wanted) // ROWS)),
    )


async def _task_rows(site: Site, look: RunLook, rows: Sequence[JobRow]) -> list[TaskRow]:
    names, now = names_of(look), datetime.now(UTC)
    jobs = {row.id: job_of(site, look, row) for row in rows}
    failed = [job for job in jobs.values() if job is not None and job.state == "failed"][:ENDS]
    ends = await apart(lambda: {job.id: _end(site, job) for job in failed}) if failed else {}
    return [_task_row(row, jobs[row.id], names, now, ends.get(row.id, ())) for row in rows]


def _task_row(
    row: JobRow, job: Job | None, names: dict[str, str], now: datetime, said: Sequence[str]
) -> TaskRow:
    attempt = job.attempt if job is not None else None
    usage = attempt.usage if attempt is not None else None
    seconds = usage.elapsed_seconds if usage is not None else None
    if seconds is None and row.started_at is not None:
        until = row.ended_at or (now if not row.over else None)
        seconds = (until - row.started_at).total_seconds() if until is not None else None
    return TaskRow(
        row=row,
        word=task_word(row),
        deps=[names.get(other, other) for other in job.spec.after] if job is not None else (),
        peak_memory=usage.peak_memory if usage is not None else None,
        seconds=seconds,
        said=said,
    )


def _end(site: Site, job: Job) -> list[str]:
    """Return the last lines that a failed task wrote to its errors, or else to its output."""
    for errors in (True, False):
        try:
            path = log_at_home(site.config, job, job.attempts[-1], errors=errors)
            lines = last_lines(path, LINES) if path is not None else []
        except (OSError, IndexError):
            lines = []
        if any(line.strip() for line in lines):
            return lines
    return []
