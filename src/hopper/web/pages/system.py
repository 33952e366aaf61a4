"""Whether the server is well."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from hopper import __version__
from hopper.bootstrap.state import dispatching
from hopper.web.api.place_models import Health
from hopper.web.site import OfSite

router = APIRouter(tags=["Server"])


@router.get(
    "/health",
    name="health",
    response_model=Health,
    responses={503: {"model": Health, "description": "The state cannot be read."}},
)
async def health(site: OfSite) -> JSONResponse:
    """Tell whether the state can be read, and whether somebody dispatches. Open to all."""
    trouble = site.following.trouble
    body = {
        "status": "ok" if not trouble else "degraded",
        "version": __version__,
        "dispatcher": dispatching(site.config) is not None,
    }
    if trouble:
        body["detail"] = "the state cannot be read; the log of 'hopper web' says why"
    return JSONResponse(body, status_code=503 if trouble else 200)
