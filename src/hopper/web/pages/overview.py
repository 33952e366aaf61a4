"""The overview: how everything stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hopper.bootstrap.state import dispatching
from hopper.model.run import Run
from hopper.web.charts.bars import bars
from hopper.web.charts.heatmap import heatmap
from hopper.web.following.listing import JobFilter
from hopper.web.following.state import Following
from hopper.web.following.tallies import RunTally
from hopper.web.pages.job_rows import listed
from hopper.web.pages.jobs import STATES
from hopper.web.pages.run_ends import time_left, took
from hopper.web.places import Stand
from hopper.web.rendering import wants_part
from hopper.web.security.access import Viewer
from hopper.web.site import OfSite, Site
from hopper.web.standing import runs_now

router = APIRouter()

MOST_RUNS = 20
FAILURES = 8
RUNS_ALIKE = 3
"""Newest runs of a workflow that tell how long its tasks take."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DispatcherNow:
    """The dispatcher, if one runs."""

    running: bool
    since: datetime | None = None
    pid: int = 0
    host: str = ""
    paused: bool = False


@router.get("/", name="overview")
async def overview(request: Request, site: OfSite, _: Viewer) -> Response:
    """Show how everything stands: the whole page, or what changes of it for htmx."""
    following = site.following
    stand = await site.places.stand(following)
    failed = JobFilter(states=frozenset({"failed", "dep_failed"}))
    failures = following.index.page(failed, sort="ended", limit=FAILURES)
    return site.rendering.page(
        request,
        "overview_part.html" if wants_part(request) else "overview.html",
        section="overview",
        trouble=following.trouble,
        dispatcher=dispatcher_now(site, stand),
        stand=stand,
        runs=runs_shown(following, datetime.now(UTC)),
        states=STATES,
        counts=following.index.facets().states,
        held=sum(row.held for row in following.index.rows.values() if row.state == "pending"),
        failures=listed(following, failures.rows),
        failed=failures.total,
        empty=not following.index.rows and not following.store.runs,
        folder=str(site.config.paths.queue),
    )


def dispatcher_now(site: Site, stand: Stand) -> DispatcherNow:
    """Return whether a dispatcher runs, and since when."""
    held = dispatching(site.config)
    if held is None:
        return DispatcherNow(running=False, paused=stand.paused)
    try:
        since: datetime | None = datetime.fromisoformat(str(held.started))
    except ValueError:
        since = None
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    return DispatcherNow(
        running=True, since=since, pid=held.pid, host=held.host, paused=stand.paused
    )


def runs_shown(following: Following, now: datetime) -> list[RunTally]:
    """Return the runs that have not ended, or have just now, the newest first."""
    return runs_now(following, now)[::-1][:MOST_RUNS]


@router.get("/overview/usage", name="overview_usage")
async def usage(request: Request, site: OfSite, _: Viewer) -> Response:
    """Show the CPU hours of the last year and day."""
    counted = site.following.usage
    return site.rendering.page(
        request,
        "overview_usage.html",
        counted=counted is not None,
        year=heatmap(counted.days if counted is not None else ()),
        day=bars(counted.hours if counted is not None else ()),
    )


@router.get("/overview/ends", name="overview_ends")
async def ends(request: Request, site: OfSite, _: Viewer) -> Response:
    """Tell when the runs that are shown may end, as what ran before lets one expect."""
    following, now = site.following, datetime.now(UTC)
    shown = [one for one in runs_shown(following, now) if one.ended_at is None]
    most = {backend.name: backend.max_concurrent for backend in site.config.backends}
    left = {one.run.id: _left(following, one.run, most, now.timestamp()) for one in shown}
    return site.rendering.page(request, "overview_ends.html", left=left)


def _left(following: Following, run: Run, most: Mapping[str, int], now: float) -> timedelta | None:
    alike = sorted(
        (one for one in following.store.runs.values() if one.workflow == run.workflow),
        key=lambda one: one.created_at,
    )
    before = {one.id for one in [*alike[-RUNS_ALIKE:], run]}
    known = took(row for run_id in before for row in following.index.of_run(run_id))
    limit = most.get(run.backend, 1)
    if run.max_concurrent is not None:
        limit = min(limit, run.max_concurrent)
    return time_left(following.index.of_run(run.id), known, most=limit, now=now)
