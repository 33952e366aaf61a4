from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.web.following.usage import DAYS, HOUR, Hours, add_spans, cpu_hours, first_hour

NOW = datetime(2026, 5, 4, 10, 30, tzinfo=UTC).timestamp()


def hours_of(*spans: float, now: float = NOW, since: int = 0) -> Hours:
    hours: Hours = {}
    add_spans(hours, spans, now=now, since=since)
    return hours


def test_an_attempt_counts_in_the_hours_in_which_it_ran() -> None:
    whole = NOW - NOW % HOUR
    hours = hours_of(whole - 1800, whole + 900, 4.0)
    first = int(whole // HOUR) - 1
    assert hours == {first: 2.0, first + 1: 1.0}


def test_what_runs_counts_until_now() -> None:
    assert sum(hours_of(NOW - HOUR, -1.0, 2.0).values()) == pytest.approx(2.0)


@given(
    st.lists(
        st.tuples(st.floats(0, 300_000), st.floats(0, 200_000), st.integers(1, 64)), max_size=5
    )
)
def test_nothing_is_lost_or_counted_twice(attempts: list[tuple[float, float, int]]) -> None:
    spans = tuple(
        value
        for ago, long, cpus in attempts
        for value in (NOW - ago, min(NOW - ago + long, NOW), float(cpus))
    )
    held = sum(
        (end - start) * cpus / HOUR for start, end, cpus in zip(*[iter(spans)] * 3, strict=True)
    )
    hours = hours_of(*spans)
    assert sum(hours.values()) == pytest.approx(held)
    add_spans(hours, spans, now=NOW, times=-1.0)
    assert sum(map(abs, hours.values())) == pytest.approx(0, abs=1e-6)


def test_a_clock_that_was_wrong_fills_no_years() -> None:
    assert len(hours_of(0.0, NOW, 1.0)) < 500 * 24
    assert hours_of(NOW + HOUR, -1.0, 1.0) == {}


def test_days_and_hours_without_any_are_there_too() -> None:
    found = cpu_hours({}, [], NOW)
    assert len(found.days) == DAYS
    assert len(found.hours) == 24
    assert not any(value for _, value in [*found.days, *found.hours])
    days = [day for day, _ in found.days]
    assert days == [days[0] + timedelta(days=number) for number in range(DAYS)]


def test_live_and_past_are_one_sum() -> None:
    now_hour = int(NOW // HOUR)
    found = cpu_hours(
        {now_hour - 1: 3.0, first_hour(NOW) - 9: 100.0}, [(NOW - 60, -1.0, 60.0)], NOW
    )
    assert found.hours[-1][1] == pytest.approx(1.0)
    assert found.hours[-2][1] == pytest.approx(3.0)
    assert sum(value for _, value in found.days) == pytest.approx(4.0)
