"""Sizes, durations and times as batch systems write them."""

from __future__ import annotations

import re
from datetime import timedelta

_NUMBER = r"\d{1,15}(?:\.\d{1,9})?"
_SIZE = re.compile(rf"({_NUMBER})\s*([kmgtpe]?)(?:i?b)?\Z", re.ASCII | re.IGNORECASE)
_CLOCK = re.compile(
    rf"(?:(\d{{1,6}})[-:](?=\d+:\d+:))?(?:(\d{{1,9}}):)?(\d{{1,9}}):({_NUMBER})\Z", re.ASCII
)
_PLAIN = re.compile(rf"{_NUMBER}\Z", re.ASCII)
_LARGEST = 2**62
_POWERS = {letter: power for power, letter in enumerate("kmgtpe", 1)}


def mebibytes(memory: int) -> int:
    """Return bytes as MiB, rounded up, at least 1 (to Slurm, 0 is all there is)."""
    return max(1, -(-memory // 1024**2))


def whole_seconds(limit: timedelta) -> int:
    """Return a limit in seconds, rounded up, at least 1 (0 means no limit to some)."""
    return max(1, -(-limit // timedelta(seconds=1)))


def clock(limit: timedelta) -> str:
    """Return a limit as ``HH:MM:SS``; hours go beyond 24."""
    minutes, seconds = divmod(whole_seconds(limit), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


def parse_size(text: str, unit: str = "") -> int | None:
    """Return the bytes of ``302656K``, ``1.5G``, ``12kb`` (all by 1024); None for anything else.

    ``unit`` (a letter) is that of a bare number.
    """
    match = _SIZE.match(text.strip())
    if not match:
        return None
    power = _POWERS.get((match[2] or unit).lower(), 0)
    size = float(match[1]) * 1024**power
    return int(size) if size <= _LARGEST else None


def parse_clock(text: str) -> float | None:
    """Return the seconds of ``1-02:03:04``, ``26:03:04``, ``03:04.123``; None for anything else."""
    match = _CLOCK.match(text.strip())
    if not match:
        return None
    days, hours, minutes = (int(part or 0) for part in match.groups()[:3])
    return days * 86400 + hours * 3600 + minutes * 60 + float(match[4])


def parse_number(text: str) -> float | None:
    """Return a number that is not negative; None for anything else."""
    text = text.strip()
    return float(text) if _PLAIN.match(text) else None


def parse_count(text: str) -> int | None:
    """Return a whole number that is not negative; None for anything else."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def parse_epoch(text: str) -> float | None:
    """Return epoch seconds; None for nothing (``0``) and anything else."""
    return parse_number(text) or None
