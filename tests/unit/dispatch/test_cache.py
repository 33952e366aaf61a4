"""Results of equal tasks: which are equal, what is taken, and what becomes of those after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.dispatch.book import Book
from hopper.dispatch.cache import attempt_id, claims
from hopper.dispatch.changes import Changes
from hopper.dispatch.decisions import BatchPlacement
from hopper.dispatch.desk import Desk
from hopper.dispatch.equal_tasks import result_key
from hopper.dispatch.intents import record
from hopper.dispatch.policy import decide
from hopper.dispatch.run_acts import NewRun, NewTask, run_body
from hopper.dispatch.settings import PolicySettings
from hopper.dispatch.shelf import Copied, Kept
from hopper.dispatch.snapshot import Snapshot
from hopper.errors import HopperError
from hopper.model.attempt import Attempt, Outcome, TakenFrom
from hopper.model.event import EventKind
from hopper.model.ids import ATTEMPT_ID
from hopper.model.job import Job, JobSpec
from hopper.model.run import Run
from hopper.model.states import JobState
from hopper.model.stored import StoredResult
from hopper.model.task import Task, Usage
from hopper.model.worker import Worker
from tests.fakes.rig import Rig
from tests.fakes.shelf import FakeShelf
from tests.unit.dispatch.situations import NOW, job, over, seen
from tests.unit.dispatch.test_submissions import batch_job, placed, snapshot


def cached(name: str, key: str = "k1", **parts: Any) -> Job:
    return batch_job(name, task=Task(id=name, command="x", cache=True, cache_key=key), **parts)


def parent(name: str, attempt: str, **parts: Any) -> Job:
    done = over(attempt, "cl", outcome=Outcome.COMPLETED, **parts)
    return batch_job(name, JobState.COMPLETED, done)


def stored(key: str, job_id: str = "old-000000", **parts: Any) -> StoredResult:
    values: dict[str, Any] = {
        "folder": "r/old",
        "owner": "b000000001",
        "job": job_id,
        "run": "r",
        "attempt": "b000000001",
        "worker": "cl",
        "manifest": "ab",
        "size": 3,
        "kept_at": NOW,
    }
    return StoredResult(key=key, **{**values, **parts})


def key_of(task: Job, *others: Job) -> str:
    return result_key(task, {item.id: item for item in (task, *others)})


# --- which are equal


@given(st.lists(st.text(max_size=3), min_size=2, max_size=2), st.booleans())
def test_the_key_has_the_task_the_backend_and_the_attempts_before(
    words: list[str], after: bool
) -> None:
    one, other = (f"k{word}" for word in words)
    names = ("p-000000", "q-000000")
    parents = [parent("p-000000", "b000000001"), parent("q-000000", "b000000002")]
    base = cached("a-000000", one, after=names if after else ())
    key = key_of(base, *parents)
    assert key
    assert (key_of(cached("b-000000", other, after=base.spec.after), *parents) == key) is (
        one == other
    )
    assert key_of(replace(base, backend="hpc"), *parents) != key
    assert key_of(replace(base, spec=replace(base.spec, after=names[:1])), *parents) != key
    anew = [parents[0], parent("q-000000", "b000000003")]
    assert (key_of(base, *anew) == key) is not after
    turned = replace(base, spec=replace(base.spec, after=base.spec.after[::-1], priority=7))
    assert key_of(turned, *parents) == key


def test_who_took_a_result_stands_for_who_made_it() -> None:
    source = TakenFrom(job="p-000000", attempt="b000000001")
    task = cached("a-000000", after=("q-000000",))
    copy = key_of(task, parent("q-000000", "b000000009", taken_from=source))
    assert copy == key_of(task, parent("q-000000", "b000000001"))


def test_only_tasks_that_want_it_have_a_key() -> None:
    assert key_of(cached("a-000000", "")) == ""
    assert key_of(job("z-000000")) == ""
    assert key_of(cached("a-000000", after=("gone-00000",))) == ""


# --- who takes


def test_only_what_could_go_now_takes() -> None:
    waits = cached("w-000000", "k2", after=("p-000000",))
    jobs = [
        cached("a-000000"),
        cached("held-00000", held=True),
        cached("anew-00000", no_cache=True),
        cached("other-0000", "k9"),
        cached("on-000000", state=JobState.RUNNING),
        batch_job("p-000000", JobState.RUNNING),
        waits,
    ]
    done = parent("p-000000", "b000000001")
    index = {key_of(jobs[0]): stored("x"), key_of(waits, done): stored("y")}
    book = Book(jobs, stored=index)
    assert [claim.job.id for claim in claims(book)] == ["a-000000"]
    book.apply(Changes(jobs=(done,)))
    assert [claim.job.id for claim in claims(book)] == ["a-000000", "w-000000"]
    book.apply(Changes(jobs=(replace(jobs[0], state=JobState.CANCELLED),)))
    assert [claim.job.id for claim in claims(book)] == ["w-000000"]
    book.apply(Changes(settings={"paused": True}))
    assert claims(book) == []
    book.apply(Changes(settings={"paused": False}, forgotten_jobs=("w-000000",)))
    assert claims(book) == []


def test_what_is_set_aside_is_not_sent() -> None:
    waiting = [cached("a-000000"), cached("b-000000", "k2")]
    aside = snapshot(waiting, records=[seen("cl")], set_aside=frozenset({"a-000000"}))
    assert placed(decide(aside, NOW)) == ["b-000000"]
    book = Book([job("z-000000")], [seen("w0")])
    workers = {"w0": Worker(name="w0")}
    at_home = Snapshot(book=book, workers=workers, set_aside=frozenset({"z-000000"}))
    assert not [d for d in decide(at_home, NOW) if hasattr(d, "slot")]


def test_the_attempt_that_takes_is_the_same_after_a_crash() -> None:
    one = attempt_id(cached("a-000000"), stored("x"))
    assert ATTEMPT_ID.match(one)
    assert one == attempt_id(cached("a-000000", priority=3), stored("x"))
    again = replace(cached("a-000000"), attempts=(over("b000000001", "cl"),))
    assert one != attempt_id(again, stored("x"))
    assert one != attempt_id(cached("a-000001"), stored("x"))


# --- in the loop

RUN = Run(id="new-aaaaaa", workflow="flow", backend="cl", created_at=NOW)


def new(name: str, key: str, *after: str, **task: Any) -> NewTask:
    return NewTask(
        job=f"{name}-000000",
        spec=JobSpec(name=name, after=tuple(f"{other}-000000" for other in after)),
        task=Task(id=name, command="x", cache=bool(key), cache_key=key, **task),
    )


class Writes:
    """Each task that generates writes one more, equal to an old one."""

    def tasks(self, run: Run, job: Job, existing: Mapping[str, str]) -> tuple[NewTask, ...]:
        assert (run.id, list(existing)) == (RUN.id, [job.task.id if job.task else ""])
        return (new("child", "kc"),)


@pytest.fixture
def rig() -> Rig:
    return Rig(shelf=FakeShelf(), generated=Writes())


def shelf_of(rig: Rig) -> FakeShelf:
    assert isinstance(rig.shelf, FakeShelf)
    return rig.shelf


def has(rig: Rig, *results: StoredResult) -> None:
    rig.store.commit(Changes(stored=results))


def enter(rig: Rig, *tasks: NewTask, run: Run = RUN, no_cache: bool = False) -> None:
    rig.dispatcher.carry_out(run_body(NewRun(run=run, tasks=tasks, no_cache=no_cache)))


def alone(key: str) -> str:
    """Return the key of a task that comes after none."""
    return key_of(cached("any-000000", key))


def states(rig: Rig, *names: str) -> Sequence[JobState]:
    return [rig.state(f"{name}-000000") for name in names]


def test_a_whole_chain_is_taken_in_one_tick(rig: Rig) -> None:
    first = stored(alone("k1"), "p-111111", owner="b000000001", attempt="b000000001")
    probe = cached("c-000000", "k2", after=("p-000000",))
    chain = key_of(probe, parent("p-000000", "b000000001"))
    has(rig, first, stored(chain, "c-111111", owner="b000000002", attempt="b000000002"))
    enter(rig, new("p", "k1"), new("c", "k2", "p"), new("last", "", "c"))
    rig.tick()
    assert states(rig, "p", "c", "last") == [
        JobState.COMPLETED,
        JobState.COMPLETED,
        JobState.PENDING,
    ]
    done = rig.job("c-000000")
    assert done.reason == "its result is that of c-111111 of r"
    [attempt] = done.attempts
    assert attempt.taken_from == TakenFrom(job="c-111111", attempt="b000000002", run="r")
    assert (attempt.outcome, attempt.usage, attempt.native_id) == (Outcome.COMPLETED, Usage(), "")
    assert (attempt.started_at, attempt.results[0].name) == (None, "new-aaaaaa/c-000000/stdout.log")
    told = rig.kinds(EventKind.RESULT_TAKEN)
    assert [(event.job, event.data["from_job"]) for event in told] == [
        ("p-000000", "p-111111"),
        ("c-000000", "c-111111"),
    ]
    # The next equal task takes it from the newest copy, and still knows who made it.
    again = rig.store.stored[chain]
    assert (again.job, again.run, again.attempt) == ("c-000000", RUN.id, "b000000002")
    assert again.owner == attempt.id


def test_the_tasks_that_a_taken_one_wrote_are_added_and_taken_too(rig: Rig) -> None:
    has(rig, stored(alone("kg"), "g-111111"), stored(alone("kc"), "c-111111"))
    enter(rig, new("g", "kg", generates_source="more.json"))
    rig.tick()
    assert states(rig, "g", "child") == [JobState.COMPLETED, JobState.COMPLETED]
    assert [event.data["tasks"] for event in rig.kinds(EventKind.TASKS_ADDED)] == [1]


def test_what_is_gone_is_forgotten_and_the_task_is_sent(rig: Rig) -> None:
    has(rig, stored(alone("k1")))
    shelf_of(rig).gone.add("b000000001")
    enter(rig, new("p", "k1"), new("q", "k1"))
    rig.tick()
    assert states(rig, "p", "q") == [JobState.PENDING, JobState.PENDING]
    assert rig.store.stored == {}
    assert len(rig.kinds(EventKind.RESULT_DROPPED)) == 1


def test_no_room_for_a_copy_is_told_once_and_the_task_is_sent(rig: Rig) -> None:
    has(rig, stored(alone("k1")))
    shelf_of(rig).full = True
    enter(rig, new("p", "k1"))
    rig.seconds(5)
    assert states(rig, "p") == [JobState.PENDING]
    assert len(rig.kinds(EventKind.TROUBLE)) == 1
    assert alone("k1") in rig.store.stored


def test_nothing_is_taken_while_the_disk_at_home_is_full(rig: Rig) -> None:
    has(rig, stored(alone("k1")))
    rig.home.free = 10
    enter(rig, new("p", "k1"))
    rig.seconds(30)
    assert states(rig, "p") == [JobState.PENDING]
    rig.home.free = 10**12
    assert rig.ends("p-000000") == [JobState.COMPLETED]


def test_no_cache_and_reruns(rig: Rig) -> None:
    has(rig, stored(alone("k1")))
    enter(rig, new("p", "k1"), no_cache=True)
    rig.seconds(3)
    assert states(rig, "p") == [JobState.PENDING]
    other = replace(RUN, id="other-aaaaa")
    enter(rig, new("q", "k1"), run=other)
    rig.tick()
    assert states(rig, "q") == [JobState.COMPLETED]
    rig.dispatcher.carry_out({"do": "rerun", "run": other.id, "no_cache": True})
    rig.seconds(3)
    assert states(rig, "q") == [JobState.PENDING]
    rig.dispatcher.carry_out({"do": "cancel", "jobs": ["q-000000"]})
    rig.dispatcher.carry_out({"do": "rerun", "run": other.id})
    rig.tick()
    assert states(rig, "q") == [JobState.COMPLETED]
    assert [attempt.number for attempt in rig.job("q-000000").attempts] == [1, 2]
    rig.dispatcher.carry_out({"do": "requeue", "jobs": ["q-000000"]})
    rig.seconds(3)
    assert states(rig, "q") == [JobState.PENDING], "who requeues what completed wants it to run"


def completes(rig: Rig, job_id: str, attempt: Attempt) -> None:
    """Have a job end as a batch system's report would."""
    ledger = rig.dispatcher._ledger
    ended = replace(rig.job(job_id), state=JobState.COMPLETED, attempts=(attempt,))
    ledger.commit(Changes(jobs=(ended,)))


