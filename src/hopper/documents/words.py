"""Times, durations and sizes in words for people. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def printable(text: str) -> str:
    """Return a text from outside as one line that no terminal takes for commands."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """Return how long ago a moment was, in its largest unit."""
    if moment is None:
        return "-"
    return duration(((now or datetime.now(UTC)) - moment).total_seconds())


def duration(seconds: float) -> str:
    """Return a duration in its two largest units."""
    seconds = max(0, int(seconds))
    for size, unit, small, small_unit in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "m"),
        (60, "m", 1, "s"),
    ):
        if seconds >= size:
            rest = seconds % size // small
            return f"{seconds // size}{unit}{f' {rest}{small_unit}' if rest else ''}"
    return f"{seconds}s"


def size_text(count: int | None) -> str:
    """Return a number of bytes for people."""
    if count is None:
        return "-"
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
