"""Durations and times on the command line, and how times are shown to people."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import click

from hopper.config.units import duration


def a_duration(text: str | timedelta) -> timedelta:
    """Return the duration that is meant by ``90``, ``90s``, ``1h30m``: an option's type."""
    try:
        return duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def a_moment(text: str | datetime) -> datetime:
    """Return the time, aware and UTC, that is meant by an option.

    Either how long ago (``10m``), or ISO 8601, local unless it says otherwise.
    """
    if isinstance(text, datetime):
        return text
    with contextlib.suppress(ValueError):
        return datetime.now(UTC) - duration(text)
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f"{text!r} is no time; write how long ago (10m, 2d) or 2026-05-31T17:00"
        ) from error


def local(moment: datetime | None) -> str:
    """Return a time as people here read it."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment is not None else "-"
