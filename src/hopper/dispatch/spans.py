"""Durations in words. Pure."""

from __future__ import annotations

from datetime import timedelta


def span_text(span: timedelta) -> str:
    """Return a duration in its two largest units."""
    seconds = max(0, int(span.total_seconds()))
    units = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
    for number, (size, unit) in enumerate(units):
        if seconds >= size:
            rest = ""
            if number + 1 < len(units):
                small, small_unit = units[number + 1]
                count = seconds % size // small
                rest = f" {count}{small_unit}" if count else ""
            return f"{seconds // size}{unit}{rest}"
    return "0s"
