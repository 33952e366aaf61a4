"""Answers of the API: JSON, written once; pages with the way on; what has not changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import Response

from hopper.documents.values import Json
from hopper.store.codec import encode
from hopper.web.site import Site

JSON = "application/json"
LARGEST_PAGE = 1000
"""Items that are given at once at most."""
USUAL_PAGE = 50


def answer(
    content: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a document as the answer. It is not checked against its model a second time."""
    return Response(encode(content), status_code=status, headers=headers, media_type=JSON)


def page_of(
    request: Request,
    items: Sequence[Json],
    *,
    next_cursor: str | None,
    headers: Mapping[str, str] | None = None,
    **more: object,
) -> Response:
    """Return a page of a list, with the address of the next one (RFC 8288) if there is one."""
    link = _with_cursor(request, next_cursor) if next_cursor is not None else None
    told = dict(headers or {})
    if link is not None:
        told["Link"] = f'<{link}>; rel="next"'
    return answer({"items": items, "next": link, "cursor": next_cursor, **more}, headers=told)


def _with_cursor(request: Request, cursor: str) -> str:
    pairs = [pair for pair in request.query_params.multi_items() if pair[0] != "cursor"]
    return f"{request.url.path}?{urlencode([*pairs, ('cursor', cursor)])}"


def tag_of(site: Site) -> dict[str, str]:
    """Return the headers that name the state as it is: nothing of it is newer while they stay."""
    return {"ETag": f'W/"{site.following.position}"', "Cache-Control": "private, no-cache"}


def unchanged(request: Request, site: Site) -> Response | None:
    """Return 304 to who has seen the state as it is; None to others."""
    headers = tag_of(site)
    seen = [one.strip() for one in request.headers.get("if-none-match", "").split(",")]
    return Response(status_code=304, headers=headers) if headers["ETag"] in seen else None
