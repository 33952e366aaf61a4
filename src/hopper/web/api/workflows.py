"""Workflows, and the sources that hold files of them."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from fastapi.responses import JSONResponse

from hopper.bootstrap import commands
from hopper.config.workflows import Source
from hopper.documents.sources import file_document, source_document
from hopper.documents.values import Json
from hopper.documents.workflows import recipe_document, workflow_rows
from hopper.model.event import EventKind
from hopper.model.run import Run
from hopper.operations import sources
from hopper.operations.asking import Asking
from hopper.operations.generate import find_recipe
from hopper.operations.sources import Synced
from hopper.web.api import run_models
from hopper.web.api.answers import answer
from hopper.web.api.parts import Name, problems
from hopper.web.changing import apart, changing
from hopper.web.security.access import Operator, Viewer
from hopper.web.site import OfSite, Site
from hopper.workflows.schema import json_schema

router = APIRouter(tags=["Workflows"])


@router.get("/workflows", response_model=run_models.Workflows, responses=problems())
async def list_workflows(site: OfSite, _: Viewer) -> Response:
    """List the workflows of the config, and the files of its sources as last seen."""
    runs = _runs(site)
    return answer({"items": await apart(lambda: workflow_rows(site.config, runs))})


@router.get(
    "/workflows/{workflow:path}", response_model=run_models.WorkflowWhole, responses=problems(404)
)
async def show_workflow(
    site: OfSite,
    _: Viewer,
    workflow: Annotated[str, Path(min_length=1, max_length=1000)],
) -> Response:
    """Show where a workflow's tasks come from, and its latest runs; asks no backend."""
    recipe = find_recipe(site.config, workflow, None, files=False)
    return answer(recipe_document(recipe, _runs(site).get(recipe.name, [])))


@router.get("/workflow-schema", response_model=dict[str, Any], responses=problems())
async def show_workflow_schema(_: Viewer) -> JSONResponse:
    """Return the JSON Schema of a workflow's tasks."""
    return JSONResponse(json_schema())


def _runs(site: Site) -> dict[str, list[Run]]:
    """Return the live runs by workflow, the newest first."""
    found: defaultdict[str, list[Run]] = defaultdict(list)
    runs = site.following.store.runs.values()
    for run in sorted(runs, key=lambda run: run.created_at, reverse=True):
        found[run.workflow].append(run)
    return found


@router.get("/sources", response_model=run_models.Sources, responses=problems())
async def list_sources(site: OfSite, _: Viewer) -> Response:
    """List the sources of the config as they were last seen."""
    seen = await apart(lambda: sources.remembered(site.config))
    items = [source_document(one, seen.get(one.name)) for one in site.config.sources]
    return answer({"items": items})


@router.get("/sources/{source}", response_model=run_models.SourceState, responses=problems(404))
async def show_source(site: OfSite, _: Viewer, source: Name) -> Response:
    """Show a source as it was last seen."""
    found = sources.find_source(site.config, source)
    seen = await apart(lambda: sources.remembered(site.config))
    return answer(source_document(found, seen.get(found.name)))


@router.post(
    "/sources/{source}/sync", response_model=run_models.SourceState, responses=problems(404)
)
async def sync_source(site: OfSite, who: Operator, source: Name) -> Response:
    """Look at a source now: fetch the newest commit, and find its workflow files.

    What goes wrong stands in `error`.
    """
    found = sources.find_source(site.config, source)
    return answer(await changing(site, lambda: _sync(site, found, who.by), far=True))


def _sync(site: Site, source: Source, by: str) -> Json:
    with Asking(site.config) as asking:
        seen: Synced = sources.sync(site.config, source, asking, now=datetime.now(UTC))
    note = {"do": "note", "kind": str(EventKind.SOURCE_SYNCED), "reason": source.name, "by": by}
    commands.give(site.config, note)
    return source_document(source, seen)


@router.get(
    "/sources/{source}/workflows", response_model=run_models.SourceFiles, responses=problems(404)
)
async def list_source_workflows(site: OfSite, _: Viewer, source: Name) -> Response:
    """List the workflow files of a source as it was last seen."""
    found = sources.find_source(site.config, source)
    seen = (await apart(lambda: sources.remembered(site.config))).get(found.name)
    files = seen.files if seen is not None else ()
    return answer({"items": [file_document(found, file) for file in files]})
