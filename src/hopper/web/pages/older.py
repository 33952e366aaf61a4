"""Older names of addresses lead to the newer ones; a POST stays a POST."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

router = APIRouter()
METHODS = ["GET", "HEAD", "POST"]
SAFE = "/:@!$&'()*+,;=~-._"


@router.api_route("/queues", methods=METHODS, name="queues")
@router.api_route("/queues/{rest:path}", methods=METHODS, name="queues_below")
async def queues(request: Request, rest: str = "") -> Response:
    """Lead to the runs."""
    return _led(request, "runs", rest)


@router.api_route("/task-sources", methods=METHODS, name="task_sources")
@router.api_route("/task-sources/{rest:path}", methods=METHODS, name="task_sources_below")
async def task_sources(request: Request, rest: str = "") -> Response:
    """Lead to the workflows."""
    return _led(request, "workflows", rest)


def _led(request: Request, newer: str, rest: str) -> Response:
    path = f"{request.scope.get('root_path', '')}/{newer}"
    if rest:
        path += f"/{quote(rest, safe=SAFE)}"
    query = request.url.query
    return RedirectResponse(f"{path}?{query}" if query else path, status_code=308)
