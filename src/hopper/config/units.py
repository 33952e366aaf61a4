"""Durations and sizes as people write them."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

LONGEST = timedelta(days=3650)
"""Longer durations are slips of the pen, and would overflow dates."""

_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_ALIASES = {
    "s": "s sec secs second seconds",
    "m": "m min mins minute minutes",
    "h": "h hour hours",
    "d": "d day days",
    "w": "w week weeks",
}
_UNIT_SECONDS = {word: _SECONDS[unit] for unit, words in _ALIASES.items() for word in words.split()}
_NUMBER = re.compile(r"\d+(?:\.\d+)?\Z", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.ASCII)
_CLOCK = re.compile(r"(\d{1,4}):([0-5]\d):([0-5]\d)\Z", re.ASCII)
_BYTES = {
    "": 1,
    "b": 1,
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgtp", 1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgtp", 1)},
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)\Z", re.ASCII)
_LARGEST = 2**60


def duration(value: object) -> timedelta:
    """Return the duration that is meant by seconds, ``"90s"``, ``"1h30m"`` or ``"HH:MM:SS"``.

    Raises ValueError for anything else, for less than nothing and for more than 10 years.
    """
    if isinstance(value, timedelta):
        return _in_range(value.total_seconds(), value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _in_range(float(value), value)
    if isinstance(value, str):
        seconds = _seconds(value.strip().lower())
        if seconds is not None:
            return _in_range(seconds, value)
    raise ValueError(f"{value!r} is not a duration; write seconds, or like 90s, 15m, 1h30m, 2d")


def _seconds(text: str) -> float | None:
    clock = _CLOCK.match(text)
    if clock:
        hours, minutes, seconds = (int(part) for part in clock.groups())
        return hours * 3600.0 + minutes * 60 + seconds
    if _NUMBER.match(text):
        return float(text)
    total, end = 0.0, 0
    while part := _PART.match(text, end):
        unit = _UNIT_SECONDS.get(part[2])
        if unit is None:
            return None
        total, end = total + float(part[1]) * unit, part.end()
    return total if end and end == len(text) else None


def _in_range(seconds: float, value: object) -> timedelta:
    if not math.isfinite(seconds) or not 0 <= seconds <= LONGEST.total_seconds():
        raise ValueError(f"{value!r} is not between 0 and {LONGEST.days} days")
    return timedelta(seconds=seconds)


def more_than_nothing(value: timedelta) -> timedelta:
    """Return the duration; ValueError when it is 0."""
    if not value:
        raise ValueError("it must be more than nothing")
    return value


def format_duration(value: timedelta) -> str:
    """Return a duration as ``duration`` reads it: ``1h30m``."""
    seconds = value.total_seconds()
    whole, fraction = int(seconds), seconds - int(seconds)
    if fraction:
        return f"{seconds:f}".rstrip("0") + "s"
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, whole = divmod(whole, _SECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def size(value: object) -> int:
    """Return the bytes that are meant by a number, ``"64 MB"`` (10^6) or ``"1GiB"`` (2^30).

    Raises ValueError for anything else.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST:
        return value
    if isinstance(value, str):
        match = _SIZE.match(value.strip().lower())
        if match and match[2] in _BYTES:
            count = float(match[1]) * _BYTES[match[2]]
            if count <= _LARGEST:
                return int(count)
    raise ValueError(f"{value!r} is not a size; write bytes, or like 500 kB, 64 MB, 1 GiB")


def format_size(value: int) -> str:
    """Return a size as ``size`` reads it, exactly where a unit divides it, else in bytes."""
    for unit, power in (("TB", 4), ("GB", 3), ("MB", 2), ("kB", 1)):
        if value and value % 1000**power == 0:
            return f"{value // 1000**power} {unit}"
    for unit, power in (("TiB", 4), ("GiB", 3), ("MiB", 2), ("KiB", 1)):
        if value and value % 1024**power == 0:
            return f"{value // 1024**power} {unit}"
    return f"{value} B"


Duration = Annotated[
    timedelta, BeforeValidator(duration), PlainSerializer(format_duration, return_type=str)
]
LimitDuration = Annotated[Duration, AfterValidator(more_than_nothing)]
"""A duration that would make no sense as 0."""
Size = Annotated[int, BeforeValidator(size), PlainSerializer(format_size, return_type=str)]
