"""What people do to runs from the pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from hopper.errors import UsageError
from hopper.operations.run_changes import delete_run
from hopper.web.addresses import address
from hopper.web.changing import MOST_TOLD, change_jobs, changed, changing, give, outcome_of
from hopper.web.pages.run_looks import look_at, task_of
from hopper.web.problems import Conflict
from hopper.web.rendering import wants_part
from hopper.web.security.access import Operator
from hopper.web.security.roles import Identity
from hopper.web.site import OfSite, Site

router = APIRouter()
Ticked = Annotated[str, Form(max_length=10)]


@router.post("/runs/{run_id}/cancel", name="cancel_run")
async def cancel(request: Request, site: OfSite, identity: Operator, run_id: str) -> Response:
    """End all tasks of a run that have not ended."""
    await _live(site, run_id)
    words = await _done(site, identity, {"do": "cancel_run", "run": run_id}, "cancelled")
    return changed(request, site, words, back=address(request, "run", run_id=run_id))


@router.post("/runs/{run_id}/rerun", name="rerun_run")
async def rerun(
    request: Request, site: OfSite, identity: Operator, run_id: str, no_cache: Ticked = ""
) -> Response:
    """Run the tasks that have ended again."""
    return await _again(request, site, identity, run_id, failed=False, no_cache=bool(no_cache))


@router.post("/runs/{run_id}/rerun-failed", name="rerun_failed")
async def rerun_failed(
    request: Request, site: OfSite, identity: Operator, run_id: str, no_cache: Ticked = ""
) -> Response:
    """Run the tasks that did not end well again."""
    return await _again(request, site, identity, run_id, failed=True, no_cache=bool(no_cache))


@router.post("/runs/{run_id}/delete", name="delete_run")
async def delete(
    request: Request, site: OfSite, identity: Operator, run_id: str, results: Ticked = ""
) -> Response:
    """Forget a run that has ended; ``results``: and what came home of it."""
    look = await look_at(site, run_id)
    if not look.over:
        raise Conflict(f"tasks of run {run_id} have not ended", way_out="cancel it first")
    await changing(
        site, lambda: delete_run(site.config, run_id, results=bool(results), by=identity.by)
    )
    home = address(request, "runs")
    if wants_part(request):
        # The page that asked may be the run's own, which is no more.
        return Response(status_code=200, headers={"HX-Redirect": home})
    return RedirectResponse(home, status_code=303)


@router.post("/runs/{run_id}/tasks/{task}/change", name="change_task")
async def change_task(
    request: Request,
    site: OfSite,
    identity: Operator,
    run_id: str,
    task: str,
    act: Annotated[str, Form(max_length=20)],
) -> Response:
    """Cancel a task, or run it again."""
    if act not in {"cancel", "requeue"}:
        raise UsageError(f"{act!r} cannot be done to a task", way_out="cancel or requeue")
    _, job = await task_of(site, run_id, task)
    words = (await change_jobs(site, identity, {"do": act}, [job.id])).told()
    back = address(request, "task", run_id=run_id, task=task)
    return changed(request, site, words, back=back)


async def _again(
    request: Request,
    site: Site,
    identity: Identity,
    run_id: str,
    *,
    failed: bool,
    no_cache: bool,
) -> Response:
    await _live(site, run_id)
    body = {"do": "rerun", "run": run_id, "failed": failed, "no_cache": no_cache}
    words = await _done(site, identity, body, "to be run again")
    return changed(request, site, words, back=address(request, "run", run_id=run_id))


async def _live(site: Site, run_id: str) -> None:
    """Raise NotThere for no run, Conflict for one that has left for the history."""
    look = await look_at(site, run_id)
    if not look.live:
        raise Conflict(
            f"run {run_id} ended long ago and has left for the history",
            way_out="run its workflow anew",
        )


async def _done(site: Site, identity: Identity, body: dict[str, object], words: str) -> str:
    """Have it done and return what came of it. Conflict where it does not go."""
    came = outcome_of(await give(site, identity, body))
    refused = list(came.refused.values())
    if refused and not came.done:
        raise Conflict("; ".join(refused[:MOST_TOLD]))
    count = len(came.done)
    told = f"{count} {'task' if count == 1 else 'tasks'} {words}"
    return f"{told}; {len(refused)} refused: {refused[0]}" if refused else told
