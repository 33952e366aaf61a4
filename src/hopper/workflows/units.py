"""Memory and time limits as task files write them, in the words of Slurm and of PBS."""

from __future__ import annotations

import re
from datetime import timedelta

from hopper.config.memory import format_memory, memory
from hopper.config.units import LONGEST, duration

__all__ = ["format_memory", "format_time_limit", "growth", "memory", "time_limit"]

_COLONS = re.compile(r"(?:(\d{1,5})-)?(\d{1,6})(?::(\d{1,6}))?(?::(\d{1,6}))?\Z", re.ASCII)
_WITHOUT_LIMIT = {"unlimited", "infinite"}


def time_limit(value: object) -> timedelta | None:
    """Return the time that ``D-HH:MM:SS``, ``HH:MM:SS``, ``MM:SS``, minutes or ``1h30m`` mean.

    ``D-HH`` and ``D-HH:MM`` too. A number alone counts minutes, as with Slurm; ``UNLIMITED`` is
    None. ValueError for anything else, for nothing and for more than ten years.
    """
    text = (value if isinstance(value, str) else _number(value)).strip()
    if text.lower() in _WITHOUT_LIMIT:
        return None
    seconds = _seconds(text)
    if seconds is None:
        try:
            seconds = duration(text).total_seconds()
        except ValueError:
            raise ValueError(
                f"{value!r} is not a time limit; write HH:MM:SS, D-HH:MM:SS, 90m or minutes"
            ) from None
    if not 0 < seconds <= LONGEST.total_seconds():
        raise ValueError(f"{value!r} is not between 1 second and {LONGEST.days} days")
    return timedelta(seconds=seconds)


def _seconds(text: str) -> float | None:
    match = _COLONS.match(text)
    if match is None:
        return None
    days, first, second, third = (None if part is None else int(part) for part in match.groups())
    if days is not None:
        return ((days * 24 + (first or 0)) * 60 + (second or 0)) * 60 + (third or 0)
    if third is not None:
        return ((first or 0) * 60 + (second or 0)) * 60 + third
    return (first or 0) * 60 + (second or 0)


def format_time_limit(value: timedelta) -> str:
    """Return a time as ``time_limit`` reads it, in whole seconds."""
    total = int(value.total_seconds())
    hours, minutes, seconds = total // 3600, total // 60 % 60, total % 60
    return f"{hours // 24}-{hours % 24:02}:{minutes:02}:{seconds:02}"


def growth(value: object) -> float:
    """Return the factor that ``"x2"`` or ``2`` means, 1 to 100; ValueError for anything else."""
    text = value.strip().lower() if isinstance(value, str) else _number(value)
    number = text.removeprefix("x").strip()
    if re.fullmatch(r"\d{1,3}(\.\d{1,6})?", number, re.ASCII) and 1 <= float(number) <= 100:
        return float(number)
    raise ValueError(f"{value!r} is not a factor from 1 to 100; write x2 or 1.5")


def _number(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{value!r:.60} is neither a number nor text")
