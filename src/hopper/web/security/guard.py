"""Who makes a request: what the server knows of accounts, tokens and sessions, put together."""

from __future__ import annotations

import getpass
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from anyio import CapacityLimiter

from hopper.config.web import Web
from hopper.store.errors import StoreError
from hopper.store.files import write_whole
from hopper.web.security.accounts import Accounts
from hopper.web.security.documents import alone, private_folder
from hopper.web.security.hosts import HostRule, is_loopback
from hopper.web.security.login_rate import LoginRate
from hopper.web.security.passwords import Passwords
from hopper.web.security.roles import Identity, Role, Via
from hopper.web.security.sessions import Sessions
from hopper.web.security.tokens import Tokens

Clock = Callable[[], datetime]


def _utc_now() -> datetime:
    return datetime.now(UTC)


LONGEST_IDLE = timedelta(days=7)
"""A login that nobody uses for so long is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardRules:
    """What the config says of access. ``host`` is the address that the server listens on."""

    host: str = "127.0.0.1"
    allowed_hosts: tuple[str, ...] = ()
    session_lasts: timedelta = timedelta(days=30)
    session_idle: timedelta = LONGEST_IDLE

    @classmethod
    def of(cls, web: Web) -> GuardRules:
        """Return what the config's group ``web`` says."""
        return cls(
            host=web.host,
            allowed_hosts=web.allowed_hosts,
            session_lasts=web.session,
            session_idle=min(web.session, LONGEST_IDLE),
        )


class Guard:
    """What tells one request from another. Made once a server; reads its files as they change."""

    def __init__(
        self,
        folder: Path,
        rules: GuardRules,
        *,
        passwords: Passwords | None = None,
        now: Clock = _utc_now,
    ) -> None:
        self.rules = rules
        self.now = now
        self.hosts = HostRule(rules.host, rules.allowed_hosts)
        self.accounts = Accounts(folder)
        self.tokens = Tokens(folder)
        self.sessions = Sessions(folder, lasts=rules.session_lasts, idle=rules.session_idle)
        self.passwords = passwords or Passwords()
        self.rate = LoginRate()
        self.hashing = CapacityLimiter(1)
        self.logging_in = 0
        self._secret = _secret(private_folder(folder))
        # Servers of one machine share a browser's cookies, whatever their ports.
        tail = hashlib.sha256(b"name" + self._secret).hexdigest()[:8]
        self.session_cookie = f"hopper_session_{tail}"
        self.visit_cookie = f"hopper_visit_{tail}"

    @property
    def open(self) -> bool:
        """True where everybody on this machine may do everything: loopback, nobody set up."""
        return is_loopback(self.rules.host) and not self.anybody

    @property
    def anybody(self) -> bool:
        """True when there is a user or a token, so that a login is asked for."""
        return bool(self.accounts.all()) or self.tokens.there()

    def by_token(self, secret: str) -> Identity | None:
        """Return whose token this is, None when it is none or over."""
        token = self.tokens.recognise(secret, self.now())
        if token is None:
            return None
        return Identity(name=token.name, role=token.role, via=Via.TOKEN)

    def by_session(self, session_id: str) -> Identity | None:
        """Return whose session this is, None when it is over: by time, logout or the account."""
        session = self.sessions.find(session_id, self.now())
        account = self.accounts.find(session.user) if session is not None else None
        if session is None or account is None or account.generation != session.generation:
            return None
        return Identity(name=account.name, role=account.role, via=Via.SESSION)

    def use_to_note(self, identity: Identity, credential: str) -> Callable[[], None] | None:
        """Return what notes that a session or a token is used; None when that is not due.

        It writes a file, so it is not for the event loop.
        """
        now = self.now()
        if identity.via is Via.TOKEN:
            token = self.tokens.recognise(credential, now)
            if token is not None and self.tokens.use_is_due(token, now):
                return lambda: self.tokens.note_use(token.name, now)
        if identity.via is Via.SESSION:
            session = self.sessions.find(credential, now)
            if session is not None and self.sessions.use_is_due(session, now):
                return lambda: self.sessions.note_use(credential, now)
        return None

    def csrf_token(self, basis: str) -> str:
        """Return a token of forms that are sent with this cookie; each time another one fits.

        Answers are compressed: one that stayed the same could be guessed by their lengths.
        """
        pad = secrets.token_bytes(hashlib.sha256().digest_size)
        return (pad + _mixed(pad, self._csrf(basis))).hex()

    def csrf_fits(self, token: str, bases: Iterable[str]) -> bool:
        """Tell whether the token belongs to one of these cookies."""
        size = hashlib.sha256().digest_size
        try:
            given = bytes.fromhex(token)
        except ValueError:
            return False
        if len(given) != 2 * size:
            return False
        meant = _mixed(given[:size], given[size:])
        fits = [hmac.compare_digest(meant, self._csrf(basis)) for basis in bases]
        return any(fits)

    def _csrf(self, basis: str) -> bytes:
        message = b"csrf:" + basis.encode("utf-8", "surrogatepass")
        return hmac.digest(self._secret, message, "sha256")


def _mixed(pad: bytes, content: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(pad, content, strict=True))


def local_person() -> Identity:
    """Return who uses a server that is open on loopback: whoever started it."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return Identity(name=name, role=Role.ADMIN, via=Via.LOOPBACK)


def _secret(folder: Path) -> bytes:
    """Return the folder's secret, made at the first time."""
    path = folder / "secret"
    try:
        with alone(path):  # so that two first starts agree
            if not path.exists():
                write_whole(path, [secrets.token_bytes(32)])
            content = path.read_bytes()
    except OSError as cause:
        raise StoreError(f"cannot read {path}: {cause.strerror or cause}") from cause
    if len(content) != 32:
        raise StoreError(f"{path} is damaged", way_out="remove it; a new one is made")
    return content
