"""Keeps the dispatcher ticking: until it is told to end, until idle, or once."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from hopper.dispatch.loop import Dispatcher
from hopper.errors import HopperError

STOP_PATIENCE = 30.0
"""Seconds that orders under way are heard out after the word to end."""
TROUBLE_PAUSE = 2.0
"""Seconds to wait after a tick that could not be finished (a full disk)."""


class Until(StrEnum):
    """When to end by oneself."""

    TOLD = "told"
    IDLE = "idle"
    ONCE = "once"


class Bell(Protocol):
    """What ends the sleep between ticks early."""

    def wait(self, seconds: float) -> None:
        """Sleep until somebody rings, at most so many seconds."""


class Stop:
    """The word to end; a second one means at once."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        """Say it."""
        self.times += 1


class _Ending:
    """Tells when it is time to end, and has nothing new begun before that."""

    def __init__(self, dispatcher: Dispatcher, stop: Stop, until: Until) -> None:
        self._dispatcher = dispatcher
        self._stop = stop
        self._until = until
        self._stopped_at: float | None = None
        self._first_orders: frozenset[str] | None = None

    def hear(self) -> None:
        """Begin nothing new once the word to end was said."""
        if self._stop.times:
            self._dispatcher.launching = False

    def come(self) -> bool:
        """Return True when the tick just done was the last."""
        if self._stop.times:
            return self._heard_out()
        if self._until is Until.IDLE:
            return self._dispatcher.idle
        return self._until is Until.ONCE and self._once()

    def _heard_out(self) -> bool:
        now = self._dispatcher.ports.clock.monotonic()
        if self._stopped_at is None:
            self._stopped_at = now
            self.hear()
        return (
            self._stop.times > 1
            or not self._dispatcher.orders_under_way
            or now - self._stopped_at > STOP_PATIENCE
        )

    def _once(self) -> bool:
        """The workers are to be seen, and given what there is for them, and no more."""
        under_way = self._dispatcher.orders_under_way
        if self._first_orders is None:
            self._first_orders = under_way
            return False
        if not self._first_orders & under_way:
            self._dispatcher.launching = False
        return not under_way


def drive(
    dispatcher: Dispatcher,
    bell: Bell,
    stop: Stop,
    until: Until = Until.TOLD,
    *,
    on_trouble: Callable[[str], None],
    after_tick: Callable[[], None] = lambda: None,
) -> None:
    """Tick until the end, then let go of the workers cleanly.

    ``on_trouble`` is told of ticks that could not be finished; ``after_tick`` may draw.
    """
    dispatcher.start()
    ending = _Ending(dispatcher, stop, until)
    while True:
        ending.hear()
        try:
            patience = dispatcher.tick()
        except HopperError as error:
            on_trouble(str(error))
            patience = TROUBLE_PAUSE
        except Exception as error:  # noqa: BLE001 - one bad thing must not end all that goes well
            on_trouble(f"a tick broke off: {type(error).__name__}: {error}")
            patience = TROUBLE_PAUSE
        after_tick()
        if ending.come():
            break
        bell.wait(patience)
    dispatcher.stop(1.0 if stop.times > 1 else 5.0)
