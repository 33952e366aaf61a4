"""The login, and the way out again."""

from __future__ import annotations

from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from hopper.web.security.logging_in import LoggedIn, log_in, log_out
from hopper.web.security.middleware import cookie
from hopper.web.security.refusals import AccessRefused, local_path, login_url
from hopper.web.security.roles import Via
from hopper.web.security.visits import visit_of
from hopper.web.site import OfSite, Site

router = APIRouter()
LARGEST = 16_384
"""Bytes of a login's form."""


@router.get("/login", name="login")
async def ask(request: Request, site: OfSite, next: str = "") -> Response:  # noqa: A002
    """Show the form; who is logged in already goes on."""
    if visit_of(request.scope).identity is not None:
        return RedirectResponse(_onward(request, next), status_code=303)
    return _form(request, site, target=next)


@router.post("/login")
async def check(request: Request, site: OfSite) -> Response:
    """Log in, and go on to where the person wanted to."""
    fields = await _fields(request)
    target, name = fields.get("next", ""), fields.get("name", "")
    try:
        done = await log_in(
            site.guard,
            name=name,
            password=fields.get("password", ""),
            address=request.client.host if request.client else "",
            old_session=session_of(request),
        )
    except AccessRefused as refusal:
        return _form(request, site, target=target, name=name, refusal=refusal)
    return welcome(request, site, done, target)


@router.post("/logout", name="logout")
async def leave(request: Request, site: OfSite) -> Response:
    """End the session."""
    await log_out(site.guard, session_of(request))
    answer = RedirectResponse(login_url(request.scope, ""), status_code=303)
    gone = cookie(request.scope, site.guard.session_cookie, "", max_age=0)
    answer.headers.append("set-cookie", gone)
    return answer


def welcome(request: Request, site: Site, done: LoggedIn, target: str) -> Response:
    """Return the way on after a login, with the cookie of its session."""
    answer = RedirectResponse(_onward(request, target), status_code=303)
    lasts = int(site.guard.rules.session_lasts.total_seconds())
    made = cookie(request.scope, site.guard.session_cookie, done.session_id, max_age=lasts)
    answer.headers.append("set-cookie", made)
    return answer


def _form(
    request: Request,
    site: Site,
    *,
    target: str,
    name: str = "",
    refusal: AccessRefused | None = None,
) -> HTMLResponse:
    page = site.rendering.page(
        request,
        "login.html",
        status=refusal.status if refusal is not None else 200,
        pages=[],
        target=local_path(target, default=""),
        name=name[:64],
        refusal=str(refusal) if refusal is not None else "",
    )
    if refusal is not None and refusal.wait:
        page.headers["Retry-After"] = str(int(refusal.wait) + 1)
    return page


async def _fields(request: Request) -> dict[str, str]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise AccessRefused(413, "that is too large for a login")
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=20))
    except ValueError as error:
        raise AccessRefused(400, "that is no login form") from error


def session_of(request: Request) -> str:
    """Return the id of the session that a request is of; empty for none."""
    visit = visit_of(request.scope)
    by_session = visit.identity is not None and visit.identity.via is Via.SESSION
    return visit.credential if by_session else ""


def _onward(request: Request, target: str) -> str:
    return local_path(target, default=f"{request.scope.get('root_path', '')}/")
