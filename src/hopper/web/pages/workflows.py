"""Workflows: what there is to run, what it would come to, and running it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from hopper.documents.workflows import plan_document, started_document, workflow_rows
from hopper.errors import NotThere, UsageError
from hopper.operations.finding import by_workflow
from hopper.operations.generate import Recipe, find_recipe
from hopper.operations.scripts import script_of
from hopper.operations.starting import Choices
from hopper.web.addresses import address
from hopper.web.changing import apart
from hopper.web.planning import Planning
from hopper.web.problems import wants_json
from hopper.web.rendering import wants_part
from hopper.web.security.access import Operator, Viewer
from hopper.web.security.refusals import AccessRefused
from hopper.web.security.roles import Identity
from hopper.web.site import OfSite, Site

router = APIRouter()
Text = Annotated[str, Query(max_length=1000)]

TASKS = 500
"""Tasks of a preview that are shown."""
MOST_AT_A_TIME = 1_000_000


def planning(request: Request) -> Planning:
    """Return the plans that are being made, and those that were made just now."""
    found: Planning = request.app.state.planning
    return found


Plans = Annotated[Planning, Depends(planning)]


@router.get("/workflows", name="workflows")
async def workflows(request: Request, site: OfSite, _: Viewer) -> Response:
    """Show the workflows of the config and the files of its sources: a page, or JSON."""
    runs = site.following.store.runs
    known = by_workflow(runs.values())
    rows = await apart(lambda: workflow_rows(site.config, known))
    if wants_json(request):
        return JSONResponse(rows)
    return site.rendering.page(
        request,
        "workflows_part.html" if wants_part(request) else "workflows.html",
        section="workflows",
        rows=rows,
        tallies={
            one: site.following.tally(runs[one])
            for row in rows
            if (one := str(row["last_run"])) in runs
        },
        places={str(row["name"]): place_of(request, str(row["name"])) for row in rows},
    )


def place_of(request: Request, name: str) -> Mapping[str, str]:
    """Return the addresses at which a workflow is previewed and run."""
    source, colon, file = name.partition(":")
    if colon:
        return {
            "preview": address(request, "source_dry_run", name=source, file=file),
            "run": address(request, "run_source_file", name=source, file=file),
        }
    return {
        "preview": address(request, "dry_run", name=name),
        "run": address(request, "run_workflow", name=name),
    }


# --- what it would come to


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a person chooses for one run."""

    most: str = ""
    array: str = ""
    no_cache: bool = False

    def choices(self) -> Choices:
        """Return it as the run takes it. UsageError."""
        if self.array not in {"", "auto", "never"}:
            raise UsageError(f"{self.array!r} is no way of arrays", way_out="auto or never")
        most = self.most.strip()
        if most and not (most.isascii() and most.isdigit() and 0 < int(most[:9]) < MOST_AT_A_TIME):
            raise UsageError(f"{most[:20]!r} is no number of tasks", way_out="1 or more")
        return Choices(
            most=int(most) if most else None,
            array=self.array or None,
            no_cache=self.no_cache,
        )


@router.get("/workflows/{name}/dry-run", name="dry_run")
async def dry_run(
    *,
    request: Request,
    site: OfSite,
    plans: Plans,
    identity: Operator,
    name: str,
    most: Text = "",
    array: Text = "",
) -> Response:
    """Show what a workflow of the config would come to; nothing is submitted."""
    if ":" in name:
        raise NotThere(f"there is no workflow {name!r} in the config")
    asked = Asked(most=most, array=array)
    return await preview(request, site, plans, identity, name, asked)


async def preview(
    request: Request, site: Site, plans: Planning, identity: Identity, name: str, asked: Asked
) -> Response:
    """Answer with the frame of the preview, or, for htmx and programs, with what is in it.

    Only those make the plan: it runs commands, to which no other site's link shall lead.
    """
    recipe = recipe_of(site, name)
    choices = asked.choices()
    if not wants_part(request) and not wants_json(request):
        return site.rendering.page(
            request,
            "dry_run.html",
            section="workflows",
            recipe=recipe,
            asked=asked,
            place=place_of(request, name),
        )
    if request.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        raise AccessRefused(403, "a preview is not for other sites to ask for")
    new = await plans.plan(site.config, recipe, choices, user=identity.name)
    if wants_json(request):
        return JSONResponse(plan_document(new))
    names = {task.job: task.task.id for task in new.tasks}
    return site.rendering.page(
        request,
        "dry_run_plan.html",
        new=new,
        tasks=[
            (task, [names.get(job, job) for job in task.spec.after]) for task in new.tasks[:TASKS]
        ],
        more=max(0, len(new.tasks) - TASKS),
        plan=plans.keep(new, identity.name),
    )


@router.get("/plans/{plan}/script", name="plan_script")
async def plan_script(
    site: OfSite, plans: Plans, identity: Operator, plan: str, task: Text
) -> Response:
    """Show the script that a task of a preview would have."""
    new = plans.kept(plan, identity.name)
    text = await apart(lambda: script_of(site.config, new, task))
    return PlainTextResponse(text.encode("utf-8", "surrogateescape"))


def recipe_of(site: Site, name: str) -> Recipe:
    """Return the workflow of the config, or the file of a source. Never a file at home."""
    return find_recipe(site.config, name, None, files=False)


# --- running it


@router.post("/workflows/{name}/run", name="run_workflow")
async def run(
    *,
    request: Request,
    site: OfSite,
    plans: Plans,
    identity: Operator,
    name: str,
    most: Annotated[str, Form(max_length=20)] = "",
    array: Annotated[str, Form(max_length=20)] = "",
    no_cache: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Make a run of a workflow of the config."""
    if ":" in name:
        raise NotThere(f"there is no workflow {name!r} in the config")
    asked = Asked(most=most, array=array, no_cache=bool(no_cache))
    return await start(request, site, plans, identity, name, asked)


async def start(
    request: Request, site: Site, plans: Planning, identity: Identity, name: str, asked: Asked
) -> Response:
    """Make a run and lead to it. Conflict while one of the same is being made."""
    recipe = recipe_of(site, name)
    new = await plans.start(
        site.config, recipe, asked.choices(), user=identity.name, by=identity.by
    )
    there = address(request, "run", run_id=new.run.id)
    if wants_json(request):
        return JSONResponse(started_document(new), status_code=201, headers={"Location": there})
    if wants_part(request):
        return Response(status_code=200, headers={"HX-Redirect": there})
    return RedirectResponse(there, status_code=303)
