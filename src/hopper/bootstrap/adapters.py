"""Adapters of the dispatcher's small ports: the clock, the mailbox, what wakes it."""

from __future__ import annotations

import select
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from hopper.dispatch.ports import Letter
from hopper.store.mailbox import Command, Doorbell, Mailbox

GLANCE = 0.1
"""Seconds between glances at whether the queue folder has changed."""


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """Return the aware UTC time."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()


class LetterBox:
    """The mailbox, in the dispatcher's words."""

    def __init__(self, folder: Path) -> None:
        self._mailbox = Mailbox(folder)

    def take(self) -> Sequence[Letter]:
        """Return the commands that wait, oldest first."""
        return [Letter(id=command.id, body=command.body) for command in self._mailbox.take()]

    def answer(self, letter: Letter, body: Mapping[str, object]) -> None:
        """Answer a command that was taken."""
        self._mailbox.answer(Command(id=letter.id, body=letter.body), body)


class QueueBell:
    """Sleeps until somebody rings at the state folder's door, or a folder gets or loses a file."""

    def __init__(self, doorbell: Doorbell, watched: Path) -> None:
        self._doorbell = doorbell
        self._watched = watched
        self._seen = self._stamp()

    def wait(self, seconds: float) -> None:
        """Return after so many seconds, or when something has come."""
        end = time.monotonic() + seconds
        while True:
            # What came in since the last wait began may not have been seen by the tick.
            before, self._seen = self._seen, self._stamp()
            left = end - time.monotonic()
            if self._seen != before or left <= 0:
                break
            if select.select([self._doorbell], [], [], min(left, GLANCE))[0]:
                break
        self._doorbell.drain()

    def _stamp(self) -> int:
        try:
            return self._watched.stat().st_mtime_ns
        except OSError:
            return 0
