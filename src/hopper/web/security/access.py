"""What routes and templates ask of the guard."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends
from starlette.applications import Starlette
from starlette.exceptions import WebSocketException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from hopper.web.security.guard import Guard
from hopper.web.security.middleware import GuardMiddleware, require
from hopper.web.security.refusals import AccessRefused, answer
from hopper.web.security.roles import Identity, Role
from hopper.web.security.visits import visit_of


def may(role: Role) -> Callable[[HTTPConnection], Awaitable[Identity]]:
    """Return the dependency that lets those pass who have at least this role.

    It gives the Identity. Nobody we know gets 401 or the way to the login, others 403.
    """

    async def checked(connection: HTTPConnection) -> Identity:
        visit = visit_of(connection.scope)
        try:
            require(visit, role)
        except AccessRefused as refusal:
            if connection.scope["type"] == "websocket":
                raise WebSocketException(1008, str(refusal)) from refusal
            raise
        if visit.identity is None:
            raise AccessRefused(401, "nobody")
        return visit.identity

    return checked


Viewer = Annotated[Identity, Depends(may(Role.VIEWER))]
Operator = Annotated[Identity, Depends(may(Role.OPERATOR))]
Admin = Annotated[Identity, Depends(may(Role.ADMIN))]
"""The parameters by which a route says who may ask it."""


def identity_of(connection: HTTPConnection) -> Identity | None:
    """Return who makes the request, None for nobody we know."""
    return visit_of(connection.scope).identity


def csrf_token(connection: HTTPConnection) -> str:
    """Return the token for a page's forms: field ``csrf_token``, or header ``X-CSRF-Token``."""
    return visit_of(connection.scope).csrf_token()


def protect(app: Starlette, guard: Guard) -> None:
    """Put the guard before an app and teach it what refusals look like."""

    async def refused(request: Request, error: Exception) -> Response:
        if not isinstance(error, AccessRefused):
            raise error
        return answer(request.scope, error)

    app.add_exception_handler(AccessRefused, refused)
    app.add_middleware(GuardMiddleware, guard=guard)
