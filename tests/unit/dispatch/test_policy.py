"""Each rule of the policy by itself, from plain values."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hopper.dispatch import policy
from hopper.dispatch.book import Book
from hopper.dispatch.decisions import (
    DependencyFailed,
    GivenUp,
    OutOfTime,
    QuarantineOver,
    ResultsMissing,
    Visit,
)
from hopper.dispatch.policy import can_go_on, decide
from hopper.dispatch.settings import LOGIN_BACK_OFF, PolicySettings
from hopper.dispatch.snapshot import Snapshot
from hopper.dispatch.visits import to_tidy
from hopper.model.attempt import Attempt, Outcome, Remains
from hopper.model.job import Job, JobSpec, Origin
from hopper.model.resources import Requirements
from hopper.model.run import Run
from hopper.model.states import JobState
from hopper.model.task import BatchResources, RetryRule, Task
from hopper.model.worker import Worker, WorkerRecord
from tests.unit.dispatch.situations import (
    NOW,
    attempt,
    job,
    later,
    over,
    placements,
    seen,
    snapshot,
    visits,
)


def test_priority_then_age() -> None:
    jobs = [
        job("old-000001", submitted_at=later(-9)),
        job("new-000001", submitted_at=later(-1)),
        job("top-000001", priority=1),
    ]
    workers = [Worker(name=f"w{n}") for n in range(2)]
    assert [item.job.id for item in placements(decide(snapshot(jobs, workers), NOW))] == [
        "top-000001",
        "old-000001",
    ]


def test_plain_jobs_leave_special_workers_free() -> None:
    workers = [
        Worker(name="w0", gpus=1),
        Worker(name="w1", tags=frozenset({"big"})),
        Worker(name="w2"),
        Worker(name="w3", slots=2),
    ]
    jobs = [job(f"j{n}-000001") for n in range(4)]
    order = [item.worker for item in placements(decide(snapshot(jobs, workers), NOW))]
    assert order == ["w3", "w2", "w3", "w1"]


def test_the_worker_that_refused_comes_last() -> None:
    workers = [Worker(name="w0"), Worker(name="w1")]
    jobs = [job("a-000001", refused_by="w0"), job("b-000001", refused_by="w0")]
    order = [item.worker for item in placements(decide(snapshot(jobs, workers), NOW))]
    assert order == ["w1", "w0"]


def test_free_space_counts_while_it_is_fresh() -> None:
    old = later(-120)
    for contact, placed in ((NOW, 0), (old, 1)):
        records = [seen("w0", free_bytes=5, last_contact=contact)]
        found = placements(decide(snapshot([job()], records=records), NOW))
        assert len(found) == placed


def test_a_smaller_job_goes_where_a_larger_finds_no_room() -> None:
    jobs = [job("big-000001", priority=1, zip_size=99), job("small-000001", zip_size=3)]
    records = [seen("w0", free_bytes=5)]
    [placed] = placements(decide(snapshot(jobs, records=records), NOW))
    assert placed.job.id == "small-000001"


def test_a_job_keeps_away_from_what_it_left_behind() -> None:
    workers = [Worker(name="w0"), Worker(name="w1")]
    left = job("a-000001", JobState.PENDING, over(released=False))
    [placed] = placements(decide(snapshot([left], workers), NOW))
    assert placed.worker == "w1"
    assert not placements(decide(snapshot([left], workers[:1]), NOW))
    gone = job("a-000001", JobState.PENDING, over(remains=Remains.GONE, released=False))
    assert placements(decide(snapshot([gone], workers[:1]), NOW))


def test_failed_dependencies_are_told_at_once() -> None:
    jobs = [
        job("a-000001", JobState.FAILED),
        job("b-000001", after=("a-000001",)),
        job("c-000001", after=("nobody",)),
        job("d-000001", after=("b-000001",)),
    ]
    found = [item for item in decide(snapshot(jobs), NOW) if isinstance(item, DependencyFailed)]
    assert [(item.job.id, item.reason) for item in found] == [
        ("b-000001", "a-000001 did not complete"),
        ("c-000001", "nobody did not complete"),
    ]


def running(**parts: Any) -> Job:
    began = parts.pop("began", later(-100))
    overdue = parts.pop("overdue", False)
    return job("a-000001", JobState.RUNNING, attempt(started_at=began, overdue=overdue), **parts)


@pytest.mark.parametrize(
    ("it", "expected"),
    [
        (running(time_limit=timedelta(seconds=20)), OutOfTime),
        (running(time_limit=timedelta(seconds=40)), None),
        (running(time_limit=timedelta(seconds=20), overdue=True), None),
        (running(time_limit=timedelta(seconds=20), cancel_requested=True), None),
        (running(time_limit=timedelta(seconds=20), began=None), None),
        (running(), None),
        (running(origin=Origin.EXTERNAL, time_limit=timedelta(seconds=20)), None),
    ],
)
def test_time_limits_have_a_margin(it: Job, expected: type | None) -> None:
    found = [type(item) for item in decide(snapshot([it]), NOW) if not isinstance(item, Visit)]
    assert found == ([expected] if expected else [])


def test_an_overdue_attempt_is_cancelled() -> None:
    decisions = decide(snapshot([running(overdue=True)], looks_due=frozenset({"w0"})), NOW)
    assert visits(decisions)["w0", False].cancels == ("a-000001",)


def test_the_default_time_limit_counts_too() -> None:
    short = PolicySettings(default_time_limit=timedelta(seconds=1))
    assert [type(item) for item in decide(snapshot([running()], settings=short), NOW)] == [
        OutOfTime
    ]


def test_lost_after_gives_up_and_visits_no_more() -> None:
    records = [seen("w0", no_contact_since=later(-100))]
    lost = PolicySettings(lost_after=timedelta(seconds=99))
    due = frozenset({"w0"})
    decisions = decide(snapshot([running()], records=records, settings=lost, looks_due=due), NOW)
    assert isinstance(decisions[0], GivenUp)
    assert visits(decisions)["w0", False].follows == ()
    never = decide(snapshot([running()], records=records, looks_due=due), NOW)
    assert visits(never)["w0", False].follows == ("a-000001",)


@pytest.mark.parametrize(
    ("minutes", "contact", "missing"), [(16, True, True), (14, True, False), (16, False, False)]
)
def test_results_of_others_are_awaited(minutes: int, contact: bool, missing: bool) -> None:
    since = NOW - timedelta(minutes=minutes)
    theirs = job(
        "a-000001", JobState.SETTLING, attempt(), origin=Origin.EXTERNAL, state_since=since
    )
    record = seen("w0") if contact else seen("w0", no_contact_since=NOW)
    decisions = decide(snapshot([theirs], records=[record]), NOW)
    assert any(isinstance(item, ResultsMissing) for item in decisions) is missing


def test_a_quarantine_ends() -> None:
    records = [seen("w0", quarantined_until=NOW), seen("w1", quarantined_until=later(1))]
    assert decide(snapshot(records=records), NOW) == [QuarantineOver(worker="w0")]


def test_out_of_reach_until_the_back_off_ends_or_the_clock_was_set_back() -> None:
    far = LOGIN_BACK_OFF.longest.total_seconds() + 1
    for until, reached in ((None, True), (-1, True), (5, False), (far, True)):
        record = seen("w0", contact_not_before=None if until is None else later(until))
        found = decide(snapshot(records=[record], looks_due=frozenset({"w0"})), NOW)
        assert bool(found) is reached


def test_what_was_tried_in_vain_waits_for_the_next_look() -> None:
    left = job("a-000001", JobState.FAILED, over(remains=Remains.UNWANTED))
    tried = frozenset({"a000000001"})
    assert visits(decide(snapshot([left]), NOW))["w0", False].cleans
    assert not decide(snapshot([left], tried=tried), NOW)
    due = decide(snapshot([left], tried=tried, looks_due=frozenset({"w0"})), NOW)
    assert visits(due)["w0", False].cleans == (("a-000001", "a000000001"),)


@pytest.mark.parametrize(
    ("parts", "discards", "releases", "cleans"),
    [
        ({"remains": Remains.ABANDONED}, 1, 0, 0),
        ({"remains": Remains.KEPT, "released": False}, 0, 1, 0),
        ({"remains": Remains.KEPT, "keep_until": later(5)}, 0, 0, 0),
        ({"remains": Remains.KEPT, "keep_until": NOW}, 0, 0, 1),
        ({"remains": Remains.KEPT}, 0, 0, 0),
        ({"remains": Remains.UNWANTED, "released": False}, 0, 1, 1),
        ({"remains": Remains.GONE, "released": False}, 0, 0, 0),
    ],
)
def test_tidying(parts: dict[str, Any], discards: int, releases: int, cleans: int) -> None:
    here, elsewhere = over(**parts), over("a000000002", "w9", **parts)
    left = job("a-000001", JobState.FAILED, here, elsewhere)
    found = visits(decide(snapshot([left], looks_due=frozenset({"w0"})), NOW))["w0", False]
    counts = (len(found.discards), len(found.releases), len(found.cleans))
    assert counts == (discards, releases, cleans)
    assert to_tidy(here, NOW) is any(counts)
    assert not to_tidy(attempt(), NOW)


def test_large_results_and_zips_go_by_the_second_lane() -> None:
    big = job("big-000001", JobState.SUBMITTED, attempt(), zip_size=10**9)
    wide = job("wide-000001", JobState.SETTLING, attempt("a000000002", slot=1))
    small = job("small-000001", JobState.RUNNING, attempt("a000000003", slot=2))
    now = snapshot(
        [big, wide, small],
        [Worker(name="w0", slots=3)],
        looks_due=frozenset({"w0"}),
        bulk_results=frozenset({"wide-000001"}),
    )
    found = visits(decide(now, NOW))
    assert found["w0", False].follows == ("small-000001",)
    assert found["w0", True].launches == ("big-000001",)
    assert set(found["w0", True].follows) == {"big-000001", "wide-000001"}
    busy = replace(now, busy=frozenset({("w0", True)}))
    assert list(visits(decide(busy, NOW))) == [("w0", False)]


@pytest.mark.parametrize(
    ("job", "record", "paused", "expected"),
    [
        ({}, {}, False, True),
        ({}, {"unready": "no Inbox"}, False, False),
        ({}, {"no_contact_since": NOW}, False, True),
        ({"held": True}, {}, False, False),
        ({"spec": JobSpec(name="j", requirements=Requirements(gpus=1))}, {}, False, False),
        ({"spec": JobSpec(name="j", after=("other",))}, {}, False, True),
        ({}, {}, True, False),
    ],
    ids=["may", "not set up", "unreachable", "held", "no GPU", "doomed", "paused"],
)
def test_what_waits_for_a_person_is_told_from_what_waits_for_time(
    job: dict[str, Any], record: dict[str, Any], *, paused: bool, expected: bool
) -> None:
    waiting = replace(
        Job(id="j-1", spec=JobSpec(name="j"), state=JobState.PENDING, submitted_at=NOW), **job
    )
    book = Book([waiting], [replace(WorkerRecord(name="w"), **record)], {"paused": paused})
    workers = {"w": Worker(name="w")}
    assert can_go_on(book, workers) is expected
    assert not can_go_on(book, {"w": replace(workers["w"], drained=True)})


def test_a_job_on_a_worker_goes_on_by_itself() -> None:
    placed = Attempt(id="a000000000", number=1, worker="w", slot=0, intended_at=NOW)
    job = Job(
        id="j-1",
        spec=JobSpec(name="j"),
        state=JobState.RUNNING,
        submitted_at=NOW,
        attempts=(placed,),
    )
    assert can_go_on(Book([job]), {})


def test_a_run_has_at_most_its_share_of_the_workers() -> None:
    run = Run(id="r", workflow="w", backend="farm", created_at=NOW, on_workers=True)
    jobs = [
        job("there", JobState.RUNNING, attempt(worker="w0"), run="r"),
        *(job(f"task{number}", run="r") for number in range(3)),
        job("other"),
    ]
    workers = [Worker(name=f"w{number}", slots=2) for number in range(4)]

    def placed(most: int | None) -> list[str]:
        limited = replace(run, max_concurrent=most)
        book = Book(jobs, [seen(worker.name) for worker in workers], runs=[limited])
        now = Snapshot(book=book, workers={worker.name: worker for worker in workers})
        return sorted(item.job.id for item in placements(decide(now, NOW)))

    assert placed(1) == ["other"]
    assert placed(2) == ["other", "task0"]
    assert placed(None) == ["other", "task0", "task1", "task2"]


def test_the_time_limit_of_a_task_grows_when_it_was_too_short() -> None:
    task = Task(
        id="t",
        command="true",
        resources=BatchResources(time_limit=timedelta(minutes=1)),
        retry=RetryRule(time=3.0),
    )
    before = over("a000000001", outcome=Outcome.TIMED_OUT)
    again = job("t", JobState.RUNNING, before, attempt("a000000002", number=2), task=task)
    assert policy.time_limit(again, PolicySettings()) == timedelta(minutes=3)
    first = job("t", JobState.RUNNING, attempt(), task=task)
    assert policy.time_limit(first, PolicySettings()) == timedelta(minutes=1)
