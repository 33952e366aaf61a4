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
    clock = dispatcher.ports.clock
    dispatcher.start()
    stopped_at: float | None = None
    ticks = 0
    while True:
        try:
            patience = dispatcher.tick()
        except HopperError as error:
            on_trouble(str(error))
            patience = TROUBLE_PAUSE
        except Exception as error:  # noqa: BLE001 - one bad thing must not end all that goes well
            on_trouble(f"a tick broke off: {type(error).__name__}: {error}")
            patience = TROUBLE_PAUSE
        ticks += 1
        after_tick()
        if stop.times and stopped_at is None:
            stopped_at = clock.monotonic()
            dispatcher.launching = False
        if stopped_at is not None and (
            stop.times > 1
            or not dispatcher.waiting_for_reports
            or clock.monotonic() - stopped_at > STOP_PATIENCE
        ):
            break
        if until is Until.IDLE and dispatcher.idle:
            break
        if until is Until.ONCE and ticks > 1:
            dispatcher.launching = False
            if not dispatcher.waiting_for_reports:
                break
        bell.wait(0.0 if until is Until.ONCE and ticks == 1 else patience)
    dispatcher.stop(1.0 if stop.times > 1 else 5.0)
