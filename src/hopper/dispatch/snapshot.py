"""All that a decision depends on but the time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hopper.dispatch.book import Book
from hopper.dispatch.settings import PolicySettings
from hopper.model.backend import BatchTarget
from hopper.model.worker import Worker

Lane = tuple[str, bool]
"""A worker and whether it is its lane for large transfers."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """All that a decision depends on but the time."""

    book: Book
    workers: Mapping[str, Worker]
    """The inventory, in its order."""
    settings: PolicySettings = field(default_factory=PolicySettings)
    busy: frozenset[Lane] = frozenset()
    """Lanes with an order under way."""
    looks_due: frozenset[str] = frozenset()
    """Workers that are to be looked at now."""
    bulk_results: frozenset[str] = frozenset()
    """Jobs whose results are too large to come home with the others'."""
    tried: frozenset[str] = frozenset()
    """Attempts that were to be tidied away and are still there: not at once again."""
    targets: Mapping[str, BatchTarget] = field(default_factory=dict)
    """The batch systems, by backend."""
    batch_busy: frozenset[str] = frozenset()
    """Backends with an order under way."""
    batch_limits: Mapping[str, int] = field(default_factory=dict)
    """Most jobs that a backend was found to take, where that was learned."""
    others_due: frozenset[str] = frozenset()
    """Backends to be asked about the jobs of others and their machines."""
    set_aside: frozenset[str] = frozenset()
    """Pending jobs for which a result at home is about to be taken."""
    home_full: bool = False
    """There is no room at home for results."""
