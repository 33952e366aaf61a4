"""The overview: how everything stands."""

from __future__ import annotations

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from hopper.bootstrap.state import read_state
from hopper.operations.glance import Glance, Screen
from hopper.web.site import OfSite

router = APIRouter()


@router.get("/", name="overview")
async def overview(request: Request, site: OfSite) -> HTMLResponse:
    """Show how everything stands."""

    def look() -> Screen:
        with read_state(site.config) as store:
            return Glance(site.config, store).screen(15)

    screen = await to_thread.run_sync(look)
    return site.rendering.page(request, "overview.html", section="overview", screen=screen)
