"""How many jobs the batch systems were found to take. Pure.

A cluster's limit on the jobs of a user is told only by a refusal. What it had taken by then is
the limit, until there is reason to believe that there is more room: it is raised bit by bit, so
that few submissions are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

HOLDS = timedelta(minutes=1)
"""After so long, a little more is tried."""


class LearnedLimits:
    """What was learned of each backend since the dispatcher started."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, datetime]] = {}

    def refused(self, backend: str, held: int, now: datetime) -> None:
        """Learn that it takes no more than the ``held`` jobs that it has."""
        self._known[backend] = (held, now)

    def limits(self, now: datetime) -> Mapping[str, int]:
        """Return how many jobs each backend is to have at most, as far as that was learned."""
        for backend, (limit, since) in self._known.items():
            if now - since >= HOLDS:
                self._known[backend] = (limit + max(1, limit // 10), now)
        return {backend: limit for backend, (limit, _) in self._known.items()}
