"""Handing zips in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from hopper.documents.values import Json
from hopper.home.files import sha256
from hopper.operations.submitting import Queued
from hopper.web.addresses import address
from hopper.web.api import models
from hopper.web.api.answers import answer
from hopper.web.api.idempotency import Key
from hopper.web.api.keeping import Kept, OfKept
from hopper.web.api.parts import problems
from hopper.web.changing import apart
from hopper.web.security.access import Operator
from hopper.web.security.roles import Identity
from hopper.web.site import OfSite, Site
from hopper.web.uploads import Received, uploads
from hopper.web.wishes import KEYS, Said, submission_of, submit_received

router = APIRouter(tags=["Jobs"], responses=problems(408, 409, 413, 507))

_FORM = {
    "type": "object",
    "required": ["zip"],
    "properties": {
        "zip": {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1},
        **{name: {"type": "string"} for name in sorted(KEYS)},
    },
}
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_BODY = {"application/zip": _BYTES, "application/octet-stream": _BYTES}


def _body(content: Mapping[str, object]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": dict(content)}}


Tags = Annotated[list[str], Query(max_length=50, description="Tags that its worker must have.")]
Few = Annotated[list[str], Query(max_length=200)]


def wishes(
    *,
    name: Annotated[str | None, Query(max_length=200, description="Else the file's.")] = None,
    priority: Annotated[int | None, Query(ge=-1_000_000, le=1_000_000)] = None,
    tags: Tags = [],  # noqa: B006
    gpus: Annotated[int | None, Query(ge=0, le=10_000)] = None,
    time_limit: Annotated[str | None, Query(max_length=50, description="As in 90m.")] = None,
    cpus: Annotated[int | None, Query(ge=1, le=100_000)] = None,
    memory: Annotated[str | None, Query(max_length=50, description="As in 4G.")] = None,
    partition: Annotated[str | None, Query(max_length=200)] = None,
    retries: Annotated[int | None, Query(ge=0, le=1000)] = None,
    env: Annotated[list[str], Query(max_length=200, description="NAME=VALUE.")] = [],  # noqa: B006
    results: Few = [],  # noqa: B006
    after: Few = [],  # noqa: B006
    hold: Literal["true", "false"] = "false",
    backend: Annotated[str | None, Query(max_length=200, description="Else the workers.")] = None,
) -> None:
    """Describe and bound what the query may say of a job; it is read as a form's fields are."""


DESCRIBED = [Depends(wishes)]


@router.post(
    "/jobs",
    status_code=201,
    response_model=models.Submitted,
    dependencies=DESCRIBED,
    openapi_extra=_body({**_BODY, "multipart/form-data": {"schema": _FORM}}),
)
async def submit_jobs(
    request: Request, site: OfSite, who: Operator, kept: OfKept, key: Key = None
) -> Response:
    """Hand in zips: one as the body, or several as the files of a form.

    What is wanted of them stands in the query, or in the form's fields. All are queued, or none.
    """
    return await _submit(request, site, who, kept, key)


@router.put(
    "/uploads/{filename}",
    status_code=201,
    response_model=models.Submitted,
    dependencies=DESCRIBED,
    openapi_extra=_body(_BODY),
)
async def upload_job(
    request: Request,
    site: OfSite,
    who: Operator,
    kept: OfKept,
    filename: Annotated[str, Path(max_length=200)],
    key: Key = None,
) -> Response:
    """Hand in the zip that is the body, under a file name: `curl -T job.zip …/uploads/`."""
    return await _submit(request, site, who, kept, key, filename=filename)


async def _submit(
    request: Request,
    site: Site,
    who: Identity,
    kept: Kept,
    key: str | None,
    *,
    filename: str = "",
) -> Response:
    query = {name: request.query_params.getlist(name) for name in request.query_params}
    async with uploads(request, site.config, name=filename or _name(query)) as received:
        said = {**query, **received.fields}
        submission_of(said, (), by=who.by)

        async def work() -> tuple[int, list[Json]]:
            queued = await apart(lambda: submit_received(site.config, received, said, by=who.by))
            site.following.look()
            return 201, [_document(one) for one in queued]

        print_of = await apart(lambda: _print(received, said)) if key is not None else ""
        status, made, again = await kept.repeats.once(key, who.by, print_of, work)
    items = cast("list[Json]", made)
    headers = {"Idempotent-Replayed": "true"} if again else {}
    if len(items) == 1:
        headers["Location"] = address(request, "api_show_job", job=items[0]["job"])
    return answer({"items": items}, status=status, headers=headers)


def _name(query: Said) -> str:
    return next(iter(query.get("name", ())), "")


def _document(one: Queued) -> Json:
    return {
        "job": one.job,
        "name": one.name,
        "state": one.state,
        "reason": one.reason,
        "packed": list(one.packed),
    }


def _print(received: Received, said: Said) -> str:
    """Return what tells one submission from another."""
    files = [f"{one.path.name} {sha256(one.path)}" for one in received.files]
    return "\n".join([*files, *(f"{name}={list(said[name])!r}" for name in sorted(said))])
