"""Workers and backends: how they stand, what they have, and who gets new jobs."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from hopper.bootstrap import inventory
from hopper.documents.backends import (
    backend_document,
    check_document,
    machines_document,
    native_job_document,
)
from hopper.documents.externals import external_document
from hopper.documents.overview import worker_document
from hopper.documents.values import Json
from hopper.documents.workers import look_document
from hopper.errors import NotThere
from hopper.operations import workers
from hopper.operations.asking import Asking, find_backend
from hopper.operations.backend_looks import check, elsewhere, machines
from hopper.operations.doctor import look_at
from hopper.operations.scanning import scan
from hopper.web.api import place_models as models
from hopper.web.api.answers import answer
from hopper.web.api.parts import Name, problems
from hopper.web.changing import apart, changing, give
from hopper.web.finding import batch_system, known_worker
from hopper.web.security.access import Operator, Viewer
from hopper.web.security.middleware import require
from hopper.web.security.roles import Role
from hopper.web.security.visits import visit_of
from hopper.web.site import OfSite

router = APIRouter()
Tags = list[str | Enum]
_WORKERS: Tags = ["Workers"]
_BACKENDS: Tags = ["Backends"]


@router.get("/workers", response_model=models.Workers, responses=problems(), tags=_WORKERS)
async def list_workers(site: OfSite, _: Viewer) -> Response:
    """List the workers of the inventory and how they stand, as far as is remembered."""
    now = await site.places.stand(site.following)
    items = [worker_document(view) for view in now.workers]
    return answer({"items": items, "inventory_error": now.inventory_error or None})


@router.get(
    "/workers/{worker}", response_model=models.WorkerState, responses=problems(404), tags=_WORKERS
)
async def show_worker(site: OfSite, _: Viewer, worker: Name) -> Response:
    """Show how a worker stands."""
    views = (await site.places.stand(site.following)).workers
    found = next((view for view in views if view.name == worker), None)
    if found is None:
        raise NotThere(f"no worker {worker!r}", way_out="see the list of workers")
    return answer(worker_document(found))


@router.post(
    "/workers/{worker}/drain",
    response_model=models.Drained,
    responses=problems(404, 409),
    tags=_WORKERS,
)
async def drain_worker(site: OfSite, who: Operator, worker: Name) -> Response:
    """Send no new jobs to a worker; those that it has are followed to their end."""
    await known_worker(site, worker)
    jobs = await changing(site, lambda: workers.drain(site.config, [worker], by=who.by))
    site.places.forget()
    return answer({"worker": worker, "drained": True, "jobs": jobs.get(worker)})


@router.post(
    "/workers/{worker}/resume",
    response_model=models.Drained,
    responses=problems(404, 409),
    tags=_WORKERS,
)
async def resume_worker(site: OfSite, who: Operator, worker: Name) -> Response:
    """Let a worker take jobs again: ends drain, quarantine and back-off."""
    await known_worker(site, worker)
    await changing(site, lambda: workers.resume(site.config, [worker], by=who.by))
    site.places.forget()
    return answer({"worker": worker, "drained": False, "jobs": None})


@router.post(
    "/workers/{worker}/check",
    response_model=models.WorkerCheck,
    responses=problems(404),
    tags=_WORKERS,
)
async def check_worker(site: OfSite, _: Operator, worker: Name) -> Response:
    """Log in to a worker and say what it has and lacks; changes nothing."""
    await known_worker(site, worker)

    def look() -> Json:
        reading = inventory.read_inventory(site.config)
        return look_document(look_at(site.config, reading, [worker], make=False)[0])

    return answer(await apart(look, far=True))


@router.post(
    "/workers/{worker}/setup",
    response_model=models.WorkerCheck,
    responses=problems(404, 409),
    tags=_WORKERS,
)
async def set_up_worker(site: OfSite, who: Operator, worker: Name) -> Response:
    """Make the Inbox and Outbox of a worker, and say what else it lacks; again is harmless."""
    await known_worker(site, worker)

    def look() -> Json:
        reading = inventory.read_inventory(site.config)
        return look_document(look_at(site.config, reading, [worker], make=True)[0])

    document = await apart(look, far=True)
    await give(site, who, {"do": "look", "workers": [worker]})
    return answer(document)


@router.post("/scans", response_model=models.Scans, responses=problems(404), tags=_WORKERS)
async def scan_workers(site: OfSite, _: Operator, asked: models.ScanAsked) -> Response:
    """Look at workers once and show what is there; nothing is changed."""
    found = await apart(lambda: scan(site.config, asked.workers), far=True)
    return answer({"items": [one.document() for one in found]})


# --- backends


@router.get("/backends", response_model=models.Backends, responses=problems(), tags=_BACKENDS)
async def list_backends(site: OfSite, _: Viewer) -> Response:
    """List the backends and how they stand, as far as is remembered."""
    stand = await site.places.stand(site.following)
    return answer({"items": [backend_document(one.view) for one in stand.backends]})


@router.get(
    "/backends/{backend}",
    response_model=models.BackendState,
    responses=problems(404),
    tags=_BACKENDS,
)
async def show_backend(site: OfSite, _: Viewer, backend: Name) -> Response:
    """Show how a backend stands."""
    stand = await site.places.stand(site.following)
    found = next((one.view for one in stand.backends if one.view.name == backend), None)
    if found is None:
        raise NotThere(f"there is no backend {backend!r}", way_out="see the list of backends")
    return answer(backend_document(found))


@router.post(
    "/backends/{backend}/pause",
    response_model=models.BackendPaused,
    responses=problems(404, 409),
    tags=_BACKENDS,
)
async def pause_backend(site: OfSite, who: Operator, backend: Name) -> Response:
    """Submit nothing more to a backend; what it has is followed to its end."""
    name = batch_system(site, backend)
    told = await give(site, who, {"do": "pause_backend", "backend": name})
    site.places.forget()
    return answer(told)


@router.post(
    "/backends/{backend}/resume",
    response_model=models.BackendPaused,
    responses=problems(404, 409),
    tags=_BACKENDS,
)
async def resume_backend(site: OfSite, who: Operator, backend: Name) -> Response:
    """Let a backend have jobs again."""
    name = batch_system(site, backend)
    told = await give(site, who, {"do": "resume_backend", "backend": name})
    site.places.forget()
    return answer(told)


@router.post(
    "/backends/{backend}/check",
    response_model=models.BackendCheck,
    responses=problems(404),
    tags=_BACKENDS,
)
async def check_backend(site: OfSite, _: Operator, backend: Name) -> Response:
    """Log in to a backend and see whether it can take jobs; an error is told in `error`."""
    name = batch_system(site, backend)

    def look() -> Json:
        with Asking(site.config) as asking:
            return check_document(check(site.config, find_backend(site.config, name), asking))

    return answer(await apart(look, far=True))


@router.get(
    "/backends/{backend}/info",
    response_model=models.Machines,
    responses=problems(404),
    tags=_BACKENDS,
)
async def show_machines(site: OfSite, _: Operator, backend: Name) -> Response:
    """Ask a cluster for its machines, what of them is free, and the disk use of its clones."""
    name = batch_system(site, backend)

    def look() -> Json:
        with Asking(site.config) as asking:
            return machines_document(machines(site.config, find_backend(site.config, name), asking))

    return answer(await apart(look, far=True))


@router.get(
    "/backends/{backend}/jobs",
    response_model=models.NativeJobs,
    responses=problems(404),
    tags=_BACKENDS,
)
async def list_native_jobs(
    request: Request,
    site: OfSite,
    _: Viewer,
    backend: Name,
    which: Annotated[
        Literal["seen", "gone", "now"],
        Query(description="Others' jobs as last seen, those that are gone, or all by asking now."),
    ] = "seen",
    everybody: Annotated[
        bool, Query(description="With `now`: not only the config's users.")
    ] = False,
) -> Response:
    """List the jobs that a cluster has, or had. To have it asked now takes an operator."""
    name = batch_system(site, backend)
    if which != "now":
        store = site.following.store
        jobs = [
            one
            for one in store.externals.values()
            if one.backend == name and (one.gone_at is not None) is (which == "gone")
        ]
        jobs.sort(key=lambda one: (one.gone_at or one.first_seen, one.id))
        cluster = store.clusters.get(name)
        return answer({"items": [external_document(one, cluster) for one in jobs]})
    require(visit_of(request.scope), Role.OPERATOR)

    def look() -> list[Json]:
        with Asking(site.config) as asking:
            place = find_backend(site.config, name)
            found = elsewhere(site.config, place, asking, everybody=everybody)
        return [native_job_document(one) for one in found]

    return answer({"items": await apart(look, far=True)})
