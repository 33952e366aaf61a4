"""Changes of jobs: one of them, or many at once."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Response
from pydantic import Field

from hopper.documents.values import Json
from hopper.errors import UnknownJob, UsageError
from hopper.operations.selecting import FITS, can_be_abandoned, selected
from hopper.web.api import models
from hopper.web.api.answers import answer
from hopper.web.api.parts import Name, problems
from hopper.web.api.run_models import Asked
from hopper.web.changing import change_jobs as done_to
from hopper.web.finding import changeable_job
from hopper.web.problems import Conflict
from hopper.web.security.access import Operator
from hopper.web.security.roles import Identity
from hopper.web.site import OfSite, Site

router = APIRouter(tags=["Jobs"], responses=problems(404, 409))
Priority = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]


class RequeueAsked(Asked):
    """How a job is put back into the queue."""

    abandon: bool = Field(False, description="Also where its worker does not answer.")


class PriorityAsked(Asked):
    """Which priority a job is to have; the higher goes first."""

    priority: Priority


class ManyAsked(Asked):
    """What is to be done to which jobs: those named, or those that a rule selects."""

    do: Literal["cancel", "requeue", "hold", "release", "priority"]
    jobs: list[Annotated[str, Field(max_length=200)]] = Field([], max_length=20_000)
    all: bool = Field(False, description="All that it can be done to.")
    failed: bool = Field(False, description="Those that have failed.")
    tags: list[str] = Field([], max_length=50, description="Those that ask for all of these.")
    abandon: bool = Field(False, description="With `requeue`: also where no worker answers.")
    priority: Priority | None = Field(None, description="With `priority`.")

    @property
    def by_rule(self) -> bool:
        """True where no job is named."""
        return self.all or self.failed or bool(self.tags)


@router.post("/jobs/{job}/cancel", response_model=models.Done)
async def cancel_job(site: OfSite, who: Operator, job: Name) -> Response:
    """Cancel a job: a pending one at once, another once its processes are seen dead."""
    return await _one(site, who, job, {"do": "cancel"})


@router.post("/jobs/{job}/requeue", response_model=models.Done)
async def requeue_job(
    site: OfSite, who: Operator, job: Name, asked: Annotated[RequeueAsked | None, Body()] = None
) -> Response:
    """Put a job that has ended back into the queue."""
    abandon = asked is not None and asked.abandon
    return await _one(site, who, job, {"do": "requeue", "abandon": abandon})


@router.post("/jobs/{job}/hold", response_model=models.Done)
async def hold_job(site: OfSite, who: Operator, job: Name) -> Response:
    """Keep a pending job from starting until it is released."""
    return await _one(site, who, job, {"do": "hold"})


@router.post("/jobs/{job}/release", response_model=models.Done)
async def release_job(site: OfSite, who: Operator, job: Name) -> Response:
    """Let a held job go."""
    return await _one(site, who, job, {"do": "release"})


@router.post("/jobs/{job}/priority", response_model=models.Done)
async def set_job_priority(
    site: OfSite, who: Operator, job: Name, asked: PriorityAsked
) -> Response:
    """Give a job another priority."""
    return await _one(site, who, job, {"do": "priority", "priority": asked.priority})


async def _one(site: Site, who: Identity, job_id: str, body: Json) -> Response:
    job = await changeable_job(site, job_id)
    came = await done_to(site, who, body, [job.id])
    if job.id in came.refused:
        raise Conflict(came.refused[job.id])
    return answer({"job": job.id, "done": came.done.get(job.id, "")})


@router.post("/job-changes", response_model=models.ManyDone)
async def change_jobs(site: OfSite, who: Operator, asked: ManyAsked) -> Response:
    """Do the same to many jobs. Those that it cannot be done to are told, the others done."""
    ids = _chosen(site, asked)
    if not ids:
        return answer({"done": {}, "refused": {}})
    body: Json = {"do": asked.do, "abandon": asked.abandon}
    if asked.do == "priority":
        body["priority"] = asked.priority
    came = await done_to(site, who, body, ids)
    return answer({"done": came.done, "refused": came.refused})


def _chosen(site: Site, asked: ManyAsked) -> list[str]:
    if asked.by_rule is bool(asked.jobs):
        raise UsageError("name jobs, or select them by all, failed or tags; one of both")
    if (asked.do == "priority") is (asked.priority is None):
        raise UsageError("'priority' is needed to set it, and for nothing else")
    if asked.abandon and asked.do != "requeue":
        raise UsageError("'abandon' goes with 'requeue' alone")
    if asked.by_rule:
        fits = can_be_abandoned if asked.abandon else FITS[asked.do]
        jobs = site.following.store.jobs.values()
        return selected(jobs, fits, failed=asked.failed, tags=asked.tags)
    for job_id in asked.jobs:
        if site.following.newest_job(job_id) is None:
            raise UnknownJob(job_id)
    return list(dict.fromkeys(asked.jobs))
