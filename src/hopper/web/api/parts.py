"""What the routes of the API share: who may, their parameters, and what may go wrong."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query

from hopper.web.api.answers import LARGEST_PAGE, USUAL_PAGE
from hopper.web.problems import PROBLEM

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
