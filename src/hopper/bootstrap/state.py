"""Looks at the state."""

from __future__ import annotations

from hopper.config.model import HopperConfig
from hopper.store.lock import Holder, holder
from hopper.store.state import StateStore

DISPATCH_COMMAND = "hopper dispatch"


def read_state(config: HopperConfig) -> StateStore:
    """Open the state for reading; follows what the dispatcher writes."""
    return StateStore.open(config.paths.db, readonly=True)


def dispatching(config: HopperConfig) -> Holder | None:
    """Return who dispatches now, None when nobody does."""
    held = holder(config.paths.db)
    return held if held is not None and held.command == DISPATCH_COMMAND else None
