"""What the routes of the API share: who may, what may go wrong, and changes of the state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Path, Query

from hopper.bootstrap import commands
from hopper.errors import NotThere, UnknownJob, UsageError
from hopper.model.ids import JOB_ID
from hopper.model.job import Job
from hopper.model.run import Run
from hopper.store import retention
from hopper.web.api.answers import LARGEST_PAGE, USUAL_PAGE
from hopper.web.problems import PROBLEM, Conflict
from hopper.web.security.access import may
from hopper.web.security.roles import Identity, Role
from hopper.web.site import Site

T = TypeVar("T")
FAR = CapacityLimiter(8)
"""For what asks other hosts, so that it does not take the threads of everything else."""

Viewer = Annotated[Identity, Depends(may(Role.VIEWER))]
Operator = Annotated[Identity, Depends(may(Role.OPERATOR))]
Admin = Annotated[Identity, Depends(may(Role.ADMIN))]

Name = Annotated[str, Path(min_length=1, max_length=200)]
Text = Annotated[str, Query(max_length=200)]
Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="How many at most.")]
Cursor = Annotated[
    str | None, Query(max_length=2000, description="Where to go on: `cursor` of the page before.")
]
LIMIT = USUAL_PAGE

_TOLD = {
    400: "What was sent cannot be read.",
    401: "A login or a token is needed.",
    403: "Whoever asks may not do that.",
    404: "There is no such thing.",
    408: "The client sent nothing for too long.",
    409: "It does not go with how things are now.",
    413: "More was sent than is taken.",
    422: "What was sent is wrong.",
    503: "Not now: the state, the dispatcher or the host that was asked does not answer.",
    507: "There is no room on the disk.",
}
_HEADERS = {401: {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI is told of problems: those of every route, and of these statuses."""
    return {
        status: {
            "description": _TOLD[status],
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
        }
        for status in (400, 401, 403, 422, 503, *statuses)
    }


def body_of(*kinds: str, description: str) -> dict[str, Any]:
    """Return what OpenAPI is told of an answer that is no JSON."""
    schema = {"schema": {"type": "string"}}
    return {"description": description, "content": dict.fromkeys(kinds, schema)}


async def apart(work: Callable[[], T], *, far: bool = False) -> T:
    """Do what takes its time in a thread; ``far``: it asks other hosts."""
    return await to_thread.run_sync(work, limiter=FAR if far else None)


async def give(site: Site, who: Identity, body: Mapping[str, object]) -> Mapping[str, object]:
    """Have a change of the state made for somebody.

    Conflict where what stands there does not allow it, NoAnswer where a dispatcher is silent.
    """
    asked = {**body, "by": who.by}
    return await changing(site, lambda: commands.give(site.config, asked))


async def changing(site: Site, work: Callable[[], T], *, far: bool = False) -> T:
    """Do what changes the state, in a thread; afterwards the state is looked at anew.

    Input is right by now: what is refused all the same is a Conflict.
    """
    try:
        return await apart(work, far=far)
    except NotThere:
        raise
    except UsageError as error:
        raise Conflict(error.what, way_out=error.way_out) from error
    finally:
        site.following.look()


async def the_job(site: Site, job_id: str) -> Job:
    """Return the job of that id, live or from the history. UnknownJob."""
    found = live_job(site, job_id)
    if found is None and JOB_ID.match(job_id):
        found = await apart(lambda: retention.find(site.following.folder, job_id))
    if found is None:
        raise UnknownJob(job_id)
    return found


def live_job(site: Site, job_id: str) -> Job | None:
    """Return the live job of that id; it may be a moment old."""
    return site.following.newest_job(job_id)


async def changeable_job(site: Site, job_id: str) -> Job:
    """Return a live job that is to be changed. UnknownJob; Conflict for one of the history."""
    found = live_job(site, job_id)
    if found is None:
        await the_job(site, job_id)
        raise Conflict(f"job {job_id} ended long ago and has left for the history")
    return found


def live_run(site: Site, run_id: str) -> Run | None:
    """Return the live run of that id; it may be a moment old."""
    return site.following.newest_run(run_id)
