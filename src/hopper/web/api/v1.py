"""The routes of ``/api/v1``, put together."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from hopper import __version__
from hopper.web.api import (
    access,
    docs,
    events,
    job_changes,
    jobs,
    logs,
    places,
    run_changes,
    runs,
    submitting,
    whole,
    workflows,
)
from hopper.web.api.described import describe
from hopper.web.api.keeping import Kept, kept_for
from hopper.web.pages import metrics, system
from hopper.web.site import Site

PREFIX = "/api/v1"
PARTS = (
    jobs,
    logs,
    submitting,
    job_changes,
    runs,
    run_changes,
    workflows,
    places,
    events,
    whole,
    access,
    docs,
)


def router() -> APIRouter:
    """Return all of them. Their names begin with ``api_``, those of pages do not."""
    whole_api = APIRouter(prefix=PREFIX)
    for part in PARTS:
        for route in part.router.routes:
            if isinstance(route, APIRoute):
                route.name = f"api_{_operation(route)}"
        whole_api.include_router(part.router, generate_unique_id_function=_operation)
    return whole_api


def _operation(route: APIRoute) -> str:
    return route.name.removeprefix("api_")


def attach(app: FastAPI, site: Site) -> Kept:
    """Give an application the API of a site; return what it keeps."""
    kept = app.state.api_kept = kept_for(site)
    _route(app)
    return kept


def openapi_document() -> dict[str, Any]:
    """Return the description of the API, which is the same for every site."""
    app = FastAPI(version=__version__)
    _route(app)
    return app.openapi()


def _route(app: FastAPI) -> None:
    app.include_router(router(), generate_unique_id_function=_operation)
    for page in (system, metrics):
        app.include_router(page.router, generate_unique_id_function=_operation)
    describe(app)
