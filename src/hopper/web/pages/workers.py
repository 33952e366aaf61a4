"""Workers and backends: how they stand, and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from hopper.bootstrap.inventory import read_inventory
from hopper.config.model import HopperConfig
from hopper.documents.backends import backend_document
from hopper.documents.overview import worker_document
from hopper.errors import HopperError, NotThere
from hopper.operations import workers as changes
from hopper.operations.asking import Asking, find_backend
from hopper.operations.backend_looks import check as check_backend
from hopper.operations.doctor import Check, look_at, of_backend, of_worker
from hopper.web.addresses import address
from hopper.web.changing import apart, changed, changing, give
from hopper.web.finding import batch_system, known_worker
from hopper.web.problems import wants_json
from hopper.web.rendering import wants_part
from hopper.web.security.access import Operator, Viewer
from hopper.web.site import OfSite, Site

router = APIRouter()

Look = Callable[[], Check]
SHOWN = 12
"""Jobs of one worker that are named."""


@router.get("/workers", name="workers")
async def workers(request: Request, site: OfSite, _: Viewer) -> Response:
    """Show all workers and backends, whether they take jobs, and which they have."""
    stand = await site.places.stand(site.following)
    if wants_json(request):
        return JSONResponse(
            {
                "workers": [worker_document(view) for view in stand.workers],
                "backends": [backend_document(place.view) for place in stand.backends],
            }
        )
    return site.rendering.page(
        request,
        "workers_part.html" if wants_part(request) else "workers.html",
        section="workers",
        stand=stand,
        shown=SHOWN,
        trouble=site.following.trouble,
    )


@router.post("/workers/{name}/{act}", name="change_worker")
async def change_worker(
    request: Request, site: OfSite, identity: Operator, name: str, act: str
) -> Response:
    """Look at a worker (``check``), make its folders (``setup``), ``drain`` or ``resume`` it."""
    await known_worker(site, name)
    if act == "check":
        return await _checked(request, site, lambda: check_worker(site.config, name))
    if act == "setup":
        found = await _checked(request, site, lambda: check_worker(site.config, name, make=True))
        # What was wrong with it need not be so any more.
        await give(site, identity, {"do": "look", "workers": [name]})
        return found
    if act == "drain":
        left = await changing(site, lambda: changes.drain(site.config, [name], by=identity.by))
        jobs = left[name]
        words = f"{name} takes no new jobs{f'; {jobs} are still on it' if jobs else ''}"
    elif act == "resume":
        await changing(site, lambda: changes.resume(site.config, [name], by=identity.by))
        words = f"{name} may take jobs again"
    else:
        raise NotThere(f"{act!r} is nothing that can be done to a worker")
    site.places.forget()
    return changed(request, site, words, back=address(request, "workers"))


@router.post("/backends/{name}/{act}", name="change_backend")
async def change_backend(
    request: Request, site: OfSite, identity: Operator, name: str, act: str
) -> Response:
    """Submit nothing more to a backend (``pause``), or go on (``resume``)."""
    backend = batch_system(site, name)
    if act == "check":
        return await _checked(request, site, lambda: check_system(site.config, name))
    if act not in {"pause", "resume"}:
        raise NotThere(f"{act!r} is nothing that can be done to a backend")
    await give(site, identity, {"do": f"{act}_backend", "backend": backend})
    words = f"{name} is paused" if act == "pause" else f"{name} goes on"
    return changed(request, site, words, back=address(request, "workers"))


@router.post("/dispatch/{act}", name="change_dispatch")
async def change_dispatch(request: Request, site: OfSite, identity: Operator, act: str) -> Response:
    """Have nothing launched or submitted (``pause``), or go on (``resume``)."""
    if act not in {"pause", "resume"}:
        raise NotThere(f"{act!r} is nothing that can be done to the dispatcher")
    await give(site, identity, {"do": act})
    words = "nothing is launched any more" if act == "pause" else "jobs are launched again"
    return changed(request, site, words, back=address(request, "overview"))


async def _checked(request: Request, site: Site, look: Look) -> Response:
    found = await apart(look, far=True)
    if wants_json(request):
        body = {"verdict": str(found.verdict), "said": found.said, "way_out": found.way_out}
        return JSONResponse({"subject": found.subject, **body})
    template = "check.html" if wants_part(request) else "check_page.html"
    return site.rendering.page(request, template, section="workers", check=found)


def check_worker(config: HopperConfig, name: str, *, make: bool = False) -> Check:
    """Log in to a worker and look what it has and lacks; ``make`` makes its folders."""
    reading = read_inventory(config)
    looks = look_at(config, reading, [name], make=make)
    if not looks:
        raise HopperError(f"nothing was heard of {name}")
    return of_worker(looks[0], reading.workers[name])


def check_system(config: HopperConfig, name: str) -> Check:
    """Log in to a backend and look whether it can take jobs; changes nothing."""
    with Asking(config) as asking:
        return of_backend(check_backend(config, find_backend(config, name), asking))
