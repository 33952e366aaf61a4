from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.config.memory import LARGEST_MEMORY
from hopper.workflows.units import (
    format_memory,
    format_time_limit,
    growth,
    memory,
    time_limit,
)

GB = 1024**3


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ("4G", 4 * GB),
        ("4g", 4 * GB),
        ("4GB", 4 * GB),
        ("4gb", 4 * GB),
        ("4GiB", 4 * GB),
        ("4 G", 4 * GB),
        ("4096M", 4 * GB),
        ("512K", 512 * 1024),
        ("1.5G", 3 * GB // 2),
        ("4096", 4 * GB),
        (4096, 4 * GB),
        ("1T", 1024 * GB),
    ],
)
def test_memory(written: object, count: int) -> None:
    assert memory(written) == count


@pytest.mark.parametrize("odd", ["", "4X", "G", "-1G", "0", "4B", "4 G B", "1e3", True, None, "2P"])
def test_odd_memory(odd: object) -> None:
    with pytest.raises(ValueError, match=r"memory|petabyte|between|neither"):
        memory(odd)


@given(st.integers(min_value=1, max_value=LARGEST_MEMORY // 1024))
def test_memory_is_read_as_it_is_written(kilobytes: int) -> None:
    assert memory(format_memory(kilobytes * 1024)) == kilobytes * 1024


@given(st.integers(min_value=1, max_value=LARGEST_MEMORY))
def test_memory_is_never_written_as_less(count: int) -> None:
    assert 0 <= memory(format_memory(count)) - count < 1024 or count > LARGEST_MEMORY - 1024


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("1:00:00", 3600),
        ("1-00:00:00", 86_400),
        ("2-3", 2 * 86_400 + 3 * 3600),
        ("2-3:30", 2 * 86_400 + 3 * 3600 + 1800),
        ("30:15", 30 * 60 + 15),
        ("90", 90 * 60),
        (90, 90 * 60),
        ("90m", 90 * 60),
        ("2h", 7200),
        ("1h30m", 5400),
        ("45s", 45),
        ("100:00:00", 360_000),
    ],
)
def test_time_limits(written: object, seconds: int) -> None:
    assert time_limit(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize("written", ["UNLIMITED", "infinite"])
def test_no_time_limit(written: str) -> None:
    assert time_limit(written) is None


@pytest.mark.parametrize(
    "odd", ["", "0", "0:00", "soon", "1:2:3:4", "-5", "1-2-3", True, "99999-0"]
)
def test_odd_time_limits(odd: object) -> None:
    with pytest.raises(ValueError, match=r"time limit|between|neither"):
        time_limit(odd)


@given(st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=3650)))
def test_times_are_read_as_they_are_written(value: timedelta) -> None:
    whole = timedelta(seconds=int(value.total_seconds()))
    assert time_limit(format_time_limit(whole)) == whole


@given(st.text(max_size=30))
def test_any_text_is_a_value_or_a_value_error(text: str) -> None:
    for read in (memory, time_limit, growth):
        with suppress(ValueError):
            read(text)


@pytest.mark.parametrize(("written", "factor"), [("x2", 2), ("X1.5", 1.5), (3, 3), ("x 4", 4)])
def test_growth(written: object, factor: float) -> None:
    assert growth(written) == factor


@pytest.mark.parametrize("odd", ["2x", "x0.5", "x", 101, -2, None])
def test_odd_growth(odd: object) -> None:
    with pytest.raises(ValueError, match=r"factor|neither"):
        growth(odd)
