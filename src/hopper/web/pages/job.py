"""A job's own page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse, Response

from hopper.bootstrap.state import read_state
from hopper.config.model import HopperConfig
from hopper.documents.externals import external_document, known_phase, last_seen_at
from hopper.documents.jobs import job_document, remark, usage_document
from hopper.errors import NotThere, UnknownJob
from hopper.model.attempt import Attempt
from hopper.model.job import Job, Origin
from hopper.model.worker import WorkerRecord
from hopper.operations.finding import one_job
from hopper.operations.whereabouts import result_paths
from hopper.store.state import StateStore
from hopper.web.addresses import address
from hopper.web.changing import apart
from hopper.web.pages.job_rows import ACTS, acts_for
from hopper.web.pages.logs import Far, view_of_log
from hopper.web.pages.run_looks import word_for
from hopper.web.problems import wants_json
from hopper.web.rendering import wants_part
from hopper.web.security.access import Viewer
from hopper.web.site import OfSite, Site

router = APIRouter()


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """A file that a job brought home."""

    name: str
    size: int | None
    """Bytes; None where it is not at home any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A job as its page shows it."""

    job: Job
    live: bool
    """It has not left for the history."""
    record: WorkerRecord | None
    before: tuple[tuple[str, str], ...]
    """The jobs that it comes after, with their states; empty where that is not known."""
    results: tuple[Result, ...]

    @property
    def log_at_home(self) -> bool:
        """True where nobody far away has to be asked for its newest log, which may take long."""
        newest = self.job.attempt
        over = self.job.state.terminal and newest is not None and not newest.open
        return over and self.job.origin is not Origin.EXTERNAL

    @property
    def attempts(self) -> list[Attempt]:
        """Its attempts, the newest first."""
        return list(reversed(self.job.attempts))


@router.get("/jobs/{job_id}", name="job")
async def show_job(request: Request, site: OfSite, far: Far, _: Viewer, job_id: str) -> Response:
    """Show a job: all that is known of it, its attempts and results, what can be done."""
    shown = await find(site, job_id)
    found = shown.job
    if wants_json(request):
        return JSONResponse(job_document(found, shown.record))
    if found.task is not None and found.run:
        word = word_for(found.task.id, found.id)
        there = address(request, "task", run_id=found.run, task=word)
        return RedirectResponse(there, status_code=303)
    row = site.following.index.rows.get(found.id)
    part = wants_part(request)
    log = None
    if not part and shown.log_at_home:
        # That of a job that runs has a page of its own, where one may wait for its worker.
        here = address(request, "job_log", job_id=found.id, kind="output")
        log = await view_of_log(site, far, found, "output", None, here)
    return site.rendering.page(
        request,
        "job_part.html" if part else "job.html",
        section="jobs",
        seen=shown,
        job=found,
        remark=remark(found, shown.record),
        usage=usage_document(found.attempt),
        terminal=site.config.web.terminal,
        acts=[(act, ACTS[act]) for act in acts_for(row)] if row is not None else [],
        log=log,
    )


async def find(site: Site, job_id: str) -> Seen:
    """Return a live job, or one of the history. UnknownJob."""
    store = site.following.store
    if job_id in store.jobs:
        return seen(site.config, store, store.jobs[job_id])
    return await apart(lambda: of_history(site.config, job_id))


def of_history(config: HopperConfig, job_id: str) -> Seen:
    """Return a job that has left for the history. UnknownJob."""
    with read_state(config) as store:
        found = one_job(store, job_id)
        if found.id != job_id:
            raise UnknownJob(job_id)
        return seen(config, store, found)


def seen(config: HopperConfig, store: StateStore, found: Job) -> Seen:
    """Return a job with what its page shows besides."""
    attempt = found.open_attempt
    live = {other: store.jobs.get(other) for other in found.spec.after}
    return Seen(
        job=found,
        live=found.id in store.jobs,
        record=store.workers.get(attempt.worker) if attempt is not None else None,
        before=tuple((other, str(job.state) if job else "") for other, job in live.items()),
        results=tuple(_result(path) for path in result_paths(config, found)),
    )


def _result(path: Path) -> Result:
    try:
        size: int | None = path.stat().st_size
    except OSError:
        size = None
    return Result(name=path.name, size=size)


@router.get("/jobs/external/{job_id:path}", name="external_job")
async def external_job(request: Request, site: OfSite, _: Viewer, job_id: str) -> Response:
    """Show a job on a cluster that hopper did not submit, as it was last seen."""
    store = site.following.store
    found = store.externals.get(job_id)
    if found is None:
        raise UnknownJob(job_id)
    cluster = store.clusters.get(found.backend)
    if wants_json(request):
        return JSONResponse(external_document(found, cluster))
    return site.rendering.page(
        request,
        "job_external.html",
        section="jobs",
        job=found,
        phase=known_phase(found),
        last_seen=last_seen_at(found, cluster),
    )


@router.get("/jobs/{job_id}/results/{name}", name="job_result")
async def send_result(site: OfSite, _: Viewer, job_id: str, name: str) -> Response:
    """Send a file that a job brought home, to be kept."""
    found = (await find(site, job_id)).job
    path = await apart(lambda: result_file(site.config, found, name))
    return FileResponse(
        path, media_type="application/octet-stream", filename=path.name, stat_result=path.stat()
    )


def result_file(config: HopperConfig, job: Job, name: str) -> Path:
    """Return a result of a job by its file name, as the job's own list has it. NotThere.

    It is a plain file below paths.inbox: no link leads out of there.
    """
    inbox = config.paths.inbox.resolve()
    for path in result_paths(config, job):
        if path.name == name and path.is_file() and path.resolve().is_relative_to(inbox):
            return path
    raise NotThere(
        f"job {job.id} has no result {name!r} at home", way_out="it may have been moved away"
    )
