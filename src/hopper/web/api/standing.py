"""How everything stands, looked at once for all who ask at the same time."""

from __future__ import annotations

import time

import anyio

from hopper.bootstrap.state import read_state
from hopper.config.model import HopperConfig
from hopper.operations.glance import Glance, Screen
from hopper.web.changing import apart

STAYS = 2.0
"""Seconds for which a look does; to make one costs as much as there are jobs."""


class Standing:
    """The last look at how things stand."""

    def __init__(self, config: HopperConfig) -> None:
        self._config = config
        self._lock: anyio.Lock | None = None
        self._screen: Screen | None = None
        self._at = float("-inf")

    async def screen(self) -> Screen:
        """Return how things stand, at most some seconds ago. StoreError."""
        self._lock = self._lock or anyio.Lock()
        async with self._lock:
            if self._screen is None or time.monotonic() - self._at > STAYS:
                self._screen = await apart(self._look)
                self._at = time.monotonic()
            return self._screen

    def forget(self) -> None:
        """Look anew the next time: somebody has changed something."""
        self._at = float("-inf")

    def _look(self) -> Screen:
        with read_state(self._config) as store:
            return Glance(self._config, store).screen(0)
