from __future__ import annotations

from datetime import timedelta
from typing import Any

from hopper.dispatch.run_views import group_of
from hopper.web.following.rows import JobRow
from hopper.web.pages.run_ends import time_left, took

NOW = 1_000_000.0


def a_row(task: str, **more: Any) -> JobRow:
    return JobRow(id=f"job-of-{task}", task=task, group=group_of(task), **more)


def done(task: str, seconds: float, *, taken: bool = False) -> JobRow:
    return a_row(task, state="completed", taken=taken, spans=(NOW, NOW + seconds, 1.0))


def test_an_equal_task_tells_more_than_its_group() -> None:
    known = took([done("fit.1", 60), done("fit.2", 100), done("fit.3", 80)])
    assert known.seconds(a_row("fit.1")) == 60
    assert known.seconds(a_row("fit.9")) == 80
    assert known.seconds(a_row("other")) is None


def test_what_did_not_run_tells_nothing() -> None:
    assert took([done("fit.1", 0.1, taken=True), a_row("fit.2")]).same == {}


def test_time_is_left_for_all_side_by_side_and_for_the_longest() -> None:
    known = took([done("fit.1", 60)])
    waiting = [a_row(f"fit.{n}") for n in range(10)]
    assert time_left(waiting, known, most=5, now=NOW) == timedelta(seconds=120)
    assert time_left(waiting, known, most=100, now=NOW) == timedelta(seconds=60)
    running = a_row("fit.1", state="running", spans=(NOW - 45, -1.0, 1.0))
    assert time_left([running], known, most=1, now=NOW) == timedelta(seconds=15)
    late = a_row("fit.1", state="running", spans=(NOW - 90, -1.0, 1.0))
    assert time_left([late], known, most=1, now=NOW) == timedelta(0)


def test_it_is_not_known_or_over() -> None:
    assert time_left([a_row("new")], took([]), most=1, now=NOW) is None
    assert time_left([done("fit.1", 60)], took([]), most=1, now=NOW) is None
