"""Why a job waits, where it is, why it failed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hopper.dispatch.book import Book
from hopper.dispatch.explain import Explanation, Situation, explain
from hopper.dispatch.overview import Standing, overview, worker_views
from hopper.dispatch.settings import PolicySettings
from hopper.model.attempt import Attempt, Outcome, Remains
from hopper.model.backend import BatchTarget
from hopper.model.job import Job, JobSpec, Origin
from hopper.model.resources import Requirements
from hopper.model.run import Run
from hopper.model.states import JobState
from hopper.model.task import Task
from hopper.model.worker import Worker, WorkerRecord

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SEEN = WorkerRecord(name="w1", last_contact=NOW)
ONE = {"w1": Worker(name="w1")}


def job(job_id: str = "a-1", state: JobState = JobState.PENDING, **facts: Any) -> Job:
    needs = Requirements(
        tags=frozenset(facts.pop("tags", ())),
        gpus=facts.pop("gpus", 0),
        time_limit=facts.pop("time_limit", None),
    )
    spec = JobSpec(
        name="a",
        requirements=needs,
        after=facts.pop("after", ()),
        priority=facts.pop("priority", 0),
    )
    return Job(
        id=job_id,
        spec=spec,
        state=state,
        **{"submitted_at": NOW - timedelta(hours=1), **facts},
    )


def on(worker: str, **facts: Any) -> Attempt:
    return Attempt(
        id="a123456789",
        number=1,
        worker=worker,
        slot=0,
        intended_at=NOW - timedelta(minutes=3),
        **facts,
    )


def said(
    about: Job,
    *others: Job,
    records: tuple[WorkerRecord, ...] = (SEEN,),
    workers: dict[str, Worker] | None = None,
    paused: bool = False,
    **facts: Any,
) -> Explanation:
    book = Book((about, *others), records, {"paused": paused})
    situation = Situation(
        book=book,
        workers=ONE if workers is None else workers,
        now=NOW,
        **{"settings": PolicySettings(), **facts},
    )
    return explain(about, situation)


def whole(explanation: Explanation) -> str:
    return " ".join((explanation.headline, *explanation.reasons))


def test_with_a_free_worker_it_is_its_turn() -> None:
    told = said(job())
    assert "It is its turn" in told.headline
    assert told.position == 0


def test_held() -> None:
    told = said(job(held=True))
    assert told.headline == "a-1 waits. It is held."
    assert told.advice == ("hopper release a-1",)
    assert told.position is None


def test_no_dispatcher() -> None:
    told = said(job(), dispatching=False)
    assert "No dispatcher runs." in told.headline
    assert told.advice == ("hopper dispatch",)


def test_paused() -> None:
    assert "paused" in said(job(), paused=True).headline


def test_back_off() -> None:
    told = said(job(not_before=NOW + timedelta(seconds=90), failures=2, reason="exit code 3"))
    assert "tried again in 1m 30s" in told.headline
    assert "failed 2 times so far: exit code 3" in whole(told)


@pytest.mark.parametrize("state", [JobState.PENDING, JobState.RUNNING])
def test_waits_for_another(state: JobState) -> None:
    other = job("b-1", state, attempts=(on("w1"),) if state.on_worker else ())
    told = said(job(after=("b-1",)), other)
    assert f"It comes after b-1, which is {state}." in told.headline
    assert told.advice[0] == "hopper explain b-1"


def test_max_concurrent() -> None:
    running = job("b-1", JobState.RUNNING, attempts=(on("w1"),))
    told = said(job(), running, settings=PolicySettings(max_concurrent=1))
    assert "dispatch.max_concurrent is 1" in told.headline


def test_position_in_the_queue() -> None:
    told = said(job(priority=1), job("b-1", priority=2), job("c-1", priority=0))
    assert told.position == 1
    assert "1 job is before it in the queue." in told.reasons


def test_a_tag_that_no_worker_has_is_named() -> None:
    workers = {"w1": Worker(name="w1", tags=frozenset({"gpu"}))}
    told = said(job(tags=("gpu", "a100")), workers=workers)
    assert "No worker has the tag 'a100'." in told.headline


def test_tags_that_no_single_worker_has() -> None:
    workers = {
        "w1": Worker(name="w1", tags=frozenset({"x"})),
        "w2": Worker(name="w2", tags=frozenset({"y"})),
    }
    assert (
        "No worker has all of the tags 'x', 'y'." in said(job(tags="xy"), workers=workers).headline
    )


def test_gpus_are_counted_by_slot() -> None:
    workers = {"w1": Worker(name="w1", gpus=4, slots=2)}
    told = said(job(gpus=3), workers=workers)
    assert "No worker has a slot with 3 GPUs; the most is 2." in told.headline
    assert "its turn" in said(job(gpus=2), workers=workers).headline


def test_no_workers_and_an_unreadable_inventory() -> None:
    assert "There are no workers." in said(job(), workers={}).headline
    told = said(job(), workers={}, inventory_error="it is gone")
    assert "The inventory cannot be read: it is gone." in told.headline


LOST = replace(SEEN, no_contact_since=NOW - timedelta(hours=2), contact_error="refused")


@pytest.mark.parametrize(
    ("record", "drained", "text", "way_out"),
    [
        (LOST, False, "w1 has not been reached for 2h (refused).", "hopper workers check w1"),
        (replace(SEEN, unready="missing: inbox"), False, "not set up", "hopper workers setup w1"),
        (
            replace(SEEN, quarantined_until=NOW + timedelta(minutes=9), quarantine_reason="3 bad"),
            False,
            "in quarantine for another 9m (3 bad).",
            "hopper workers resume w1",
        ),
        (SEEN, True, "w1 is drained.", "hopper workers resume w1"),
        (WorkerRecord(name="w1"), False, "never been seen", None),
    ],
)
def test_why_the_only_worker_takes_nothing(
    record: WorkerRecord, drained: bool, text: str, way_out: str | None
) -> None:
    told = said(job(), records=(record,), workers={"w1": Worker(name="w1", drained=drained)})
    assert text in told.headline
    assert told.advice == ((way_out,) if way_out else ())


def test_a_full_worker() -> None:
    running = job("b-1", JobState.RUNNING, attempts=(on("w1"),))
    assert "w1 is full: 1 of 1 slots are taken." in said(job(), running).headline


def test_a_worker_that_lacks_the_tag_is_no_reason() -> None:
    workers = {**ONE, "w2": Worker(name="w2", tags=frozenset({"gpu"}), drained=True)}
    told = said(job(tags=("gpu",)), workers=workers, records=(SEEN, replace(SEEN, name="w2")))
    assert "w2 is drained" in told.headline
    assert "w1" not in whole(told)


def test_running() -> None:
    running = job(
        state=JobState.RUNNING,
        time_limit=timedelta(minutes=10),
        attempts=(on("w1", started_at=NOW - timedelta(minutes=2)),),
    )
    told = said(running)
    assert told.headline == "a-1 runs on w1 since 2m."
    assert told.reasons == ("Its time limit of 10m ends it in 8m.",)
    assert told.advice == ("hopper logs -f a-1",)


def test_running_on_a_worker_that_is_not_reached() -> None:
    running = job(state=JobState.RUNNING, attempts=(on("w1"),))
    told = said(running, records=(LOST,))
    assert "no contact with w1 for 2h: refused" in whole(told)
    assert "hopper requeue --abandon a-1" in told.advice


def test_being_cancelled() -> None:
    running = job(state=JobState.RUNNING, attempts=(on("w1"),), cancel_requested=True)
    assert "being cancelled" in whole(said(running))


def test_external() -> None:
    running = job(state=JobState.RUNNING, attempts=(on("w1"),), origin=Origin.EXTERNAL)
    assert "launched by somebody else" in said(running).headline
    settling = replace(running, state=JobState.SETTLING)
    assert "results are awaited" in said(settling).headline


def test_failed() -> None:
    lost = on(
        "w1",
        outcome=Outcome.FAILED,
        exit_code=3,
        remains=Remains.KEPT,
        keep_until=NOW + timedelta(hours=5),
    )
    told = said(job(state=JobState.FAILED, reason="exit code 3", attempts=(lost,)))
    assert told.headline == "a-1 failed on w1: exit code 3."
    assert "kept on w1 for another 5h" in whole(told)
    assert told.advice == ("hopper logs a-1", "hopper shell a-1", "hopper requeue a-1")


def test_refused() -> None:
    told = said(job(state=JobState.FAILED, reason="it is not a zip"))
    assert told.headline == "a-1 was never sent: it is not a zip."
    task = Task(id="t", command="true")
    assert said(job(state=JobState.FAILED, task=task)).advice == ("hopper requeue a-1",)


def test_a_run_that_has_its_share_of_the_workers() -> None:
    run = Run(id="r", workflow="w", backend="f", on_workers=True, created_at=NOW, max_concurrent=1)
    there = job("b-1", JobState.RUNNING, run="r", attempts=(on("w2"),))
    waits = job(run="r")
    book = Book((waits, there), (SEEN,), runs=(run,))
    told = explain(waits, Situation(book=book, workers=ONE, now=NOW, settings=PolicySettings()))
    assert told.headline == ("a-1 waits. Its run has 1 on workers, as many as it may have.")


def test_dep_failed_names_the_other() -> None:
    other = job("b-1", JobState.FAILED)
    told = said(
        job(state=JobState.DEP_FAILED, after=("b-1",), reason="b-1 did not complete"), other
    )
    assert "b-1 did not complete" in told.headline
    assert "hopper requeue b-1" in told.advice


def test_nobody_looks_at_a_backend_that_the_config_does_not_name() -> None:
    there = job(state=JobState.RUNNING, backend="hpc", attempts=(on("hpc", native_id="7"),))
    assert "The config has no backend hpc any more" in whole(said(there))
    hpc = BatchTarget(name="hpc", kind="slurm", host="hpc")
    assert "no backend" not in whole(said(there, targets={"hpc": hpc}))


@pytest.mark.parametrize("state", [JobState.COMPLETED, JobState.CANCELLED])
def test_other_ends(state: JobState) -> None:
    assert said(job(state=state, attempts=(on("w1", outcome=Outcome.COMPLETED),))).advice


def test_overview_counts_and_orders() -> None:
    jobs = (
        job("a-1", priority=1),
        job("b-1", priority=2),
        job("c-1", held=True),
        job("d-1", JobState.RUNNING, attempts=(on("gone"),), origin=Origin.EXTERNAL),
        job("e-1", JobState.COMPLETED),
    )
    view = overview(Book(jobs, (SEEN,), {"paused": True}), ONE, NOW)
    assert view.paused
    assert view.held == 1
    assert view.external == 1
    assert view.counts == {JobState.PENDING: 3, JobState.RUNNING: 1, JobState.COMPLETED: 1}
    assert [j.id for j in view.pending] == ["b-1", "a-1", "c-1"]
    assert [(w.name, w.standing) for w in view.workers] == [
        ("w1", Standing.READY),
        ("gone", Standing.MISSING),
    ]


def test_a_lost_worker_is_lost_before_all_else() -> None:
    record = replace(LOST, unready="x", quarantined_until=NOW + timedelta(1))
    drained = {"w1": Worker(name="w1", drained=True)}
    (view,) = worker_views(Book((), (record,)), drained, NOW)
    assert view.standing is Standing.UNREACHABLE
    assert view.since == LOST.no_contact_since
    assert view.until is None
