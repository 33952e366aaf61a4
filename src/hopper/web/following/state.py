"""Follows the state folder, for all pages at once."""

from __future__ import annotations

import asyncio

from hopper.bootstrap.state import read_state
from hopper.config.model import HopperConfig
from hopper.errors import HopperError

LOOK_EVERY = 0.25


class Following:
    """The state, as the dispatcher writes it. For one event loop."""

    def __init__(self, config: HopperConfig) -> None:
        self.store = read_state(config)
        self.version = 0
        self.trouble = ""

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                self.version += self.store.refresh()
                self.trouble = ""
            except (HopperError, OSError) as error:
                self.trouble = str(error)

    def close(self) -> None:
        """Let go of the state."""
        self.store.close()
