"""Changes of users and tokens; each is put on record with who made it."""

from __future__ import annotations

from datetime import timedelta

from anyio import to_thread

from hopper.errors import NotThere
from hopper.operations.accounts import note
from hopper.web.changing import apart
from hopper.web.problems import Conflict
from hopper.web.security.accounts import Account, check_name
from hopper.web.security.guard import Guard
from hopper.web.security.passwords import check_password
from hopper.web.security.roles import Identity, Role
from hopper.web.security.tokens import Token
from hopper.web.site import Site


async def add_user(site: Site, who: Identity, name: str, role: Role, password: str) -> Account:
    """Make a user. Conflict where the name is taken, UsageError for a name or password unfit."""
    accounts = site.guard.accounts
    check_name(name)
    if accounts.find(name) is not None:
        raise Conflict(f"there is a user {name} already", way_out="take another name")
    hashed = await _hashed(site.guard, name, password)
    made = await apart(lambda: accounts.add(name, role, hashed))
    await _note(site, who, f"user {name} made as {role}")
    return made


async def set_password(site: Site, who: Identity, name: str, password: str) -> Account:
    """Give a user another password; their sessions are over. NotThere, UsageError."""
    known_user(site.guard, name)
    hashed = await _hashed(site.guard, name, password)
    changed = await apart(lambda: site.guard.accounts.set_password(name, hashed))
    await _note(site, who, f"password of user {name} changed")
    return changed


async def set_role(site: Site, who: Identity, name: str, role: Role) -> Account:
    """Let a user do more or less. NotThere."""
    known_user(site.guard, name)
    changed = await apart(lambda: site.guard.accounts.set_role(name, role))
    await _note(site, who, f"user {name} made {role}")
    return changed


async def remove_user(site: Site, who: Identity, name: str) -> None:
    """Remove a user; their sessions are over. NotThere."""
    known_user(site.guard, name)
    await apart(lambda: site.guard.accounts.remove(name))
    await _note(site, who, f"user {name} removed")


async def create_token(
    site: Site, who: Identity, name: str, role: Role, lasts: timedelta | None
) -> tuple[str, Token]:
    """Make a token; return its secret, which is never seen again, and what is kept.

    Conflict where the name is taken, UsageError where it is none.
    """
    tokens, now = site.guard.tokens, site.guard.now()
    check_name(name)
    if any(one.name == name for one in tokens.all()):
        raise Conflict(f"there is a token {name} already", way_out="take another name")
    secret, made = await apart(lambda: tokens.create(name, role, now=now, lasts=lasts))
    await _note(site, who, f"token {name} made as {role}")
    return secret, made


async def revoke_token(site: Site, who: Identity, name: str) -> None:
    """End a token. NotThere."""
    if all(one.name != name for one in site.guard.tokens.all()):
        raise NotThere(f"no token {name!r}", way_out="see the list of tokens")
    await apart(lambda: site.guard.tokens.revoke(name))
    await _note(site, who, f"token {name} revoked")


def known_user(guard: Guard, name: str) -> Account:
    """Return a user by name. NotThere."""
    found = guard.accounts.find(name)
    if found is None:
        raise NotThere(f"no user {name!r}", way_out="see the list of users")
    return found


async def _hashed(guard: Guard, name: str, password: str) -> str:
    check_password(name, password)
    return await to_thread.run_sync(guard.passwords.hashed, password, limiter=guard.hashing)


async def _note(site: Site, who: Identity, said: str) -> None:
    await apart(lambda: note(site.config, said, by=who.by))
