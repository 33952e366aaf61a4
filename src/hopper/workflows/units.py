"""Memory and time limits as task files write them, in the words of Slurm and of PBS."""

from __future__ import annotations

import re
from datetime import timedelta

from hopper.config.units import LONGEST, duration

MEGABYTE = 1024**2
LARGEST_MEMORY = 1024**5
"""Bytes; more is a slip of the pen."""

_POWERS = {"": 2, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_MEMORY = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)\s*([kmgtp]?)(i?b)?\Z", re.ASCII | re.IGNORECASE)
_COLONS = re.compile(r"(?:(\d{1,5})-)?(\d{1,6})(?::(\d{1,6}))?(?::(\d{1,6}))?\Z", re.ASCII)
_WITHOUT_LIMIT = {"unlimited", "infinite"}


def memory(value: object) -> int:
    """Return the bytes that ``4G``, ``4GB``, ``4GiB``, ``4096M`` or ``512K`` mean.

    Units are powers of 1024, as with Slurm and PBS; a number alone counts megabytes, as with
    Slurm. ValueError for anything else, for nothing and for more than a petabyte.
    """
    text = value if isinstance(value, str) else _number(value)
    match = _MEMORY.match(text.strip())
    if match and (match[2] or not match[3]):
        amount = float(match[1]) * 1024 ** _POWERS[match[2].lower()]
        if 1 <= amount <= LARGEST_MEMORY:
            return int(amount)
        raise ValueError(f"{value!r} is not between 1 byte and 1024T; null leaves it open")
    raise ValueError(f"{value!r} is not an amount of memory; write 4G, 500M or megabytes")


def format_memory(value: int) -> str:
    """Return an amount as ``memory`` reads it, exact to the kilobyte above."""
    for unit, power in (("P", 5), ("T", 4), ("G", 3), ("M", 2)):
        if value and value % 1024**power == 0:
            return f"{value // 1024**power}{unit}"
    return f"{-(-value // 1024)}K"


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
