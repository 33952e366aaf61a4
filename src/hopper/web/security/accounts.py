"""The people who may log in: ``paths.db/web/users.json``."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from hopper.errors import UsageError
from hopper.web.security.documents import Record, SharedDocument
from hopper.web.security.roles import PEOPLE, Role

NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody who may log in.

    ``generation`` changes with the password; sessions of another one are over.
    """

    name: str
    role: Role
    hashed: str
    created: datetime
    generation: str


def check_name(name: str) -> str:
    """Return the name of an account or a token; UsageError when it is not one."""
    if not NAME.match(name):
        raise UsageError(
            f"{name!r} is no name for this",
            way_out="use up to 64 of a-z, 0-9 and . _ @ -, a letter or a number first",
        )
    return name


class Accounts:
    """The accounts of a state folder. Passwords come hashed."""

    def __init__(self, folder: Path) -> None:
        self._document = SharedDocument(folder / "users.json", decode=_decoded, encode=_encoded)

    def all(self) -> Mapping[str, Account]:
        """Return the accounts by name."""
        return self._document.read()

    def find(self, name: str) -> Account | None:
        """Return the account, None when there is none."""
        return self.all().get(name)

    def add(self, name: str, role: Role, hashed: str) -> Account:
        """Make an account; UsageError when the name is taken or not one."""
        check_name(name)
        with self._document.change() as records:
            if name in records:
                raise UsageError(
                    f"there is a user {name} already",
                    way_out=f"'hopper web user passwd {name}' sets the password, "
                    f"'hopper web user role {name}' the role",
                )
            made = Account(
                name=name,
                role=_for_people(role),
                hashed=hashed,
                created=datetime.now(UTC).replace(microsecond=0),
                generation=secrets.token_hex(8),
            )
            records[name] = made
        return made

    def set_password(self, name: str, hashed: str) -> Account:
        """Change a password; the sessions of the account are over. UsageError when unknown."""
        with self._document.change() as records:
            found = _found(records, name)
            records[name] = replace(found, hashed=hashed, generation=secrets.token_hex(8))
            return records[name]

    def rehash(self, name: str, *, old: str, new: str) -> None:
        """Put the same password's newer hash in place, unless it was changed meanwhile."""
        with self._document.change() as records:
            found = records.get(name)
            if found is not None and found.hashed == old:
                records[name] = replace(found, hashed=new)

    def set_role(self, name: str, role: Role) -> Account:
        """Change a role, for open sessions too. UsageError when unknown."""
        with self._document.change() as records:
            records[name] = replace(_found(records, name), role=_for_people(role))
            return records[name]

    def remove(self, name: str) -> None:
        """Remove an account; its sessions are over. UsageError when unknown."""
        with self._document.change() as records:
            del records[_found(records, name).name]


def _found(records: Mapping[str, Account], name: str) -> Account:
    if name not in records:
        raise UsageError(f"no user {name!r}", way_out="see 'hopper web user list'")
    return records[name]


def _for_people(role: Role) -> Role:
    if role not in PEOPLE:
        raise UsageError(f"a user cannot be {role}", way_out="'hopper web token create' is for it")
    return role


def _decoded(record: Record) -> Account:
    return Account(
        name=str(record["name"]),
        role=_for_people(Role(record["role"])),
        hashed=str(record["hashed"]),
        created=datetime.fromisoformat(record["created"]),
        generation=str(record["generation"]),
    )


def _encoded(account: Account) -> Record:
    return {
        "name": account.name,
        "role": str(account.role),
        "hashed": account.hashed,
        "created": account.created.isoformat(),
        "generation": account.generation,
    }