def test_an_attempt_has_the_key_of_what_it_is_sent_with() -> None:
    waiting = cached("a-000000", after=("p-000000",))
    book = Book([waiting, parent("p-000000", "b000000001")])
    desk = Desk(book=book, settings=PolicySettings(), now=NOW)
    record(desk, BatchPlacement(job=waiting, backend="cl"), lambda: "b000000005")
    attempt = desk.job("a-000000").attempt
    assert attempt is not None
    assert attempt.result_key == key_of(waiting, book.jobs["p-000000"]) != ""


def test_what_completes_is_kept_under_the_key_that_it_was_sent_with(rig: Rig) -> None:
    enter(rig, new("p", "k1"), new("plain", ""), new("q", "k1"))
    completes(rig, "plain-000000", over("b000000002", "cl", outcome=Outcome.COMPLETED))
    done = over("b000000001", "cl", outcome=Outcome.COMPLETED, result_key=alone("k1"))
    completes(rig, "p-000000", done)
    rig.tick()
    [kept] = rig.store.stored.values()
    assert (kept.key, kept.job, kept.attempt) == (alone("k1"), "q-000000", "b000000001")
    assert states(rig, "q") == [JobState.COMPLETED], "in the very tick in which it came home"
    assert shelf_of(rig).copies == [("q-000000", "p-000000")]


