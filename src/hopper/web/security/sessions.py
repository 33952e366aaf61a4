"""Sessions of people who logged in: ``paths.db/web/sessions.json``.

They are kept in a file so that a restart of the server logs nobody out. The id is in the
browser's cookie only; the file has its hash.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from hopper.web.security.accounts import Account
from hopper.web.security.documents import Record, SharedDocument

FORM = re.compile(r"[A-Za-z0-9_-]{43}\Z", re.ASCII)
OF_ONE = 20
"""Sessions of one account; the one unused for longest goes."""
OF_ALL = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """That somebody logged in."""

    user: str
    generation: str
    """The account's at the login."""
    created: datetime
    seen: datetime
    expires: datetime


class Sessions:
    """The sessions of a state folder.

    One ends ``lasts`` after the login, and ``idle`` after its last use (which is kept to a
    tenth of that, to spare writes).
    """

    def __init__(self, folder: Path, *, lasts: timedelta, idle: timedelta) -> None:
        self._document = SharedDocument(folder / "sessions.json", decode=_decoded, encode=_encoded)
        self._lasts = lasts
        self._idle = idle

    def begin(self, account: Account, now: datetime) -> str:
        """Make a session and return its id."""
        session_id = secrets.token_urlsafe(32)
        with self._document.change() as records:
            for key in [key for key, one in records.items() if self._over(one, now)]:
                del records[key]
            _make_room(records, account.name)
            records[_hashed(session_id)] = Session(
                user=account.name,
                generation=account.generation,
                created=now,
                seen=now,
                expires=now + self._lasts,
            )
        return session_id

    def find(self, session_id: str, now: datetime) -> Session | None:
        """Return the session of this id, None when it is over or never was."""
        if not FORM.match(session_id):
            return None
        session = self._document.read().get(_hashed(session_id))
        return None if session is None or self._over(session, now) else session

    def use_is_due(self, session: Session, now: datetime) -> bool:
        """Tell whether the use of a session is to be noted."""
        return now - session.seen >= self._idle / 10

    def note_use(self, session_id: str, now: datetime) -> None:
        """Keep when the session was used; it may be over by now."""
        with self._document.change() as records:
            key = _hashed(session_id)
            if key in records:
                records[key] = replace(records[key], seen=now)

    def end(self, session_id: str) -> None:
        """End the session; one that is over already is fine."""
        with self._document.change() as records:
            records.pop(_hashed(session_id), None)

    def _over(self, session: Session, now: datetime) -> bool:
        return now >= session.expires or now >= session.seen + self._idle


def _make_room(records: dict[str, Session], user: str) -> None:
    by_use = sorted(records, key=lambda key: records[key].seen)
    own = [key for key in by_use if records[key].user == user]
    for key in own[: max(0, len(own) - OF_ONE + 1)]:
        del records[key]
        by_use.remove(key)
    for key in by_use[: max(0, len(by_use) - OF_ALL + 1)]:
        del records[key]


def _hashed(session_id: str) -> str:
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()


def _decoded(record: Record) -> Session:
    return Session(
        user=str(record["user"]),
        generation=str(record["generation"]),
        created=datetime.fromisoformat(record["created"]),
        seen=datetime.fromisoformat(record["seen"]),
        expires=datetime.fromisoformat(record["expires"]),
    )


def _encoded(session: Session) -> Record:
    return {
        "user": session.user,
        "generation": session.generation,
        "created": session.created.isoformat(),
        "seen": session.seen.isoformat(),
        "expires": session.expires.isoformat(),
    }
