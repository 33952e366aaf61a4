"""Tokens for programs: ``paths.db/web/tokens.json``. Only their hashes are kept."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from hopper.errors import UsageError
from hopper.web.security.accounts import check_name
from hopper.web.security.documents import Record, SharedDocument
from hopper.web.security.roles import Role

PREFIX = "hop_"
"""So that a token left in a repository is found by who looks for such."""
FORM = re.compile(r"hop_[A-Za-z0-9_-]{43}\Z", re.ASCII)
USE_NOTED = timedelta(hours=1)
"""How exactly the last use is kept; a write for each request would be too much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is known of a token."""

    name: str
    role: Role
    created: datetime
    expires: datetime | None = None
    last_used: datetime | None = None

    def expired(self, now: datetime) -> bool:
        """Tell whether its time is over."""
        return self.expires is not None and now >= self.expires


class Tokens:
    """The tokens of a state folder."""

    def __init__(self, folder: Path) -> None:
        self._document = SharedDocument(folder / "tokens.json", decode=_decoded, encode=_encoded)

    def all(self) -> list[Token]:
        """Return the tokens by name, expired ones too."""
        return sorted(self._document.read().values(), key=lambda token: token.name)

    def there(self) -> bool:
        """Tell whether there is any token."""
        return bool(self._document.read())

    def create(
        self, name: str, role: Role, *, now: datetime, lasts: timedelta | None = None
    ) -> tuple[str, Token]:
        """Make a token and return its secret, which is never seen again, and what is kept.

        Raises UsageError when the name is taken or not one.
        """
        check_name(name)
        secret = PREFIX + secrets.token_urlsafe(32)
        now = now.replace(microsecond=0)
        made = Token(name=name, role=role, created=now, expires=now + lasts if lasts else None)
        with self._document.change() as records:
            if any(token.name == name for token in records.values()):
                raise UsageError(
                    f"there is a token {name} already",
                    way_out=f"take another name, or 'hopper web token revoke {name}' first",
                )
            records[_hashed(secret)] = made
        return secret, made

    def revoke(self, name: str) -> None:
        """End a token; UsageError when there is none of that name."""
        with self._document.change() as records:
            found = [key for key, token in records.items() if token.name == name]
            if not found:
                raise UsageError(f"no token {name!r}", way_out="see 'hopper web token list'")
            for key in found:
                del records[key]

    def recognise(self, secret: str, now: datetime) -> Token | None:
        """Return the token with this secret; None when there is none, or its time is over."""
        if not FORM.match(secret):
            return None
        token = self._document.read().get(_hashed(secret))
        return None if token is None or token.expired(now) else token

    def use_is_due(self, token: Token, now: datetime) -> bool:
        """Tell whether the use of a token is to be noted."""
        return token.last_used is None or now - token.last_used >= USE_NOTED

    def note_use(self, name: str, now: datetime) -> None:
        """Keep when the token was used; it may be gone by now."""
        with self._document.change() as records:
            for key, token in records.items():
                if token.name == name:
                    records[key] = replace(token, last_used=now.replace(microsecond=0))


def _hashed(secret: str) -> str:
    # A plain hash will do: what has 256 random bits cannot be guessed.
    return hashlib.sha256(secret.encode("ascii")).hexdigest()


def _time(value: object) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else None


def _decoded(record: Record) -> Token:
    return Token(
        name=str(record["name"]),
        role=Role(record["role"]),
        created=datetime.fromisoformat(record["created"]),
        expires=_time(record.get("expires")),
        last_used=_time(record.get("last_used")),
    )


def _encoded(token: Token) -> Record:
    return {
        "name": token.name,
        "role": str(token.role),
        "created": token.created.isoformat(),
        "expires": token.expires.isoformat() if token.expires else None,
        "last_used": token.last_used.isoformat() if token.last_used else None,
    }
