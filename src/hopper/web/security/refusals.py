"""Requests that are refused, and how that is said to a browser and to a program."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Scope

from hopper.errors import HopperError

LONGEST_NEXT = 2000
_TITLES = {
    400: "Bad request",
    401: "Login needed",
    403: "Not allowed",
    413: "Too large",
    421: "Not for this server",
    429: "Too many attempts",
    431: "Headers too large",
    503: "Not now",
}


class AccessRefused(HopperError):
    """A request is not let through. ``status`` is the answer's, ``login`` that one would help."""

    def __init__(
        self, status: int, what: str, *, way_out: str = "", login: bool = False, wait: float = 0.0
    ) -> None:
        self.status, self.login, self.wait = status, login, wait
        super().__init__(what, way_out=way_out)


def login_needed(what: str = "a login is needed") -> AccessRefused:
    """Return the refusal of a request by nobody we know."""
    return AccessRefused(
        401, what, way_out="log in, or send 'Authorization: Bearer TOKEN'", login=True
    )


def answer(scope: Scope, refusal: AccessRefused) -> Response:
    """Return the answer: to a browser the way to the login or a line, else problem JSON."""
    headers = Headers(scope=scope)
    if refusal.login and "hx-request" in headers:
        current = urlsplit(headers.get("hx-current-url", ""))
        target = current.path + (f"?{current.query}" if current.query else "")
        return Response(status_code=401, headers={"HX-Redirect": login_url(scope, target)})
    html = "text/html" in headers.get("accept", "")
    if refusal.login and html:
        target = _asked_for(scope) if scope["method"] in ("GET", "HEAD") else ""
        return RedirectResponse(login_url(scope, target), status_code=303)
    return _said(refusal, html=html)


def _said(refusal: AccessRefused, *, html: bool) -> Response:
    more = {}
    if refusal.status == 401:
        more["WWW-Authenticate"] = 'Bearer realm="hopper"'
    if refusal.wait:
        more["Retry-After"] = str(int(refusal.wait) + 1)
    if html:
        return PlainTextResponse(f"{refusal}\n", status_code=refusal.status, headers=more)
    document = {
        "type": "about:blank",
        "title": _TITLES.get(refusal.status, "Refused"),
        "status": refusal.status,
        "detail": str(refusal),
    }
    return JSONResponse(
        document,
        status_code=refusal.status,
        headers=more,
        media_type="application/problem+json",
    )


def login_url(scope: Scope, target: str) -> str:
    """Return the address of the login, which leads on to the target afterwards."""
    prefix = str(scope.get("root_path", "")).rstrip("/")
    target = local_path(target, default="")
    return f"{prefix}/login" + (f"?next={quote(target, safe='')}" if target else "")


def local_path(target: str, *, default: str = "/") -> str:
    r"""Return a path on this server to go on to; the default for anything else.

    Browsers take ``//host``, ``/\host`` and such with tabs in them for other servers.
    """
    plain = target.isascii() and target.isprintable() and "\\" not in target
    if not plain or not target.startswith("/") or target.startswith("//"):
        return default
    return target if len(target) <= LONGEST_NEXT and " " not in target else default


def _asked_for(scope: Scope) -> str:
    path = quote(str(scope.get("path", "/")), safe="/:@!$&'()*+,;=~-._")
    query = bytes(scope.get("query_string", b"")).decode("latin-1")
    return f"{path}?{query}" if query else path
