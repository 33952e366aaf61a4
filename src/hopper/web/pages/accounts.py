"""Who may use the page: users and tokens, for admins; and everybody's own password."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from hopper.errors import HopperError, NotThere, UsageError
from hopper.web import account_changes as changes
from hopper.web.addresses import address
from hopper.web.changing import CHANGED, changed
from hopper.web.pages.login import session_of, welcome
from hopper.web.problems import Conflict, status_of
from hopper.web.rendering import wants_part
from hopper.web.security.access import Admin, Viewer
from hopper.web.security.logging_in import log_in
from hopper.web.security.passwords import check_password
from hopper.web.security.refusals import AccessRefused, login_url
from hopper.web.security.roles import PEOPLE, Identity, Role, Via
from hopper.web.site import OfSite, Site

router = APIRouter()
Name = Annotated[str, Form(max_length=200)]
Password = Annotated[str, Form(max_length=1024)]
LONGEST_DAYS = 36_500


@router.get("/accounts", name="accounts")
async def accounts(request: Request, site: OfSite, identity: Admin) -> Response:
    """Show users and tokens: the page, or its part for htmx."""
    found = site.guard.accounts.all()
    return site.rendering.page(
        request,
        "accounts_part.html" if wants_part(request) else "accounts.html",
        section="settings",
        users=[found[name] for name in sorted(found)],
        tokens=site.guard.tokens.all(),
        now=site.guard.now(),
        me=identity.name if identity.via is Via.SESSION else "",
        open=site.guard.open,
        people=[str(role) for role in PEOPLE],
        roles=[str(role) for role in Role],
    )


# --- users


@router.post("/accounts/users", name="add_user")
async def add_user(
    request: Request, site: OfSite, identity: Admin, name: Name, role: Name, password: Password
) -> Response:
    """Make a user."""
    wanted, first = _role(role, PEOPLE), site.guard.open
    if first and wanted is not Role.ADMIN:
        raise Conflict(
            "the first user has to be an admin",
            way_out="from then on a login is asked for, and nobody else could make users",
        )
    made = await changes.add_user(site, identity, name.strip(), wanted, password)
    if first:
        return _to_login(request)
    return _told(request, site, f"{made.name} is a user, {made.role}")


@router.post("/accounts/users/{user}/role", name="set_role")
async def set_role(
    request: Request, site: OfSite, identity: Admin, user: str, role: Name
) -> Response:
    """Let a user do more or less."""
    _another(identity, user)
    found = await changes.set_role(site, identity, user, _role(role, PEOPLE))
    return _told(request, site, f"{user} is {found.role} now")


@router.post("/accounts/users/{user}/password", name="set_password")
async def set_password(
    request: Request, site: OfSite, identity: Admin, user: str, password: Password
) -> Response:
    """Give a user another password."""
    _another(identity, user)
    await changes.set_password(site, identity, user, password)
    return _told(request, site, f"{user} has another password; their sessions are over")


@router.post("/accounts/users/{user}/remove", name="remove_user")
async def remove_user(request: Request, site: OfSite, identity: Admin, user: str) -> Response:
    """Remove a user."""
    _another(identity, user)
    await changes.remove_user(site, identity, user)
    return _told(request, site, f"{user} is no user any more")


# --- tokens


@router.post("/accounts/tokens", name="create_token")
async def create_token(
    request: Request, site: OfSite, identity: Admin, name: Name, role: Name, days: Name = ""
) -> Response:
    """Make a token; the answer shows its secret, which is never shown again."""
    if site.guard.open:
        raise Conflict(
            "make a user first", way_out="from the first token on a login is asked for, of you too"
        )
    wanted, lasts = _role(role, tuple(Role)), _days(days)
    secret, made = await changes.create_token(site, identity, name.strip(), wanted, lasts)
    template = "token_made.html" if wants_part(request) else "token_made_page.html"
    page = site.rendering.page(request, template, section="settings", secret=secret, made=made)
    page.headers["HX-Trigger"] = CHANGED
    return page


@router.post("/accounts/tokens/{token}/revoke", name="revoke_token")
async def revoke_token(request: Request, site: OfSite, identity: Admin, token: str) -> Response:
    """End a token."""
    await changes.revoke_token(site, identity, token)
    return _told(request, site, f"token {token} is revoked")


def _role(word: str, known: tuple[Role, ...]) -> Role:
    found = next((role for role in known if role == word), None)
    if found is None:
        raise UsageError(f"{word[:20]!r} is no role for this", way_out=", ".join(known))
    return found


def _days(text: str) -> timedelta | None:
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or not 0 < int(text[:9]) <= LONGEST_DAYS:
        raise UsageError(f"{text[:20]!r} is no number of days", way_out=f"1 to {LONGEST_DAYS}")
    return timedelta(days=int(text[:9]))


def _another(identity: Identity, user: str) -> None:
    """Raise Conflict for one's own account: nobody shall put themselves out by a slip."""
    if identity.via is Via.SESSION and identity.name == user:
        raise Conflict(
            "that is your own account", way_out="your password is changed on the page 'You'"
        )


def _told(request: Request, site: Site, words: str) -> Response:
    return changed(request, site, words, back=address(request, "accounts"))


def _to_login(request: Request) -> Response:
    """Lead to the login, which is asked for from now on."""
    there = login_url(request.scope, address(request, "accounts"))
    if wants_part(request):
        return Response(status_code=200, headers={"HX-Redirect": there})
    return RedirectResponse(there, status_code=303)


# --- one's own


@router.get("/account", name="account")
async def account(request: Request, site: OfSite, identity: Viewer) -> Response:
    """Show who one is, and let one change one's password."""
    return _own(request, site, identity)


@router.post("/account", name="change_own_password")
async def change_own(
    request: Request,
    site: OfSite,
    identity: Viewer,
    current: Password,
    password: Password,
    again: Password,
) -> Response:
    """Change one's own password; all other sessions of one's own are over."""
    if identity.via is not Via.SESSION:
        raise NotThere("there is no password to change", way_out="log in as a user")
    client = request.client.host if request.client else ""
    try:
        _check_new(identity.name, password, again)
        # A session that somebody left open is not enough; its end is that of all others.
        await log_in(site.guard, name=identity.name, password=current, address=client)
        await changes.set_password(site, identity, identity.name, password)
        done = await log_in(
            site.guard,
            name=identity.name,
            password=password,
            address=client,
            old_session=session_of(request),
        )
    except (AccessRefused, UsageError) as refusal:
        return _own(request, site, identity, refusal)
    return welcome(request, site, done, f"{address(request, 'account')}?changed=1")


def _check_new(name: str, password: str, again: str) -> None:
    if password != again:
        raise UsageError("the two new passwords are not the same", way_out="type them again")
    check_password(name, password)


def _own(
    request: Request, site: Site, identity: Identity, refusal: HopperError | None = None
) -> Response:
    status = 200
    if isinstance(refusal, AccessRefused):
        status = refusal.status
    elif refusal is not None:
        status = status_of(refusal)
    wrong = isinstance(refusal, AccessRefused) and refusal.status == 401
    said = "the current password is wrong" if wrong else str(refusal or "")
    return site.rendering.page(
        request,
        "account.html",
        status=422 if wrong else status,
        who=identity,
        by_password=identity.via is Via.SESSION,
        refusal=said,
        done=request.method == "GET" and "changed" in request.query_params,
    )
