"""CPU hours by the hour and by the day, from what attempts held and when. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

HOUR = 3600
DAYS = 366
"""How far the days go back."""
_LONGEST = 400 * 24
"""Hours of one attempt that count at most: a clock that was wrong must not fill years."""

Hours = dict[int, float]
"""CPU hours by the hour in which they were held, counted from the epoch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CpuHours:
    """CPU hours until ``at``, oldest first, also of days and hours without any."""

    at: datetime
    days: tuple[tuple[date, float], ...]
    """The last 366 days, as the clock here counts them."""
    hours: tuple[tuple[datetime, float], ...]
    """The last 24 hours by their beginning; the last one is not over."""


def add_spans(
    hours: Hours, spans: tuple[float, ...], *, now: float, since: int = 0, times: float = 1.0
) -> None:
    """Add what an attempt held to the hours, of those since ``since``; ``spans`` as in JobRow."""
    for start, end, cpus in zip(*[iter(spans)] * 3, strict=True):
        last = now if end < 0 else min(end, now)
        first = max(start, since * HOUR, last - _LONGEST * HOUR)
        while first < last:
            hour = int(first // HOUR)
            until = min(last, float((hour + 1) * HOUR))
            hours[hour] = hours.get(hour, 0.0) + times * cpus * (until - first) / HOUR
            first = until


def first_hour(now: float) -> int:
    """Return the first hour that counts for the days that are shown."""
    return int(now // HOUR) - DAYS * 24 - 24


def cpu_hours(past: Mapping[int, float], live: Iterable[tuple[float, ...]], now: float) -> CpuHours:
    """Return the sums of the history by the hour, and of the spans of live jobs, as is shown."""
    hours: Hours = dict(past)
    since = first_hour(now)
    for spans in live:
        add_spans(hours, spans, now=now, since=since)
    sums: defaultdict[date, float] = defaultdict(float)
    for hour, value in hours.items():
        if hour >= since:
            sums[datetime.fromtimestamp(hour * HOUR).astimezone().date()] += value
    today = datetime.fromtimestamp(now).astimezone().date()
    days = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    newest = int(now // HOUR)
    return CpuHours(
        at=datetime.fromtimestamp(now, UTC),
        days=tuple((day, round(max(0.0, sums.get(day, 0.0)), 6)) for day in days),
        hours=tuple(
            (datetime.fromtimestamp(hour * HOUR, UTC), round(max(0.0, hours.get(hour, 0.0)), 6))
            for hour in range(newest - 23, newest + 1)
        ),
    )
