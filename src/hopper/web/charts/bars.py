"""Amounts by the hour as bars. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

WIDTH = 480
HEIGHT = 96
FLOOR = 78
"""Where the bars stand; the hours are written below."""
GAP = 3
EVERY = 6
"""Hours between two that are written."""
LEAST = 1.5
"""Height of a bar that is not nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One hour."""

    x: float
    y: float
    width: float
    height: float
    at: datetime
    amount: float
    label: str
    """Its hour by the clock here; empty for most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bars:
    """All that is to be drawn."""

    width: int
    height: int
    floor: int
    bars: tuple[Bar, ...]
    most: float
    total: float


def bars(amounts: Sequence[tuple[datetime, float]]) -> Bars:
    """Return the bars of these hours, the oldest first."""
    most = max((amount for _, amount in amounts), default=0.0)
    step = WIDTH / max(1, len(amounts))
    found = []
    for number, (at, amount) in enumerate(amounts):
        tall = (FLOOR - 4) * amount / most if most > 0 else 0.0
        tall = max(LEAST, tall) if amount > 0 else 0.0
        hour = at.astimezone().hour
        found.append(
            Bar(
                x=round(number * step, 2),
                y=round(FLOOR - tall, 2),
                width=round(step - GAP, 2),
                height=round(tall, 2),
                at=at,
                amount=amount,
                label=f"{hour:02d}:00" if hour % EVERY == 0 else "",
            )
        )
    return Bars(
        width=WIDTH,
        height=HEIGHT,
        floor=FLOOR,
        bars=tuple(found),
        most=most,
        total=sum(amount for _, amount in amounts),
    )
