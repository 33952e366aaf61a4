"""What went wrong, told in the form that the caller reads.

Problems are those of RFC 9457 for programs, a page or a fragment for people.
"""

from __future__ import annotations

import errno
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import Scope

from hopper.errors import ConfigError, HopperError, IllegalMove, NotThere, RejectedZip, UsageError
from hopper.home.files import HomeTrouble
from hopper.operations.log_asking import NoContact
from hopper.store.errors import NO_ROOM, LockHeld, NoAnswer, StoreFull
from hopper.web.rendering import wants_part
from hopper.web.security.refusals import AccessRefused, answer

if TYPE_CHECKING:
    from hopper.web.site import Site

log = logging.getLogger(__name__)

STATUSES: tuple[tuple[type[HopperError], int], ...] = (
    (NotThere, 404),
    (IllegalMove, 409),
    (RejectedZip, 422),
    (NoAnswer, 503),
    (LockHeld, 503),
    (NoContact, 503),
    (StoreFull, 507),
    (ConfigError, 500),
    (UsageError, 422),
    (HopperError, 503),
)
"""The status of each error, the first that fits."""
PROBLEM = "application/problem+json"


class Conflict(HopperError):
    """What is asked does not go with how things are now."""


class TooLarge(HopperError):
    """More was sent than is taken."""


class TooSlow(HopperError):
    """A client that sends nothing any more."""


OWN_STATUSES: tuple[tuple[type[HopperError], int], ...] = (
    (Conflict, 409),
    (TooLarge, 413),
    (TooSlow, 408),
)


def status_of(error: HopperError) -> int:
    """Return the HTTP status that says what an error says."""
    if isinstance(error, HomeTrouble) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return 507
    return next(status for kind, status in (*OWN_STATUSES, *STATUSES) if isinstance(error, kind))


def wants_json(request: Request) -> bool:
    """Return True for a program: it calls the API, or asks for JSON and not for HTML."""
    accepted = request.headers.get("accept", "*/*")
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    return path.startswith("/api/") or ("json" in accepted and "text/html" not in accepted)


def methods_at(app: FastAPI, scope: Scope) -> list[str]:
    """Return the methods that something answers to at the path of a request."""
    found = []
    for method in ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"):
        asked = {**scope, "method": method}
        if any(route.matches(asked)[0] is Match.FULL for route in app.routes):
            found.append(method)
    return found


def told(
    request: Request, status: int, what: str, *, way_out: str = "", **more: object
) -> Response:
    """Return the answer that tells of a problem; ``more`` goes into its JSON."""
    title = HTTPStatus(status).phrase
    if wants_json(request):
        body = {"type": "about:blank", "title": title, "status": status, "detail": what, **more}
        if way_out:
            body["way_out"] = way_out
        return JSONResponse(body, status_code=status, media_type=PROBLEM)
    site: Site = request.app.state.site
    template = "problem_part.html" if wants_part(request) else "problem.html"
    return site.rendering.page(
        request, template, status=status, title=title, what=what, way_out=way_out
    )


def tell_problems(app: FastAPI) -> None:
    """Have every error that a route raises told."""

    @app.exception_handler(HopperError)
    async def hoppers(request: Request, error: HopperError) -> Response:
        return told(request, status_of(error), error.what, way_out=error.way_out)

    @app.exception_handler(AccessRefused)
    async def refused(request: Request, error: AccessRefused) -> Response:
        if error.login:
            return answer(request.scope, error)
        return told(request, error.status, error.what, way_out=error.way_out)

    @app.exception_handler(HTTPException)
    async def of_http(request: Request, error: HTTPException) -> Response:
        answer = told(request, error.status_code, str(error.detail))
        answer.headers.update(error.headers or {})
        if error.status_code == 405:
            answer.headers["Allow"] = ", ".join(methods_at(request.app, request.scope))
        return answer

    @app.exception_handler(RequestValidationError)
    async def of_input(request: Request, error: RequestValidationError) -> Response:
        errors = [
            {"where": ".".join(map(str, fault["loc"])), "what": fault["msg"]}
            for fault in error.errors()
        ]
        first = errors[0]
        return told(request, 422, f"{first['where']}: {first['what']}", errors=errors)

    _tell_of_system(app)

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> Response:
        del error  # the server's log has it
        return told(request, 500, "something went wrong here; the log of 'hopper web' says what")


def _tell_of_system(app: FastAPI) -> None:
    @app.exception_handler(OSError)
    async def of_system(request: Request, error: OSError) -> Response:
        log.warning("%s: %s", request.url.path, error)
        status = 507 if error.errno in NO_ROOM else 503
        what = f"this server cannot do it now: {error.strerror or type(error).__name__}"
        return told(request, status, what, way_out="the log of 'hopper web' says where")

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> Response:
        del error
        log.info("%s: the client went away", request.url.path)
        return Response(status_code=400)
