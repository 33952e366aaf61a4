"""The log of ``paths.log``: events as JSON lines, rotated by size."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path

from hopper.model.event import Event
from hopper.store.values import to_json

MAX_BYTES = 10_000_000
KEPT_FILES = 5


class EventLines:
    """Writes events to a file, and to whoever else listens; never raises."""

    def __init__(self, path: Path, listener: Callable[[Event], None] | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handler = RotatingFileHandler(
            path, maxBytes=MAX_BYTES, backupCount=KEPT_FILES, encoding="utf-8", delay=True
        )
        self._handler.setFormatter(logging.Formatter("%(message)s"))
        # A full disk must not fill the terminal as well; the store tells of it.
        self._handler.handleError = lambda record: None  # type: ignore[method-assign]  # noqa: ARG005
        self._listener = listener

    def write(self, events: Sequence[Event]) -> None:
        """Write events, a line each."""
        for event in events:
            line = json.dumps(to_json(event))
            self._handler.handle(logging.LogRecord("hopper", logging.INFO, "", 0, line, (), None))
            if self._listener is not None:
                self._listener(event)

    def close(self) -> None:
        """Close the file."""
        self._handler.close()
