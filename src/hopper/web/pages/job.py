"""A job's own page."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from hopper.documents.externals import external_document, known_phase, last_seen_at
from hopper.documents.jobs import job_document, remark, usage_document
from hopper.errors import UnknownJob
from hopper.model.attempt import Attempt
from hopper.model.job import Job, Origin
from hopper.model.worker import WorkerRecord
from hopper.operations.result_files import ResultAtHome, results_at_home
from hopper.web.addresses import address
from hopper.web.downloads import send_result
from hopper.web.finding import the_job
from hopper.web.pages.job_rows import ACTS, acts_for
from hopper.web.pages.logs import Far, view_of_log
from hopper.web.pages.run_looks import word_for
from hopper.web.problems import wants_json
from hopper.web.rendering import wants_part
from hopper.web.security.access import Viewer
from hopper.web.site import OfSite, Site

router = APIRouter()


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A job as its page shows it."""

    job: Job
    live: bool
    """It has not left for the history."""
    record: WorkerRecord | None
    before: tuple[tuple[str, str], ...]
    """The jobs that it comes after, with their states; empty where that is not known."""
    results: tuple[ResultAtHome, ...]

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
    found = await the_job(site, job_id)
    shown = seen(site, found)
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


def seen(site: Site, found: Job) -> Seen:
    """Return a job with what its page shows besides."""
    store, attempt = site.following.store, found.open_attempt
    live = {other: store.jobs.get(other) for other in found.spec.after}
    return Seen(
        job=found,
        live=found.id in store.jobs,
        record=store.workers.get(attempt.worker) if attempt is not None else None,
        before=tuple((other, str(job.state) if job else "") for other, job in live.items()),
        results=tuple(results_at_home(site.config, found)),
    )


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


@router.get("/jobs/{job_id}/results/{name:path}", name="job_result")
async def result(site: OfSite, _: Viewer, job_id: str, name: str) -> Response:
    """Send a file that a job brought home, to be kept."""
    return await send_result(site, await the_job(site, job_id), name)
