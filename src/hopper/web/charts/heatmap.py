"""A year of days as a grid of weeks, each day a square whose shade tells how much. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

SIDE = 11
"""Width of a square."""
STEP = 13
"""From one square to the next."""
LEFT = 30
"""Room for the names of the days."""
TOP = 16
"""Room for the names of the months."""
LEVELS = 4
"""Shades besides that of nothing."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LEAST_WEEKS = 3
"""Between two names of months, lest they lie on each other."""

Amounts = Sequence[tuple[date, float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Square:
    """One day."""

    x: int
    y: int
    day: date
    amount: float
    level: int
    """0 for nothing, up to LEVELS for the most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """A word beside the squares."""

    x: int
    y: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Heatmap:
    """All that is to be drawn."""

    width: int
    height: int
    squares: tuple[Square, ...]
    months: tuple[Label, ...]
    days: tuple[Label, ...]
    total: float
    busiest: Square | None
    """The day with the most; None where there was nothing."""


def heatmap(amounts: Amounts) -> Heatmap:
    """Return the grid of these days, which follow each other, a column a week from Monday on."""
    if not amounts:
        return Heatmap(
            width=LEFT, height=TOP, squares=(), months=(), days=(), total=0.0, busiest=None
        )
    first = amounts[0][0] - timedelta(days=amounts[0][0].weekday())
    most = max(amount for _, amount in amounts)
    squares = tuple(_square(day, amount, first, most) for day, amount in amounts)
    busiest = max(squares, key=lambda one: one.amount)
    return Heatmap(
        width=squares[-1].x + STEP,
        height=TOP + 7 * STEP,
        squares=squares,
        months=tuple(_months(squares)),
        days=tuple(
            Label(x=0, y=TOP + row * STEP + SIDE - 2, text=word)
            for row, word in ((0, "Mon"), (2, "Wed"), (4, "Fri"))
        ),
        total=sum(amount for _, amount in amounts),
        busiest=busiest if busiest.amount > 0 else None,
    )


def _square(day: date, amount: float, first: date, most: float) -> Square:
    week, row = divmod((day - first).days, 7)
    return Square(
        x=LEFT + week * STEP,
        y=TOP + row * STEP,
        day=day,
        amount=amount,
        level=level_of(amount, most),
    )


def level_of(amount: float, most: float) -> int:
    """Return the shade of an amount. By its root: one busy day must not pale all the others."""
    if amount <= 0 or most <= 0:
        return 0
    return min(LEVELS, max(1, 1 + int(LEVELS * (amount / most) ** 0.5 - 1e-9)))


def _months(squares: Sequence[Square]) -> list[Label]:
    found: list[Label] = []
    for square in squares:
        enough = not found or square.x - found[-1].x >= _LEAST_WEEKS * STEP
        if enough and square.day.day <= 7 and square.y == TOP:
            found.append(Label(x=square.x, y=TOP - 5, text=MONTHS[square.day.month - 1]))
    return found
