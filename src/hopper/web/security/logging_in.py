"""A login and a logout, apart from the page that asks for them."""

from __future__ import annotations

import time
from dataclasses import dataclass

from anyio import to_thread

from hopper.web.security.accounts import Account
from hopper.web.security.guard import Guard
from hopper.web.security.refusals import AccessRefused

MOST_WAITING = 20
"""Logins that take turns at a time; each takes a tenth of a second of a core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """A login that succeeded: who, and the id of the new session for the cookie."""

    account: Account
    session_id: str


async def log_in(
    guard: Guard, *, name: str, password: str, address: str, old_session: str = ""
) -> LoggedIn:
    """Begin a session for who knows the password; the old one of the browser ends.

    Raises AccessRefused: 401 for a wrong name or password, which are not told apart, 429 with
    the seconds to wait after too many, 503 when too many try at once.
    """
    if guard.logging_in >= MOST_WAITING:
        raise AccessRefused(503, "too many people log in just now", way_out="try again", wait=5)
    wait = guard.rate.begin(address, name, time.monotonic())
    if wait:
        raise AccessRefused(
            429, "too many logins failed", way_out=f"wait {int(wait / 60) + 1} min", wait=wait
        )
    guard.logging_in += 1
    try:
        found = await to_thread.run_sync(_checked, guard, name, password, limiter=guard.hashing)
    finally:
        guard.logging_in -= 1
    if found is None:
        raise AccessRefused(401, "name or password is wrong")
    guard.rate.succeeded(address, name)
    session_id = await to_thread.run_sync(_begun, guard, found, old_session)
    return LoggedIn(account=found, session_id=session_id)


async def log_out(guard: Guard, session_id: str) -> None:
    """End a session; one that is over is fine."""
    await to_thread.run_sync(guard.sessions.end, session_id)


def _checked(guard: Guard, name: str, password: str) -> Account | None:
    account = guard.accounts.find(name)
    if not guard.passwords.fits(account.hashed if account else None, password):
        return None
    if account is not None and guard.passwords.outdated(account.hashed):
        guard.accounts.rehash(name, old=account.hashed, new=guard.passwords.hashed(password))
    return account


def _begun(guard: Guard, account: Account, old_session: str) -> str:
    if old_session:
        guard.sessions.end(old_session)
    return guard.sessions.begin(account, guard.now())
