"""Users and tokens, for admins."""

from __future__ import annotations

from datetime import datetime, timedelta

from anyio import to_thread
from fastapi import APIRouter, Response

from hopper.bootstrap import commands
from hopper.documents.values import Json, iso
from hopper.errors import NotThere
from hopper.model.event import EventKind
from hopper.web.api import place_models as models
from hopper.web.api.answers import answer
from hopper.web.api.parts import Name, problems
from hopper.web.changing import apart
from hopper.web.problems import Conflict
from hopper.web.security.access import Admin
from hopper.web.security.accounts import Account
from hopper.web.security.guard import Guard
from hopper.web.security.passwords import check_password
from hopper.web.security.roles import Identity, Role
from hopper.web.security.tokens import Token
from hopper.web.site import OfSite, Site

router = APIRouter(tags=["Access"])


@router.get("/tokens", response_model=models.Tokens, responses=problems())
async def list_tokens(site: OfSite, _: Admin) -> Response:
    """List the tokens of programs, without their secrets."""
    now = site.guard.now()
    return answer({"items": [_token(one, now) for one in site.guard.tokens.all()]})


@router.post("/tokens", status_code=201, response_model=models.TokenMade, responses=problems(409))
async def create_token(site: OfSite, who: Admin, asked: models.TokenAsked) -> Response:
    """Make a token. Its secret is in this answer and never again."""
    tokens, now = site.guard.tokens, site.guard.now()
    if any(one.name == asked.name for one in tokens.all()):
        raise Conflict(f"there is a token {asked.name} already", way_out="take another name")
    seconds = asked.expires_seconds
    lasts = timedelta(seconds=seconds) if seconds is not None else None
    secret, made = await apart(
        lambda: tokens.create(asked.name, Role(asked.role), now=now, lasts=lasts)
    )
    await _note(site, who, f"token {made.name} made as {made.role}")
    return answer({**_token(made, now), "token": secret}, status=201)


@router.delete("/tokens/{token}", status_code=204, responses=problems(404))
async def revoke_token(site: OfSite, who: Admin, token: Name) -> Response:
    """End a token."""
    if all(one.name != token for one in site.guard.tokens.all()):
        raise NotThere(f"no token {token!r}", way_out="see the list of tokens")
    await apart(lambda: site.guard.tokens.revoke(token))
    await _note(site, who, f"token {token} revoked")
    return Response(status_code=204)


def _token(one: Token, now: datetime) -> Json:
    return {
        "name": one.name,
        "role": str(one.role),
        "created": iso(one.created),
        "expires": iso(one.expires),
        "last_used": iso(one.last_used),
        "expired": one.expired(now),
    }


# --- users


@router.get("/users", response_model=models.Users, responses=problems())
async def list_users(site: OfSite, _: Admin) -> Response:
    """List those who may log in."""
    accounts = site.guard.accounts.all()
    return answer({"items": [_user(accounts[name]) for name in sorted(accounts)]})


@router.post("/users", status_code=201, response_model=models.UserState, responses=problems(409))
async def create_user(site: OfSite, who: Admin, asked: models.UserAsked) -> Response:
    """Make a user. From the first one on, a login is asked for on this machine too."""
    accounts = site.guard.accounts
    if accounts.find(asked.name) is not None:
        raise Conflict(f"there is a user {asked.name} already", way_out="take another name")
    hashed = await _hashed(site.guard, asked.name, asked.password)
    made = await apart(lambda: accounts.add(asked.name, Role(asked.role), hashed))
    await _note(site, who, f"user {made.name} made as {made.role}")
    return answer(_user(made), status=201)


@router.patch("/users/{user}", response_model=models.UserState, responses=problems(404))
async def change_user(site: OfSite, who: Admin, user: Name, asked: models.UserChange) -> Response:
    """Change a user's role or password; with another password, their sessions are over."""
    accounts, found = site.guard.accounts, _known(site.guard, user)
    if asked.password is not None:
        hashed = await _hashed(site.guard, user, asked.password)
        found = await apart(lambda: accounts.set_password(user, hashed))
        await _note(site, who, f"password of user {user} changed")
    if asked.role is not None:
        role = Role(asked.role)
        found = await apart(lambda: accounts.set_role(user, role))
        await _note(site, who, f"user {user} made {role}")
    return answer(_user(found))


@router.delete("/users/{user}", status_code=204, responses=problems(404))
async def remove_user(site: OfSite, who: Admin, user: Name) -> Response:
    """Remove a user; their sessions are over."""
    _known(site.guard, user)
    await apart(lambda: site.guard.accounts.remove(user))
    await _note(site, who, f"user {user} removed")
    return Response(status_code=204)


def _known(guard: Guard, name: str) -> Account:
    found = guard.accounts.find(name)
    if found is None:
        raise NotThere(f"no user {name!r}", way_out="see the list of users")
    return found


async def _hashed(guard: Guard, name: str, password: str) -> str:
    check_password(name, password)
    return await to_thread.run_sync(guard.passwords.hashed, password, limiter=guard.hashing)


def _user(one: Account) -> Json:
    return {"name": one.name, "role": str(one.role), "created": iso(one.created)}


async def _note(site: Site, who: Identity, said: str) -> None:
    body = {"do": "note", "kind": str(EventKind.ACCOUNT_CHANGED), "reason": said, "by": who.by}
    await apart(lambda: commands.give(site.config, body))
