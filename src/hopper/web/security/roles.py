"""What people and programs may do, and who they are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What somebody may do. Each of the first three may do what the one before it may."""

    VIEWER = "viewer"
    """Sees everything but the settings."""
    OPERATOR = "operator"
    """Acts on jobs, runs, workers and backends."""
    ADMIN = "admin"
    """Also sees the settings and everything about access."""
    AGENT = "agent"
    """A program that pulls jobs; it may do that and nothing else."""


PEOPLE = (Role.VIEWER, Role.OPERATOR, Role.ADMIN)
"""The roles an account may have, the least first."""


def allows(has: Role, wanted: Role) -> bool:
    """Tell whether somebody with the role ``has`` may do what ``wanted`` is needed for."""
    if has is Role.AGENT or wanted is Role.AGENT:
        return has in (wanted, Role.ADMIN)
    return PEOPLE.index(has) >= PEOPLE.index(wanted)


class Via(StrEnum):
    """How somebody was recognised."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - a word, not a secret
    LOOPBACK = "loopback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who makes a request."""

    name: str
    role: Role
    via: Via

    @property
    def by(self) -> str:
        """Who did it, as events keep it: a token's name is not taken for a person's."""
        return f"token {self.name}" if self.via is Via.TOKEN else self.name
