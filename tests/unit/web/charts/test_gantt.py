"""The geometry of when tasks ran."""

from __future__ import annotations

from hopper.web.charts.gantt import LABELS, MOST_SEGMENTS, THINNEST, WIDTH, Item, gantt, together


def item(key: str, *spans: tuple[float, float], after: tuple[str, ...] = ()) -> Item:
    return Item(
        key=key, label=key, spans=tuple((start, end, "ok") for start, end in spans), after=after
    )


def test_nothing_that_has_started_is_no_drawing() -> None:
    assert gantt([]) is None
    assert gantt([item("a")]) is None


def test_bars_lie_in_time_within_the_drawing() -> None:
    chart = gantt([item("late", (50, 100)), item("early", (0, 100)), item("never")])
    assert chart is not None
    assert [row.key for row in chart.rows] == ["early", "late"]
    early, late = (row.bars[0] for row in chart.rows)
    assert early.x == LABELS
    assert late.x + late.width == early.x + early.width <= WIDTH
    assert abs(late.width * 2 - early.width) < 0.2
    assert chart.rows[0].y < chart.rows[1].y < chart.height


def test_a_moment_is_still_seen() -> None:
    chart = gantt([item("a", (0, 10_000)), item("b", (10_000, 10_000))])
    assert chart is not None
    bar = chart.rows[1].bars[0]
    assert bar.width == THINNEST
    assert bar.x + bar.width <= WIDTH


def test_a_run_of_no_time_at_all_is_drawn() -> None:
    chart = gantt([item("a", (5, 5))])
    assert chart is not None
    assert chart.ticks[0].words == "0s"


def test_the_scale_has_few_round_marks() -> None:
    for seconds in (3, 59, 3600, 86_400 * 3, 86_400 * 900):
        chart = gantt([item("a", (0, seconds))])
        assert chart is not None
        assert 2 <= len(chart.ticks) <= 9
        assert all(tick.x <= WIDTH for tick in chart.ticks)


def test_what_waited_is_tied_to_what_it_waited_for() -> None:
    items = [item("a", (0, 5)), item("b", (5, 9), after=("a", "elsewhere"))]
    chart = gantt(items, dependencies=True)
    assert chart is not None
    (line,) = chart.lines
    assert line.y1 < line.y2
    assert line.x1 <= line.x2
    assert gantt(items).lines == ()  # type: ignore[union-attr]


def test_a_groups_stretches_are_one_where_they_touch_and_look_as_the_worst() -> None:
    spans = [(0.0, 5.0, "ok"), (4.0, 6.0, "bad"), (8.0, 9.0, "busy")]
    assert together(spans) == ((0.0, 6.0, "bad"), (8.0, 9.0, "busy"))


def test_a_row_of_many_stretches_is_drawn_with_few() -> None:
    many = item("a", *((n * 2.0, n * 2.0 + 1) for n in range(5_000)))
    chart = gantt([many])
    assert chart is not None
    bars = chart.rows[0].bars
    assert len(bars) <= MOST_SEGMENTS
    assert bars[-1].x + bars[-1].width <= WIDTH