def test_results_whose_files_are_gone_are_forgotten_in_time(rig: Rig) -> None:
    kept = [stored(f"k{number}", owner=f"b{number:09}") for number in range(250)]
    has(rig, *kept)
    shelf_of(rig).gone = {"b000000003", "b000000249"}
    rig.clock.advance(3700)
    rig.seconds(10)
    assert len(rig.store.stored) == 248
    assert len(rig.kinds(EventKind.RESULT_DROPPED)) == 2


def test_a_result_that_cannot_be_kept_is_told_and_holds_up_nothing(rig: Rig) -> None:
    class Failing(FakeShelf):
        def keep(self, job: Job, attempt: Attempt) -> Kept | None:
            raise HopperError(f"{job.id} of {attempt.id} cannot be listed")

    rig.shelf = Failing()
    rig.start()
    enter(rig, new("p", "k1"))
    done = over("b000000001", "cl", outcome=Outcome.COMPLETED, result_key=alone("k1"))
    completes(rig, "p-000000", done)
    rig.seconds(3)
    assert rig.store.stored == {}
    [event] = rig.kinds(EventKind.TROUBLE)
    assert (event.job, "is not kept" in event.reason) == ("p-000000", True)


def test_what_takes_long_to_copy_is_shared_out_over_ticks(rig: Rig) -> None:
    class Slow(FakeShelf):
        def take(self, job: Job, attempt: str, stored: StoredResult) -> Copied:
            rig.clock.advance(0.7)
            return super().take(job, attempt, stored)

    rig.shelf = Slow()
    rig.start()
    has(rig, stored(alone("k1")))
    enter(rig, *(new(f"p{number}", "k1") for number in range(5)))
    taken = []
    for _ in range(3):
        rig.tick()
        taken.append(len(rig.kinds(EventKind.RESULT_TAKEN)))
    assert taken == [2, 4, 5]
