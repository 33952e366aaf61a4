"""Runs that are made, cancelled, run again and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, cast

from fastapi import APIRouter, Body, Query, Request, Response

from hopper.dispatch.run_acts import NewRun
from hopper.documents.values import Json
from hopper.documents.workflows import plan_document, started_document
from hopper.errors import NotThere, UsageError
from hopper.model.run import RunState
from hopper.operations.finding import WAY_OUT
from hopper.operations.generate import find_recipe
from hopper.operations.run_changes import delete_run as forget_run
from hopper.operations.scripts import script_of
from hopper.operations.starting import Choices, planned_run, start_run
from hopper.store.codec import encode
from hopper.web.addresses import address
from hopper.web.api import run_models
from hopper.web.api.answers import answer
from hopper.web.api.idempotency import Key
from hopper.web.api.keeping import OfKept
from hopper.web.api.parts import Name, body_of, problems
from hopper.web.changing import apart, changing, give
from hopper.web.problems import Conflict
from hopper.web.security.access import Operator
from hopper.web.security.roles import Identity
from hopper.web.site import OfSite, Site

router = APIRouter(tags=["Runs"], responses=problems(404, 409))


@router.post("/runs", status_code=201, response_model=run_models.Started)
async def start_workflow(
    request: Request,
    site: OfSite,
    who: Operator,
    kept: OfKept,
    asked: run_models.RunAsked,
    key: Key = None,
) -> Response:
    """Get a workflow's tasks and make a run of them.

    That takes as long as its command, or the clone of its repository.
    """

    async def work() -> tuple[int, Json]:
        choices = Choices(most=asked.max_concurrent, array=asked.array, no_cache=asked.no_cache)
        new = await apart(lambda: _planned(site, who, asked, choices), far=True)
        if not new.tasks:
            raise Conflict(f"{asked.workflow} has no tasks; there is nothing to run")
        await changing(site, lambda: start_run(site.config, new, by=who.by))
        return 201, started_document(new)

    told = encode(asked.model_dump(mode="json")).decode()
    status, made, again = await kept.repeats.once(key, who.by, told, work)
    document = cast("Json", made)
    headers = {"Location": address(request, "api_show_run", run=document["run"])}
    if again:
        headers["Idempotent-Replayed"] = "true"
    return answer(document, status=status, headers=headers)


@router.post("/dry-runs", response_model=run_models.Plan)
async def plan_workflow(site: OfSite, who: Operator, asked: run_models.PlanAsked) -> Response:
    """Get a workflow's tasks and show what would be run; nothing is submitted."""
    choices = Choices(most=asked.max_concurrent, array=asked.array)
    new = await apart(lambda: _planned(site, who, asked, choices), far=True)
    return answer(plan_document(new))


@router.post(
    "/dry-runs/scripts/{task}",
    response_class=Response,
    responses={200: body_of("text/plain", description="The script.")},
)
async def plan_script(
    site: OfSite, who: Operator, task: Name, asked: run_models.PlanAsked
) -> Response:
    """Show the script that a task of a workflow would have; nothing is submitted."""
    choices = Choices(most=asked.max_concurrent, array=asked.array)

    def told() -> str:
        return script_of(site.config, _planned(site, who, asked, choices), task)

    text = await apart(told, far=True)
    return Response(text.encode(errors="surrogateescape"), media_type="text/plain")


def _planned(site: Site, who: Identity, asked: run_models.PlanAsked, choices: Choices) -> NewRun:
    try:
        recipe = find_recipe(site.config, asked.workflow, None, files=False)
    except NotThere as error:
        # It stands in the body, not in the address.
        raise UsageError(error.what, way_out=error.way_out) from error
    return planned_run(site.config, recipe, choices, user=who.by)


@router.post("/runs/{run}/cancel", response_model=run_models.RunChanged)
async def cancel_run(site: OfSite, who: Operator, run: Name) -> Response:
    """End all tasks of a run that have not ended."""
    _live(site, run)
    told = await give(site, who, {"do": "cancel_run", "run": run})
    if not told.get("done") and not told.get("refused"):
        raise Conflict(f"{run}: all of its tasks have ended")
    return answer(_changed(run, told))


@router.post("/runs/{run}/rerun", response_model=run_models.RunChanged)
async def rerun_run(
    site: OfSite,
    who: Operator,
    run: Name,
    asked: Annotated[run_models.RerunAsked | None, Body()] = None,
) -> Response:
    """Run the tasks of a run that have ended again, under the same id."""
    _live(site, run)
    choices = asked or run_models.RerunAsked(failed=False, no_cache=False)
    body: Json = {"do": "rerun", "run": run, **choices.model_dump()}
    return answer(_changed(run, await give(site, who, body)))


@router.delete("/runs/{run}", response_model=run_models.RunDeleted)
async def delete_run(
    site: OfSite,
    who: Operator,
    run: Name,
    results: Annotated[bool, Query(description="Also what came home of it.")] = False,
) -> Response:
    """Forget a run that has ended, its tasks and scripts; results stay unless asked for."""
    live = site.following.newest_run(run)
    if live is None:
        if not await apart(lambda: _is_old(site, run)):
            raise NotThere(f"there is no run {run!r}", way_out=WAY_OUT)
    elif site.following.tally(live).state in {RunState.PENDING, RunState.RUNNING}:
        raise Conflict(f"tasks of run {run} have not ended", way_out="cancel it first")
    told = await changing(site, lambda: forget_run(site.config, run, results=results, by=who.by))
    return answer(told)


def _is_old(site: Site, run_id: str) -> bool:
    """Return True for a run of the history. For a thread."""
    return any(run.id == run_id for run in site.following.store.history_runs())


def _live(site: Site, run_id: str) -> None:
    if site.following.newest_run(run_id) is None:
        raise NotThere(f"there is no live run {run_id!r}", way_out=WAY_OUT)


def _changed(run_id: str, told: Mapping[str, object]) -> Json:
    return {"run": run_id, "done": told.get("done", {}), "refused": told.get("refused", {})}
