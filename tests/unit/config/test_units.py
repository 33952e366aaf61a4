from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.config.units import LONGEST, duration, format_duration, format_size, size


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (90, 90),
        (1.5, 1.5),
        ("90", 90),
        ("90s", 90),
        ("15m", 900),
        ("15 min", 900),
        ("24h", 86_400),
        ("2d", 172_800),
        ("1h30m", 5_400),
        ("1h 30m", 5_400),
        ("1.5 hours", 5_400),
        ("12:00:00", 43_200),
        ("0:01:05", 65),
        (" 5M ", 300),
        (0, 0),
    ],
)
def test_durations(written: object, seconds: float) -> None:
    assert duration(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "written",
    ["", "m", "5x", "5 5", "-5", -1, "1:30", "1:60:00", "1m!", True, None, [5], "9999w",
     float("nan"), float("inf"), "٣s"],
)  # fmt: skip
def test_no_durations(written: object) -> None:
    with pytest.raises(ValueError, match="is not"):
        duration(written)


@given(st.timedeltas(min_value=timedelta(0), max_value=LONGEST))
def test_a_duration_survives_writing(value: timedelta) -> None:
    assert duration(format_duration(value)) == pytest.approx(value, abs=timedelta(microseconds=1))


@pytest.mark.parametrize(
    ("written", "count"),
    [
        (5, 5),
        ("5", 5),
        ("500 kB", 500_000),
        ("64 MB", 64_000_000),
        ("64mb", 64_000_000),
        ("1GiB", 2**30),
        ("1.5 KiB", 1536),
        ("0", 0),
    ],
)
def test_sizes(written: object, count: int) -> None:
    assert size(written) == count


@pytest.mark.parametrize("written", ["", "MB", "5 M", -1, "-1 MB", 1.5, True, None, "9999999 PB"])
def test_no_sizes(written: object) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        size(written)


@given(st.integers(0, 2**59))
def test_a_size_survives_writing(count: int) -> None:
    assert size(format_size(count)) == pytest.approx(count, rel=1e-9)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (duration, size):
        with suppress(ValueError):
            assert read(text) is not None
