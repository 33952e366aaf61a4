"""Users and tokens, for admins."""

from __future__ import annotations

from datetime import datetime, timedelta

from fastapi import APIRouter, Response

from hopper.documents.values import Json, iso
from hopper.web import account_changes as changes
from hopper.web.api import place_models as models
from hopper.web.api.answers import answer
from hopper.web.api.parts import Name, problems
from hopper.web.security.access import Admin
from hopper.web.security.accounts import Account
from hopper.web.security.roles import Role
from hopper.web.security.tokens import Token
from hopper.web.site import OfSite

router = APIRouter(tags=["Access"])


@router.get("/tokens", response_model=models.Tokens, responses=problems())
async def list_tokens(site: OfSite, _: Admin) -> Response:
    """List the tokens of programs, without their secrets."""
    now = site.guard.now()
    return answer({"items": [_token(one, now) for one in site.guard.tokens.all()]})


@router.post("/tokens", status_code=201, response_model=models.TokenMade, responses=problems(409))
async def create_token(site: OfSite, who: Admin, asked: models.TokenAsked) -> Response:
    """Make a token. Its secret is in this answer and never again."""
    seconds = asked.expires_seconds
    lasts = timedelta(seconds=seconds) if seconds is not None else None
    secret, made = await changes.create_token(site, who, asked.name, Role(asked.role), lasts)
    return answer({**_token(made, site.guard.now()), "token": secret}, status=201)


@router.delete("/tokens/{token}", status_code=204, responses=problems(404))
async def revoke_token(site: OfSite, who: Admin, token: Name) -> Response:
    """End a token."""
    await changes.revoke_token(site, who, token)
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
    made = await changes.add_user(site, who, asked.name, Role(asked.role), asked.password)
    return answer(_user(made), status=201)


@router.patch("/users/{user}", response_model=models.UserState, responses=problems(404))
async def change_user(site: OfSite, who: Admin, user: Name, asked: models.UserChange) -> Response:
    """Change a user's role or password; with another password, their sessions are over."""
    found = changes.known_user(site.guard, user)
    if asked.password is not None:
        found = await changes.set_password(site, who, user, asked.password)
    if asked.role is not None:
        found = await changes.set_role(site, who, user, Role(asked.role))
    return answer(_user(found))


@router.delete("/users/{user}", status_code=204, responses=problems(404))
async def remove_user(site: OfSite, who: Admin, user: Name) -> Response:
    """Remove a user; their sessions are over."""
    await changes.remove_user(site, who, user)
    return Response(status_code=204)


def _user(one: Account) -> Json:
    return {"name": one.name, "role": str(one.role), "created": iso(one.created)}
