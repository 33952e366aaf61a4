"""The list of jobs."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from hopper.web.addresses import address
from hopper.web.following.listing import JobPage
from hopper.web.pages.job_filter import COLUMNS, MINE, ROWS, Asked, asked_jobs
from hopper.web.pages.job_rows import ACTS, listed, row_document
from hopper.web.problems import wants_json
from hopper.web.rendering import wants_part
from hopper.web.security.access import Viewer
from hopper.web.site import OfSite, Site

router = APIRouter()

YEAR = 365 * 86_400
STATES = (
    "pending",
    "submitted",
    "running",
    "settling",
    "completed",
    "failed",
    "cancelled",
    "dep_failed",
)
MOST_CHOICES = 200
"""Values that a filter's menu offers."""


@router.get("/jobs", name="jobs")
async def jobs(request: Request, site: OfSite, identity: Viewer) -> Response:
    """Show the jobs that the address asks for: a page, its list for htmx, or JSON."""
    asked = asked_jobs(request, identity)
    page = await site.following.page(
        asked.wanted,
        sort=asked.sort,
        descending=asked.descending,
        offset=asked.offset,
        limit=ROWS,
    )
    if wants_json(request):
        return _document(request, site, asked, page)
    template = "jobs_part.html" if wants_part(request) else "jobs.html"
    return site.rendering.page(
        request,
        template,
        section="jobs",
        asked=asked,
        found=page,
        jobs=listed(site.following, page.rows),
        out_of_band=False,
        columns=COLUMNS,
        facets=site.following.index.facets(),
        states=STATES,
        most=MOST_CHOICES,
        acts=ACTS,
        last=max(1, -(-page.total // ROWS)),
        trouble=page.trouble or site.following.trouble,
    )


def _document(request: Request, site: Site, asked: Asked, page: JobPage) -> Response:
    more = asked.offset + len(page.rows) < page.total
    following = asked.query(page=asked.page + 1)
    body = {
        "jobs": [row_document(job) for job in listed(site.following, page.rows)],
        "total": page.total,
        "page": asked.page,
        "next": address(request, "jobs", query=following) if more else None,
        "mine": asked.mine,
    }
    if page.trouble:
        body["trouble"] = page.trouble
    return JSONResponse(body)


@router.post("/filter/toggle", name="toggle_filter")
async def toggle_filter(request: Request, identity: Viewer) -> Response:
    """Show only one's own jobs, or everybody's again; the browser keeps which."""
    del identity
    mine = request.cookies.get(MINE) != "1"
    answer: Response
    if wants_json(request):
        answer = JSONResponse({"mine": mine})
    else:
        answer = RedirectResponse(address(request, "jobs"), status_code=303)
    root = request.scope.get("root_path", "") or "/"
    answer.set_cookie(
        MINE, "1" if mine else "0", max_age=YEAR, path=root, httponly=True, samesite="lax"
    )
    return answer
