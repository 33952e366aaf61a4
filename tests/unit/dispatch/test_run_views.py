"""Counts by group, how far runs are, and how long they may still take."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hopper.dispatch.run_views import (
    OTHERS,
    Experience,
    group_of,
    remaining,
    run_views,
    view_of,
)
from hopper.model.attempt import Attempt, Outcome
from hopper.model.job import Job, JobSpec, Origin
from hopper.model.run import Run, RunState
from hopper.model.states import JobState
from hopper.model.task import Task, Usage

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def run(run_id: str = "flow-aaaaaa", **facts: Any) -> Run:
    created = NOW - timedelta(hours=1)
    return Run(
        **{"id": run_id, "workflow": "flow", "backend": "hpc", "created_at": created, **facts}
    )


def task(
    task_id: str,
    state: JobState = JobState.PENDING,
    *,
    after: tuple[str, ...] = (),
    command: str = "true",
    **facts: Any,
) -> Job:
    job = Job(
        id=task_id.replace(".", "-"),
        spec=JobSpec(name=task_id, after=after),
        state=state,
        submitted_at=NOW - timedelta(hours=1),
        state_since=NOW,
        origin=Origin.RUN,
        backend="hpc",
        run="flow-aaaaaa",
        task=Task(id=task_id, command=command),
    )
    return replace(job, **facts)


def attempt(**facts: Any) -> Attempt:
    values = {"id": "a000000001", "number": 1, "worker": "hpc", "intended_at": NOW, **facts}
    return Attempt(**values)


def done(task_id: str, seconds: float, **facts: Any) -> Job:
    began = NOW - timedelta(minutes=30)
    ended = attempt(
        started_at=began, ended_at=began + timedelta(seconds=seconds), outcome=Outcome.COMPLETED
    )
    return task(task_id, JobState.COMPLETED, attempts=(ended,), **facts)


def running(task_id: str, seconds: float, **facts: Any) -> Job:
    began = attempt(started_at=NOW - timedelta(seconds=seconds))
    return task(task_id, JobState.RUNNING, attempts=(began,), **facts)


@pytest.mark.parametrize(
    ("task_id", "group"),
    [("fit.1", "fit"), ("fit.a.b", "fit"), ("alone", OTHERS), (".odd", "")],
)
def test_groups_are_what_stands_before_the_first_dot(task_id: str, group: str) -> None:
    assert group_of(task_id) == group


def test_counts_by_group() -> None:
    view = view_of(
        run(),
        [
            done("fit.1", 5),
            task("fit.2", JobState.FAILED),
            running("fit.3", 1),
            task("end", JobState.DEP_FAILED),
        ],
    )
    fit, others = view.groups
    assert (fit.name, fit.total, fit.completed, fit.not_well, fit.under_way) == ("fit", 3, 1, 1, 1)
    assert (others.name, others.not_well, others.ended) == (OTHERS, 1, 1)
    assert view.all.total == 4
    assert (view.state, view.ended_at) == (RunState.RUNNING, None)


def test_a_run_ends_with_its_last_task() -> None:
    late = NOW + timedelta(minutes=1)
    view = view_of(run(), [done("a", 5), done("b", 5, state_since=late)])
    assert (view.state, view.ended_at) == (RunState.COMPLETED, late)
    assert view.started_at == NOW - timedelta(minutes=30)


def test_a_run_without_tasks_is_over() -> None:
    view = view_of(run(), [])
    assert view.ended_at == view.run.created_at


def test_runs_have_their_own_jobs_and_come_by_age() -> None:
    old = run("old-aaaaaa", created_at=NOW - timedelta(days=1))
    other = replace(task("x"), run="old-aaaaaa")
    views = run_views([run(), old], [task("a"), other, replace(task("zip"), run="")])
    assert [(view.run.id, [job.name for job in view.jobs]) for view in views] == [
        ("old-aaaaaa", ["x"]),
        ("flow-aaaaaa", ["a"]),
    ]


class TestRemaining:
    KNOWN = Experience([done("a", 100), done("b", 50), done("fit.1", 10), done("fit.2", 30)])

    def left(self, *jobs: Job, most: int = 10) -> float | None:
        found = remaining(view_of(run(), jobs), self.KNOWN, most=most, now=NOW)
        return None if found is None else found.total_seconds()

    def test_the_longest_way_through_counts(self) -> None:
        assert self.left(task("a"), task("b")) == 100
        assert self.left(task("a"), task("b", after=("a",))) == 150

    def test_no_more_than_may_run_at_a_time(self) -> None:
        assert self.left(task("a"), task("b"), most=1) == 150

    def test_what_has_run_already_is_taken_off(self) -> None:
        assert self.left(running("a", 30)) == 70
        assert self.left(running("a", 300)) == 0

    def test_those_under_way_go_first(self) -> None:
        assert self.left(task("b", after=()), running("a", 90), most=1) == 60

    def test_a_task_nobody_knows_takes_as_long_as_its_group(self) -> None:
        assert self.left(task("fit.9")) == 20

    def test_another_command_is_another_task(self) -> None:
        known = Experience([done("fit.1", 10), done("fit.1", 90, command="other")])
        view = view_of(run(), [task("fit.1", command="other")])
        assert remaining(view, known, most=1, now=NOW) == timedelta(seconds=90)

    def test_without_experience_nothing_is_said(self) -> None:
        assert remaining(view_of(run(), [task("new.1")]), self.KNOWN, most=1, now=NOW) is None

    def test_what_ended_before_holds_nobody_up(self) -> None:
        assert self.left(done("b", 50), task("a", after=("b",))) == 100

    def test_the_accounting_knows_better_than_the_clock(self) -> None:
        ended = attempt(
            started_at=NOW, ended_at=NOW, outcome=Outcome.COMPLETED, usage=Usage(elapsed_seconds=7)
        )
        known = Experience([task("q", JobState.COMPLETED, attempts=(ended,))])
        assert known.seconds(task("q")) == 7

    def test_failures_tell_nothing(self) -> None:
        ended = attempt(started_at=NOW, ended_at=NOW, outcome=Outcome.FAILED)
        known = Experience([task("q", JobState.FAILED, attempts=(ended,))])
        assert known.seconds(task("q")) is None
