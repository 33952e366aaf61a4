"""Sources: repositories and folders with workflow files; looking at them anew, and running them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import JSONResponse, Response

from hopper.config.model import HopperConfig
from hopper.config.workflows import Source
from hopper.documents.sources import file_document, source_document
from hopper.documents.values import Json
from hopper.errors import HopperError
from hopper.operations.asking import Asking
from hopper.operations.sources import Synced, find_source, remembered, sync
from hopper.web.addresses import address
from hopper.web.changing import apart, changed
from hopper.web.pages.workflows import Asked, Plans, place_of, preview, start
from hopper.web.problems import Conflict, wants_json
from hopper.web.rendering import wants_part
from hopper.web.security.access import Operator, Viewer
from hopper.web.site import OfSite, Site

router = APIRouter()
Text = Annotated[str, Query(max_length=1000)]
FILES = 500
"""Files of a source that are shown."""
_UNDER_WAY: set[tuple[str, str]] = set()


@router.get("/sources", name="sources")
async def sources(request: Request, site: OfSite, _: Viewer) -> Response:
    """Show the sources as they were last seen: a page, or JSON."""
    seen = await apart(lambda: remembered(site.config))
    if wants_json(request):
        return JSONResponse(_documents(site.config, seen))
    return site.rendering.page(
        request,
        "sources_part.html" if wants_part(request) else "sources.html",
        section="sources",
        sources=[(source, seen.get(source.name)) for source in site.config.sources],
        most=FILES,
        places={
            (source.name, file): place_of(request, f"{source.name}:{file}")
            for source in site.config.sources
            if source.name in seen
            for file in seen[source.name].files[:FILES]
        },
    )


@router.get("/api/sources", name="api_sources")
async def api_sources(site: OfSite, _: Viewer) -> Response:
    """Give the sources as they were last seen."""
    seen = await apart(lambda: remembered(site.config))
    return JSONResponse(_documents(site.config, seen))


def _documents(config: HopperConfig, seen: Mapping[str, Synced]) -> list[Json]:
    return [source_document(source, seen.get(source.name)) for source in config.sources]


@router.post("/sources/{name}/sync", name="sync_source")
async def look_anew(request: Request, site: OfSite, _: Operator, name: str) -> Response:
    """Look at a source now. Conflict while that is being done already."""
    source = find_source(site.config, name)
    seen = await _synced(site, source)
    if seen.error:
        raise HopperError(f"{name} could not be looked at: {seen.error}")
    if wants_json(request):
        return JSONResponse(source_document(source, seen))
    count = f"{len(seen.files)} workflow {'file' if len(seen.files) == 1 else 'files'}"
    return changed(request, site, f"{name}: {count}", back=address(request, "sources"))


async def _synced(site: Site, source: Source) -> Synced:
    key = (str(site.config.paths.db), source.name)
    if key in _UNDER_WAY:
        raise Conflict(f"{source.name} is being looked at already", way_out="wait a moment")
    _UNDER_WAY.add(key)

    def look() -> Synced:
        with Asking(site.config) as asking:
            return sync(site.config, source, asking, now=datetime.now(UTC))

    try:
        return await apart(look)
    finally:
        _UNDER_WAY.discard(key)


@router.get("/sources/{name}/workflows", name="source_workflows")
async def workflows(request: Request, site: OfSite, _: Viewer, name: str) -> Response:
    """Show the workflow files of a source as they were last seen: a page, or JSON."""
    source = find_source(site.config, name)
    seen = (await apart(lambda: remembered(site.config))).get(name)
    files = seen.files if seen is not None else ()
    if wants_json(request):
        return JSONResponse([file_document(source, file) for file in files])
    return site.rendering.page(
        request,
        "sources_part.html" if wants_part(request) else "sources.html",
        section="sources",
        sources=[(source, seen)],
        most=FILES,
        places={(name, file): place_of(request, f"{name}:{file}") for file in files[:FILES]},
    )


@router.get("/sources/{name}/workflows/{file:path}/dry-run", name="source_dry_run")
async def dry_run(
    *,
    request: Request,
    site: OfSite,
    plans: Plans,
    identity: Operator,
    name: str,
    file: str,
    most: Text = "",
    array: Text = "",
) -> Response:
    """Show what a workflow file of a source would come to; nothing is submitted."""
    find_source(site.config, name)
    asked = Asked(most=most, array=array)
    return await preview(request, site, plans, identity, f"{name}:{file}", asked)


@router.post("/sources/{name}/workflows/{file:path}/run", name="run_source_file")
async def run(
    *,
    request: Request,
    site: OfSite,
    plans: Plans,
    identity: Operator,
    name: str,
    file: str,
    most: Annotated[str, Form(max_length=20)] = "",
    array: Annotated[str, Form(max_length=20)] = "",
    no_cache: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Make a run of a workflow file of a source."""
    find_source(site.config, name)
    asked = Asked(most=most, array=array, no_cache=bool(no_cache))
    return await start(request, site, plans, identity, f"{name}:{file}", asked)
