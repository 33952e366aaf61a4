from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hopper.web.charts.bars import FLOOR, LEAST, WIDTH, bars
from hopper.web.charts.heatmap import LEFT, LEVELS, STEP, TOP, heatmap, level_of

AMOUNTS = st.lists(st.floats(0, 1e6), min_size=1, max_size=400)
T0 = datetime(2026, 3, 1, tzinfo=UTC)


@given(AMOUNTS, st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_each_day_has_its_own_square_by_its_weekday(amounts: list[float], first: date) -> None:
    days = [(first + timedelta(days=n), amount) for n, amount in enumerate(amounts)]
    drawn = heatmap(days)
    assert len({(one.x, one.y) for one in drawn.squares}) == len(days)
    for square, (day, amount) in zip(drawn.squares, days, strict=True):
        assert (square.y - TOP) // STEP == day.weekday()
        assert (square.level > 0) is (amount > 0)
        assert LEFT <= square.x <= drawn.width - STEP
    assert (drawn.busiest is None) is (max(amounts) == 0)
    places = [label.x for label in drawn.months]
    assert all(after - before >= 3 * STEP for before, after in itertools.pairwise(places))


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e6))
def test_more_is_never_paler(a: float, b: float, more: float) -> None:
    most = max(a, b) + more
    low, high = sorted([a, b])
    assert 0 <= level_of(low, most) <= level_of(high, most) <= LEVELS


def test_the_most_is_the_darkest_and_nothing_is_the_palest() -> None:
    assert (level_of(5.0, 5.0), level_of(0.0, 5.0), level_of(0.0, 0.0)) == (LEVELS, 0, 0)
    assert heatmap(()).squares == ()


@given(AMOUNTS)
def test_bars_stand_side_by_side_on_the_floor(amounts: list[float]) -> None:
    drawn = bars([(T0 + timedelta(hours=n), amount) for n, amount in enumerate(amounts)])
    for bar, amount in zip(drawn.bars, amounts, strict=True):
        assert abs(bar.y + bar.height - FLOOR) < 0.02
        assert bar.y >= 0
        assert bar.height >= LEAST if amount > 0 else bar.height == 0
    assert drawn.bars[-1].x < WIDTH
    assert drawn.most == max(amounts)


def test_every_sixth_hour_is_written() -> None:
    drawn = bars([(T0 + timedelta(hours=n), 1.0) for n in range(24)])
    assert len([bar for bar in drawn.bars if bar.label]) == 4
    assert bars(()).bars == ()
