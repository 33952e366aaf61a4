"""The inventory's workers, read again when the inventory changes, without holding up the loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from hopper.ansible.sweep import Sources
from hopper.errors import HopperError
from hopper.model.worker import Worker

CHECK_EVERY = 2.0
"""Seconds between looks at whether the inventory has changed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """An inventory that was read: its workers in its order, and what it was read from."""

    workers: Mapping[str, Worker]
    sources: Sources


class InventoryRoster:
    """Reads the inventory at first use, later in a thread; what is wrong then changes nothing.

    ``read`` may take seconds; it should know by itself when nothing has changed.
    """

    def __init__(self, read: Callable[[], Reading], on_trouble: Callable[[str], None]) -> None:
        self._read = read
        self._on_trouble = on_trouble
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inventory")
        self._pending: Future[Reading] | None = None
        self._reading: Reading | None = None
        self._checked = 0.0
        self._told = ""

    def workers(self) -> Mapping[str, Worker]:
        """Return the workers as last read. ConfigError only at the first use."""
        return self._current().workers

    def sources(self) -> Sources:
        """Return what the workers were read from."""
        return self._current().sources

    def _current(self) -> Reading:
        if self._reading is None:
            self._reading = self._read()
            self._checked = time.monotonic()
        elif self._pending is not None and self._pending.done():
            self._take(self._pending)
            self._pending = None
        elif self._pending is None and time.monotonic() - self._checked > CHECK_EVERY:
            self._checked = time.monotonic()
            self._pending = self._pool.submit(self._read)
        return self._reading

    def _take(self, done: Future[Reading]) -> None:
        try:
            self._reading = done.result()
            self._told = ""
        except HopperError as error:
            if str(error) != self._told:
                self._told = str(error)
                self._on_trouble(f"the inventory as last read stays in use: {error}")
