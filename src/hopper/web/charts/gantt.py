"""When the tasks of a run ran, as the geometry of a drawing. Pure.

All of it is in the units of the drawing, which is ``WIDTH`` wide; times are epoch seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

WIDTH = 1000.0
LABELS = 210.0
"""Where the bars begin: before them are the names."""
TOP = 24.0
"""Where the first row begins: above it is the scale."""
ROW = 20.0
BAR = 12.0
THINNEST = 2.0
"""Width of the shortest bar, so that it is seen."""
MOST_SEGMENTS = 40
"""Stretches that one row is drawn with; what is closer together is drawn as one."""
_STEPS = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200),
    *(86400 * days for days in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
)
_TICKS = 7
"""Marks of the scale, at most."""

Span = tuple[float, float, str]
"""Start, end, and how it looks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A task or a group of them."""

    key: str
    label: str
    spans: tuple[Span, ...]
    after: tuple[str, ...] = ()
    """Keys of those that it waited for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One stretch of a row."""

    x: float
    width: float
    look: str
    start: datetime
    end: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of the drawing; ``y`` is its upper edge."""

    key: str
    label: str
    y: float
    bars: tuple[Bar, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tick:
    """A mark of the scale."""

    x: float
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """From the end of a task to the start of one that waited for it."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Gantt:
    """A drawing."""

    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    height: float
    start: datetime
    end: datetime


def gantt(items: Sequence[Item], *, dependencies: bool = False) -> Gantt | None:
    """Return the drawing of those that have started, the first on top; None for none."""
    begun = sorted((item for item in items if item.spans), key=lambda item: item.spans[0][0])
    if not begun:
        return None
    first = min(start for item in begun for start, _, _ in item.spans)
    last = max(*(end for item in begun for _, end, _ in item.spans), first + 1.0)
    per_second = (WIDTH - LABELS - 10.0) / (last - first)
    rows = tuple(
        Row(
            key=item.key,
            label=item.label,
            y=TOP + number * ROW,
            bars=tuple(_bar(span, first, per_second) for span in _fewer(item.spans, per_second)),
        )
        for number, item in enumerate(begun)
    )
    return Gantt(
        rows=rows,
        ticks=tuple(_ticks(last - first, per_second)),
        lines=tuple(_lines(begun, rows)) if dependencies else (),
        height=TOP + len(rows) * ROW + 4.0,
        start=datetime.fromtimestamp(first, UTC),
        end=datetime.fromtimestamp(last, UTC),
    )


def together(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the stretches in which any of them ran, each with the look of its worst."""
    found: list[Span] = []
    for start, end, look in sorted(spans):
        if found and start <= found[-1][1]:
            before = found[-1]
            found[-1] = (before[0], max(before[1], end), _worst(before[2], look))
        else:
            found.append((start, end, look))
    return tuple(found)


_LOOKS = ("off", "ok", "busy", "wait", "bad")


def _worst(one: str, other: str) -> str:
    return max(one, other, key=lambda look: _LOOKS.index(look) if look in _LOOKS else -1)


def _fewer(spans: Sequence[Span], per_second: float) -> Sequence[Span]:
    """Return the spans with those that nobody could tell apart made one."""
    gap, kept = THINNEST / per_second, list(spans)
    while len(kept) > MOST_SEGMENTS:
        joined = [kept[0]]
        for start, end, look in kept[1:]:
            before = joined[-1]
            if start - before[1] < gap:
                joined[-1] = (before[0], max(before[1], end), _worst(before[2], look))
            else:
                joined.append((start, end, look))
        kept, gap = joined, gap * 2
    return kept


def _bar(span: Span, first: float, per_second: float) -> Bar:
    start, end, look = span
    width = max(THINNEST, (end - start) * per_second)
    x = min(LABELS + (start - first) * per_second, WIDTH - width)
    return Bar(
        x=round(x, 1),
        width=round(width, 1),
        look=look,
        start=datetime.fromtimestamp(start, UTC),
        end=datetime.fromtimestamp(end, UTC),
    )


def _ticks(seconds: float, per_second: float) -> Iterable[Tick]:
    step = next((step for step in _STEPS if seconds / step <= _TICKS), _STEPS[-1])
    for number in range(int(seconds // step) + 1):
        yield Tick(x=round(LABELS + number * step * per_second, 1), words=_words(number * step))


def _words(seconds: int) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.4g}{unit}"
    return f"{seconds}s"


def _lines(items: Sequence[Item], rows: Sequence[Row]) -> Iterable[Line]:
    places: Mapping[str, Row] = {row.key: row for row in rows}
    for item, row in zip(items, rows, strict=True):
        for key in item.after:
            before = places.get(key)
            if before is not None:
                yield Line(
                    x1=before.bars[-1].x + before.bars[-1].width,
                    y1=before.y + ROW / 2,
                    x2=row.bars[0].x,
                    y2=row.y + ROW / 2,
                )
