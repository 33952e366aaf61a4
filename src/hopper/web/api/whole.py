"""How everything stands, the dispatcher, the config in force, and who asks."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from hopper.bootstrap.state import dispatching
from hopper.documents.settings import masked_config
from hopper.web.api import place_models as models
from hopper.web.api.answers import LARGEST_PAGE, answer
from hopper.web.api.parts import problems
from hopper.web.changing import apart, give
from hopper.web.security.access import Admin, Operator, Viewer
from hopper.web.site import OfSite
from hopper.web.standing import status_document

router = APIRouter()
Tags = list[str | Enum]
_SERVER: Tags = ["Server"]
_DISPATCHER: Tags = ["Dispatcher"]


@router.get("/status", response_model=models.Status, responses=problems(), tags=_SERVER)
async def show_status(
    site: OfSite,
    _: Viewer,
    limit: Annotated[
        int, Query(ge=0, le=LARGEST_PAGE, description="Jobs on workers, and pending ones, at most.")
    ] = 100,
) -> Response:
    """Show how everything stands."""
    return answer(await status_document(site, limit))


@router.get(
    "/dispatcher", response_model=models.Dispatching, responses=problems(), tags=_DISPATCHER
)
async def show_dispatcher(site: OfSite, _: Viewer) -> Response:
    """Show whether a dispatcher runs, and whether launching is paused."""
    held = await apart(lambda: dispatching(site.config))
    who = {"pid": held.pid, "host": held.host, "started": held.started} if held else None
    paused = site.following.store.settings.get("paused") is True
    return answer({"paused": paused, "dispatcher": who})


@router.post(
    "/dispatcher/pause", response_model=models.Paused, responses=problems(409), tags=_DISPATCHER
)
async def pause_dispatcher(site: OfSite, who: Operator) -> Response:
    """Launch nothing on any worker until it is resumed; following goes on."""
    return answer(await give(site, who, {"do": "pause"}))


@router.post(
    "/dispatcher/resume", response_model=models.Paused, responses=problems(409), tags=_DISPATCHER
)
async def resume_dispatcher(site: OfSite, who: Operator) -> Response:
    """Launch jobs again."""
    return answer(await give(site, who, {"do": "resume"}))


@router.get("/config", response_model=dict[str, Any], responses=problems(), tags=_SERVER)
async def show_config(site: OfSite, _: Admin) -> Response:
    """Show the config in force, defaults included; secrets are masked."""
    return answer(masked_config(site.config))


@router.get("/whoami", response_model=models.Who, responses=problems(), tags=["Access"])
async def show_me(who: Viewer) -> Response:
    """Tell who asks, and what they may do."""
    return answer({"name": who.name, "role": str(who.role), "via": str(who.via), "by": who.by})
