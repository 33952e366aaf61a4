"""When each worker is to be looked at next: soon after a change, then less and less often."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

GROWTH = 1.6


@dataclass(kw_only=True, slots=True)
class Beat:
    """A worker's next look."""

    interval: timedelta
    due: datetime


class Rhythm:
    """The looks at all workers. Kept in memory only: a restart looks at once."""

    def __init__(self, *, first: timedelta, longest: timedelta, idle: timedelta) -> None:
        self._first = min(first, longest)
        self._longest = longest
        self._idle = max(idle, longest)
        self._beats: dict[str, Beat] = {}

    def due(self, workers: Collection[str], now: datetime) -> frozenset[str]:
        """Return the workers that are to be looked at now; unknown ones are."""
        return frozenset(
            name
            for name in workers
            if (beat := self._beats.get(name)) is None
            or now >= beat.due
            # The clock was set back.
            or beat.due - now > max(beat.interval, self._idle)
        )

    def changed(self, worker: str, now: datetime) -> None:
        """Something happened there: look again soon."""
        self._beats[worker] = Beat(interval=self._first, due=now + self._first)

    def postponed(self, worker: str, due: datetime) -> None:
        """It cannot be reached, or cannot take jobs: look again then, however idle it is."""
        self._beats[worker] = Beat(interval=self._first, due=due)

    def at_once(self, worker: str) -> None:
        """Look now."""
        self._beats.pop(worker, None)

    def looked(self, worker: str, now: datetime, *, idle: bool) -> None:
        """Nothing new there: look again later; an idle worker much later."""
        beat = self._beats.get(worker)
        interval = beat.interval * GROWTH if beat is not None else self._first
        interval = self._idle if idle else min(interval, self._longest)
        self._beats[worker] = Beat(interval=interval, due=now + interval)

    def next_due(self, workers: Collection[str]) -> datetime | None:
        """Return when the next of these workers is due; None when there are none."""
        dues = [beat.due for name, beat in self._beats.items() if name in workers]
        return min(dues, default=None)
