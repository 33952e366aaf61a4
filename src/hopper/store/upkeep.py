"""What a round of upkeep of the state does, and what it says of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from hopper.model.job import Job
from hopper.store import retention
from hopper.store.errors import StoreError
from hopper.store.values import from_bytes

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Upkeep:
    """What a round of upkeep did. A problem endangers nothing that was committed."""

    sealed: int = 0
    """Event segments that became TinyDB files."""
    retired: int = 0
    """Jobs that went to the history."""
    gone: int = 0
    """Jobs that went away with their month of the history."""
    folded: bool = False
    problems: tuple[str, ...] = ()


def attempt(problems: list[str], what: str, act: Callable[[], int | None], done: int = 0) -> int:
    """Do a part of the upkeep and return its count; what goes wrong is logged and listed."""
    try:
        return act() or done
    except (StoreError, OSError) as trouble:
        log.warning("%s: %s", what, trouble)
        problems.append(f"{what}: {trouble}")
        return 0


def clear(months: Iterable[Path], on_gone: Callable[[Job], None]) -> int:
    """Remove months of the history; what belongs to their jobs goes first."""
    count = 0
    for path in months:
        if not path.name.startswith(retention.RUNS):
            for raw in retention.load(path).values():
                on_gone(from_bytes(Job, raw))
                count += 1
        path.unlink()
    return count
