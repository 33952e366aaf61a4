"""Passwords: which are good enough, and their argon2id hashes."""

from __future__ import annotations

import secrets
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from hopper.errors import UsageError

SHORTEST = 10
"""Characters."""
LONGEST = 1024
"""Bytes; a longer one is refused before anything is computed."""


def check_password(name: str, password: str) -> None:
    """Raise UsageError for a password that will not do for this name."""
    if len(password) < SHORTEST:
        raise UsageError("the password is too short", way_out=f"take {SHORTEST} characters or more")
    if len(password.encode("utf-8", "surrogatepass")) > LONGEST:
        raise UsageError("the password is too long", way_out=f"at most {LONGEST} bytes")
    if name.casefold() in (password.casefold(), password[::-1].casefold()):
        raise UsageError("the password is the name", way_out="take another one")
    if len(set(password)) < 4:
        raise UsageError("the password repeats itself", way_out="take another one")


class Passwords:
    """Makes and compares hashes. Each call takes about 0.1 s of a core and 64 MiB."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        # One lane: a login must not take all cores from the dispatcher beside it.
        self._hasher = hasher or PasswordHasher(time_cost=3, memory_cost=65536, parallelism=1)
        self._nobody = ""

    def hashed(self, password: str) -> str:
        """Return the hash to keep."""
        return self._hasher.hash(_normal(password))

    def fits(self, hashed: str | None, password: str) -> bool:
        """Tell whether the password is the one; None, for nobody's hash, costs as much."""
        # Made for anybody's login, so that the first of an unknown name takes no longer.
        self._nobody = self._nobody or self.hashed(secrets.token_hex())
        raw = _normal(password)
        if len(raw) > LONGEST:
            hashed, raw = None, raw[:LONGEST]
        try:
            self._hasher.verify(hashed or self._nobody, raw)
        except (Argon2Error, InvalidHashError):
            return False
        return hashed is not None

    def outdated(self, hashed: str) -> bool:
        """Tell whether the hash was made with other costs than today's."""
        return self._hasher.check_needs_rehash(hashed)


def _normal(password: str) -> bytes:
    # The same letters come composed from one keyboard and decomposed from another.
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
