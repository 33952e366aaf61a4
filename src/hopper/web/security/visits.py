"""What a request brings along to be recognised by, and whom it is found to be."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Scope

from hopper.errors import HopperError
from hopper.web.security.guard import Guard, local_person
from hopper.web.security.hosts import Authority, is_loopback, parse_authority
from hopper.web.security.refusals import AccessRefused, login_needed
from hopper.web.security.roles import Identity

SINGLE = frozenset(
    {b"host", b"origin", b"authorization", b"sec-fetch-site", b"x-csrf-token", b"content-type"}
)
"""Headers of which two would let two readers see two requests."""
FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"})
LARGEST_COOKIES = 16_384
"""Bytes of all cookies."""
MOST_VALUES = 4
"""Cookies of one name that are tried: another site of the same domain may set such."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The headers that the checks look at."""

    host: Authority
    headers: dict[bytes, str]
    cookies: dict[str, tuple[str, ...]]
    forwarded: bool
    """It came through a proxy that says so."""

    def header(self, name: bytes) -> str | None:
        """Return a header by its small-letter name."""
        return self.headers.get(name)

    @property
    def by_browser(self) -> bool:
        """True when a browser may have been led to make it."""
        return bool(self.cookies) or b"origin" in self.headers or b"sec-fetch-site" in self.headers


@dataclass(slots=True, kw_only=True)
class Visit:
    """A request on its way through the server: who makes it, and its protection of forms."""

    guard: Guard
    identity: Identity | None = None
    credential: str = ""
    """The session's id or the token that it was recognised by."""
    bases: tuple[str, ...] = ()
    """The cookies that a form's token may belong to."""
    new_cookie: str = field(default="", init=False)
    """A visitor's cookie that the answer is to set."""

    def csrf_token(self) -> str:
        """Return the token for the forms of a page."""
        if not self.bases:
            self.new_cookie = secrets.token_urlsafe(24)
            self.bases = (self.new_cookie,)
        return self.guard.csrf_token(self.bases[0])

    def holds(self) -> bool:
        """Tell whether who was let in still is: asked by what stays open for long."""
        try:
            return self.identity is None or self.identity == _recognised(self.guard, self)
        except HopperError:
            return False


def read_request(scope: Scope) -> Request:
    """Return what a request says of itself; AccessRefused when it is malformed."""
    headers: dict[bytes, str] = {}
    cookies: list[str] = []
    forwarded = False
    for name, value in scope["headers"]:
        if name in SINGLE and name in headers:
            raise AccessRefused(400, f"two headers {name.decode('latin-1')}")
        forwarded = forwarded or name in FORWARDED
        headers[name] = value.decode("latin-1")
        if name == b"cookie":
            cookies.append(headers[name])
    authority = parse_authority(headers.get(b"host", ""))
    if authority is None:
        raise AccessRefused(400, "the header Host is missing, or is not one")
    return Request(
        host=authority, headers=headers, cookies=parse_cookies(cookies), forwarded=forwarded
    )


def parse_cookies(headers: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the values of hopper's cookies by name; AccessRefused when there is too much."""
    text = ";".join(headers)
    if len(text) > LARGEST_COOKIES:
        raise AccessRefused(431, "the cookies are too large", way_out="remove those of this site")
    found: dict[str, tuple[str, ...]] = {}
    for part in text.split(";"):
        name, separator, value = part.strip().partition("=")
        if separator and name.startswith("hopper_"):
            found[name] = (*found.get(name, ()), value)[:MOST_VALUES]
    return found


def recognise(guard: Guard, request: Request, scope: Scope) -> Visit:
    """Return who makes a request: by a token, else a session, else by being on loopback.

    AccessRefused for a token that is none: who brings one does not mean to go without.
    """
    secret = _bearer(request)
    if secret is not None:
        identity = guard.by_token(secret)
        if identity is None:
            raise login_needed("that token is unknown, revoked or expired")
        return Visit(guard=guard, identity=identity, credential=secret)
    for session_id in request.cookies.get(guard.session_cookie, ()):
        identity = guard.by_session(session_id)
        if identity is not None:
            return Visit(guard=guard, identity=identity, credential=session_id, bases=(session_id,))
    visit = Visit(guard=guard, bases=request.cookies.get(guard.visit_cookie, ()))
    if guard.open and not request.forwarded and _from_here(scope):
        visit.identity = local_person()
    return visit


def visit_of(scope: Scope) -> Visit:
    """Return the visit that the guard has put beside a request."""
    state: dict[str, Any] = scope.get("state", {})
    visit = state.get("visit")
    if not isinstance(visit, Visit):
        raise AccessRefused(503, "this request went past the guard")
    return visit


def _recognised(guard: Guard, visit: Visit) -> Identity | None:
    if visit.identity is None:
        return None
    if not visit.credential:
        return visit.identity if guard.open else None
    by_session = bool(visit.bases)
    return guard.by_session(visit.credential) if by_session else guard.by_token(visit.credential)


def _bearer(request: Request) -> str | None:
    # Another scheme is for a proxy before us.
    scheme, _, secret = (request.header(b"authorization") or "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def _from_here(scope: Scope) -> bool:
    client = scope.get("client")
    return client is not None and is_loopback(str(client[0]))
