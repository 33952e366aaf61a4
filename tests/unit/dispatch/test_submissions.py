"""What goes to the batch systems, when, and what is asked of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hopper.dispatch.batch_visits import ACCOUNTING_WINDOW
from hopper.dispatch.book import Book
from hopper.dispatch.changes import Changes
from hopper.dispatch.decisions import (
    BatchPlacement,
    BatchVisit,
    Decision,
    OutcomeUnknown,
)
from hopper.dispatch.growing import resources_for, worth_another_try
from hopper.dispatch.policy import can_go_on, decide
from hopper.dispatch.settings import PolicySettings
from hopper.dispatch.snapshot import Snapshot
from hopper.model.attempt import Attempt, Outcome, Remains
from hopper.model.backend import BatchTarget
from hopper.model.job import Job
from hopper.model.resources import Requirements
from hopper.model.run import Run
from hopper.model.states import JobState
from hopper.model.task import BatchResources, RetryRule, Task, Usage
from tests.unit.dispatch.situations import NOW, attempt, job, later, over, seen

TARGET = BatchTarget(name="cl", kind="slurm", host="cl", max_concurrent=4, accounts=True)


def batch_job(
    name: str, state: JobState = JobState.PENDING, *attempts: Attempt, **parts: Any
) -> Job:
    values: dict[str, Any] = {"backend": "cl", "zip_name": "", "zip_sha256": "", **parts}
    values.setdefault("task", Task(id=name, command="true"))
    return job(name, state, *attempts, **values)


def on_cluster(number: int, state: JobState = JobState.RUNNING, **parts: Any) -> Job:
    held = attempt(f"b{number:09}", "cl", native_id=str(number), **parts.pop("attempt", {}))
    return batch_job(f"on{number}-000000", state, held, **parts)


def run(name: str, most: int | None = None) -> Run:
    return Run(id=name, workflow="w", backend="cl", created_at=NOW, max_concurrent=most)


def snapshot(
    jobs: Sequence[Job],
    runs: Sequence[Run] = (),
    target: BatchTarget = TARGET,
    records: Sequence[Any] = (),
    book_settings: dict[str, object] | None = None,
    **parts: Any,
) -> Snapshot:
    book = Book(jobs, records, book_settings, runs)
    return Snapshot(book=book, workers={}, targets={target.name: target}, **parts)


def placed(decisions: Sequence[Decision]) -> list[str]:
    return [d.job.id for d in decisions if isinstance(d, BatchPlacement)]


def visit(decisions: Sequence[Decision]) -> BatchVisit | None:
    found = [d for d in decisions if isinstance(d, BatchVisit)]
    return found[0] if found else None


# Which go


def test_no_more_go_than_it_was_found_to_take() -> None:
    jobs = [batch_job(f"p{number:02}-000000") for number in range(4)]
    there = [on_cluster(9)]
    assert len(placed(decide(snapshot([*jobs, *there], batch_limits={"cl": 2}), NOW))) == 1
    assert len(placed(decide(snapshot([*jobs, *there], batch_limits={"other": 0}), NOW))) == 3


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=25),
    st.integers(0, 4),
    st.integers(1, 12),
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 4)),
)
def test_limits_hold_and_runs_share_fairly(
    waiting: list[tuple[str, int]], running: int, most: int, limits: dict[str, int]
) -> None:
    pending = [
        batch_job(f"p{number:02}-000000", run=name, priority=rank, submitted_at=later(number))
        for number, (name, rank) in enumerate(waiting)
    ]
    there = [on_cluster(number, run="a") for number in range(running)]
    target = BatchTarget(name="cl", kind="slurm", host="cl", max_concurrent=most)
    runs = [run(name, limits.get(name)) for name in "abc"]
    chosen = placed(decide(snapshot([*pending, *there], runs, target), NOW))
    assert len(chosen) == len(set(chosen)) <= max(0, most - running)
    by_id = {item.id: item for item in pending}
    counts = Counter(by_id[job_id].run for job_id in chosen)
    counts["a"] += running
    left = Counter(item.run for item in pending if item.id not in chosen)
    for name in "abc":
        if name in limits:
            assert counts[name] <= max(limits[name], running if name == "a" else 0)
        mine = [by_id[job_id] for job_id in chosen if by_id[job_id].run == name]
        assert [item.rank for item in mine] == sorted(item.rank for item in mine)
        assert {item.id for item in mine} == {
            item.id
            for item in sorted((i for i in pending if i.run == name), key=lambda i: i.rank)[
                : len(mine)
            ]
        }
    full = len(chosen) + running >= most
    for name in left:
        # Who has jobs left was stopped by a limit, or has no fewer than the others got.
        if name in limits and counts[name] >= limits[name]:
            continue
        assert full
        others = [counts[other] for other in "abc" if any(by_id[c].run == other for c in chosen)]
        assert all(counts[name] >= other - 1 for other in others)


def test_nothing_goes_where_it_cannot() -> None:
    jobs = [batch_job("a-000001")]
    assert placed(decide(snapshot(jobs), NOW)) == ["a-000001"]
    away = seen("cl", no_contact_since=NOW, contact_not_before=later(60))
    for parts in (
        {"records": [away]},
        {"batch_busy": frozenset({"cl"})},
        {"book_settings": {"paused": True}},
        {"book_settings": {"paused_backends": ["cl"]}},
    ):
        assert placed(decide(snapshot(jobs, **parts), NOW)) == []
    assert placed(decide(snapshot([batch_job("a-000001", backend="other")]), NOW)) == []
    assert placed(decide(snapshot([batch_job("a-000001", not_before=later(9))]), NOW)) == []
    assert placed(decide(snapshot([batch_job("a-000001", held=True)]), NOW)) == []


def test_a_job_goes_in_the_tick_that_sees_the_one_before_done() -> None:
    first = on_cluster(1)
    second = batch_job("z-000001", after=(first.id,))
    book = Book([first, second])
    assert book.queues.runs("cl") == {}
    done = batch_job(first.id, JobState.COMPLETED, over("b000000001", "cl", usage=Usage()))
    book.apply(Changes(jobs=(done,)))
    assert [rank[2] for rank in book.queues.runs("cl")[""]] == [second.id]
    again = batch_job(first.id, JobState.PENDING)
    book.apply(Changes(jobs=(again,)))
    assert [rank[2] for rank in book.queues.runs("cl")[""]] == [first.id]


def test_what_depends_on_a_failure_is_doomed_and_waits_no_more() -> None:
    failed = batch_job("a-000001", JobState.FAILED)
    second = batch_job("b-000001", after=("a-000001",))
    lost = batch_job("c-000001", after=("gone-000001",))
    book = Book([failed, second, lost])
    assert book.doomed() == ["b-000001", "c-000001"]
    assert len(book.queues) == 0


# What is asked


def test_a_look_asks_of_all_that_is_there() -> None:
    ours = [
        on_cluster(1),
        on_cluster(2, cancel_requested=True),
        batch_job("new-000000", JobState.SUBMITTED, attempt("b000000009", "cl")),
    ]
    nothing = decide(snapshot(ours), NOW)
    assert visit(nothing) is None
    seen_visit = visit(decide(snapshot(ours, looks_due=frozenset({"cl"})), NOW))
    assert seen_visit is not None
    assert set(seen_visit.follows) == {ours[0].id, ours[1].id}
    assert seen_visit.submits == ("new-000000",)
    assert seen_visit.cancels == (ours[1].id,)
    assert seen_visit.ask


def test_what_was_just_placed_is_submitted_at_once_and_asks_nothing() -> None:
    found = visit(decide(snapshot([batch_job("a-000001"), on_cluster(1)]), NOW))
    assert found is not None
    assert found.submits == ("a-000001",)
    assert found.follows == ()
    assert not found.ask


def test_the_accounting_is_asked_for_a_while() -> None:
    def ended(seconds: float) -> Job:
        end = over("b000000001", "cl", native_id="1", ended_at=later(-seconds), usage=None)
        return batch_job("a-000001", JobState.COMPLETED, end)

    due: dict[str, Any] = {"looks_due": frozenset({"cl"})}
    found = visit(decide(snapshot([ended(5)], **due), NOW))
    assert found is not None
    assert found.accounts == ("a-000001",)
    late = ACCOUNTING_WINDOW.total_seconds() + 1
    other = visit(decide(snapshot([ended(late)], **due), NOW))
    assert other is None or other.accounts == ()
    plain = BatchTarget(name="cl", kind="local", host="cl")
    other = visit(decide(snapshot([ended(5)], target=plain, **due), NOW))
    assert other is None or other.accounts == ()


def test_what_is_left_over_is_tidied_once() -> None:
    unwanted = over(
        "b000000001", "cl", remains=Remains.UNWANTED, usage=Usage(), native_id="1",
        outcome=Outcome.COMPLETED,
    )  # fmt: skip
    given_up = over("b000000002", "cl", remains=Remains.ABANDONED, usage=Usage(), native_id="2")
    jobs = [
        batch_job("a-000001", JobState.COMPLETED, unwanted),
        batch_job("c-000001", JobState.FAILED, given_up),
    ]
    found = visit(decide(snapshot(jobs), NOW))
    assert found is not None
    assert found.cleans == (("a-000001", "b000000001"),)
    assert found.discards == (("c-000001", "b000000002"),)
    tried = frozenset({"b000000001", "b000000002"})
    assert visit(decide(snapshot(jobs, tried=tried), NOW)) is None


def test_others_are_asked_about_without_any_job() -> None:
    found = visit(decide(snapshot([], others_due=frozenset({"cl"})), NOW))
    assert found is not None
    assert found.others


# What time decides


def test_an_outcome_that_stays_unknown() -> None:
    policy = PolicySettings(settle_timeout=timedelta(minutes=15))
    since = NOW - timedelta(minutes=16)
    gone = on_cluster(1, JobState.SETTLING, state_since=since)
    fresh = on_cluster(2, JobState.SETTLING)
    known = on_cluster(3, JobState.SETTLING, state_since=since,
                       attempt={"ending": Outcome.COMPLETED})  # fmt: skip
    found = decide(snapshot([gone, fresh, known], settings=policy), NOW)
    assert [d.job.id for d in found if isinstance(d, OutcomeUnknown)] == [gone.id]
    away = seen("cl", no_contact_since=NOW)
    found = decide(snapshot([gone], settings=policy, records=[away]), NOW)
    assert not [d for d in found if isinstance(d, OutcomeUnknown)]


def test_whether_anything_can_go_on() -> None:
    assert can_go_on(Book([on_cluster(1)]), {})
    assert can_go_on(Book([batch_job("a-000001")]), {})
    assert not can_go_on(Book([batch_job("a-000001")], (), {"paused": True}), {})
    assert not can_go_on(Book([batch_job("a-000001")], (), {"paused_backends": ["cl"]}), {})
    assert Book([on_cluster(1)]).batch_count == 1


# Growing


def test_the_next_try_gets_more_by_cause() -> None:
    wanted = BatchResources(memory=1000, time_limit=timedelta(hours=1))
    task = Task(
        id="t", command="true", resources=wanted,
        retry=RetryRule(on=frozenset({"oom", "timeout"}), memory=2, time=1.5),
    )  # fmt: skip
    tries = [
        over("b000000001", "cl", outcome=Outcome.OUT_OF_MEMORY, number=1),
        over("b000000002", "cl", outcome=Outcome.TIMED_OUT, number=2),
        over("b000000003", "cl", outcome=Outcome.OUT_OF_MEMORY, number=3),
    ]
    fourth = attempt("b000000004", "cl", number=4)
    retried = batch_job("a-000001", JobState.SUBMITTED, *tries, fourth, task=task)
    grown = resources_for(retried, fourth)
    assert grown.memory == 4000
    assert grown.time_limit == timedelta(hours=1.5)
    assert resources_for(retried, tries[0]) == wanted
    assert worth_another_try(retried, tries[0])
    assert not worth_another_try(retried, over("b", "cl", outcome=Outcome.FAILED))
    assert worth_another_try(job(), over())


def test_a_zip_gets_what_it_asks_for_and_else_what_the_system_gives() -> None:
    said = job()
    assert resources_for(said, attempt()) == BatchResources(memory=None, time_limit=None)
    needs = Requirements(gpus=1, cpus=8, memory=2**30, partition="long")
    said = replace(said, spec=replace(said.spec, requirements=needs))
    assert resources_for(said, attempt()) == BatchResources(
        gpus=1, cpus=8, memory=2**30, partition="long", time_limit=None
    )
