"""What must hold of every decision of the policy, whatever there is to decide."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hopper.dispatch import policy
from hopper.dispatch.book import Book
from hopper.dispatch.changes import Changes
from hopper.dispatch.decisions import (
    Placement,
    Visit,
)
from hopper.dispatch.dependencies import Readiness, readiness
from hopper.dispatch.policy import decide, fits, may_take_jobs, untidy_at
from hopper.dispatch.settings import PolicySettings
from hopper.dispatch.snapshot import Snapshot
from hopper.dispatch.visits import reachable
from hopper.model.attempt import Outcome, Remains
from hopper.model.job import Job
from hopper.model.states import JobState
from hopper.model.worker import Worker
from tests.unit.dispatch import situations as have
from tests.unit.dispatch.situations import (
    NOW,
    attempt,
    placements,
    seen,
    snapshot,
    visits,
)


def any_snapshot(draw: st.DrawFn) -> Snapshot:
    workers = draw(have.workers())
    names = [worker.name for worker in workers]
    lanes = [(name, bulk) for name in names for bulk in (False, True)]
    return snapshot(
        draw(have.jobs()),
        workers,
        draw(have.records()),
        settings=PolicySettings(max_concurrent=draw(st.sampled_from([None, 0, 1, 3]))),
        busy=frozenset(draw(st.sets(st.sampled_from(lanes)))),
        looks_due=frozenset(draw(st.sets(st.sampled_from(names)))),
        stored={"paused": draw(st.integers(0, 5)) == 0},
    )


snapshots = st.composite(any_snapshot)


def place_all(book: Book, placed: list[Placement]) -> Book:
    """The book once the placements are recorded."""
    moved = [
        replace(
            item.job.with_attempt(attempt(f"n{number:09}", item.worker, slot=item.slot, number=9)),
            state=JobState.SUBMITTED,
        )
        for number, item in enumerate(placed)
    ]
    return Book([*{**book.jobs, **{j.id: j for j in moved}}.values()], book.records.values())


@given(snapshots())
@settings(max_examples=100)
def test_no_worker_gets_more_than_its_slots(now: Snapshot) -> None:
    placed = placements(decide(now, NOW))
    book = place_all(now.book, placed)
    before = {name: len(jobs) for name, jobs in now.book.placed.items()}
    for name, worker in now.workers.items():
        held = [job.open_attempt for job in book.placed.get(name, {}).values()]
        assert len(held) <= max(worker.slots, before.get(name, 0))
        new = Counter(item.slot for item in placed if item.worker == name)
        old = {a.slot for j in now.book.placed.get(name, {}).values() if (a := j.open_attempt)}
        assert not old & new.keys()
        assert all(count == 1 and slot < worker.slots for slot, count in new.items())


@given(snapshots())
@settings(max_examples=100)
def test_only_fit_workers_get_jobs_that_may_start(now: Snapshot) -> None:
    placed = placements(decide(now, NOW))
    limit = now.settings.max_concurrent
    assert limit is None or not placed or now.book.placed_count + len(placed) <= limit
    assert not (placed and now.book.paused)
    assert len({item.job.id for item in placed}) == len(placed)
    for item in placed:
        worker, record = now.workers[item.worker], now.book.record(item.worker)
        assert not worker.drained
        assert not record.unready
        assert record.no_contact_since is None
        assert record.last_contact is not None
        assert record.quarantined_until is None or record.quarantined_until <= NOW
        assert (item.worker, False) not in now.busy
        assert item.job.state is JobState.PENDING
        assert not item.job.held
        assert item.job.not_before is None or item.job.not_before <= NOW
        assert fits(item.job, worker, item.slot)
        assert item.worker not in untidy_at(item.job)
        assert record.free_bytes is None or policy.room_needed(item.job) <= record.free_bytes
        others = [now.book.jobs.get(other) for other in item.job.spec.after]
        assert all(other and other.state is JobState.COMPLETED for other in others)


@given(snapshots())
@settings(max_examples=100)
def test_none_overtakes_one_that_would_fit_its_slot(now: Snapshot) -> None:
    placed = placements(decide(now, NOW))
    taken = {item.job.id for item in placed}
    waiting = [job for job in now.book.jobs.values() if job.id not in taken and _may(job, now)]
    for item in placed:
        record = now.book.record(item.worker)
        for other in waiting:
            assert (
                other.rank > item.job.rank
                or not fits(other, now.workers[item.worker], item.slot)
                or item.worker in untidy_at(other)
                or (record.free_bytes or 10**12) < policy.room_needed(other)
            ), (item, other)


def _may(job: Job, now: Snapshot) -> bool:
    ready = readiness(job, now.book.jobs)[0] is Readiness.READY
    due = job.not_before is None or job.not_before <= NOW
    return job.state is JobState.PENDING and not job.held and due and ready


@given(snapshots())
@settings(max_examples=100)
def test_nothing_lies_idle_while_a_job_would_fit(now: Snapshot) -> None:
    placed = placements(decide(now, NOW))
    limit = now.settings.max_concurrent
    if now.book.paused or (limit is not None and now.book.placed_count + len(placed) >= limit):
        return
    book = place_all(now.book, placed)
    for name, worker in now.workers.items():
        record = now.book.record(name)
        if not may_take_jobs(worker, record, NOW) or (name, False) in now.busy:
            continue
        taken = {a.slot for j in book.placed.get(name, {}).values() if (a := j.open_attempt)}
        if len(book.placed.get(name, {})) >= worker.slots:
            continue
        free = [slot for slot in range(worker.slots) if slot not in taken]
        free = free[: worker.slots - len(book.placed.get(name, {}))]
        for one in book.jobs.values():
            assert not (
                _may(one, replace(now, book=book))
                and any(fits(one, worker, slot) for slot in free[:1])
                and name not in untidy_at(one)
                and policy.room_needed(one) <= (record.free_bytes or 10**12)
            ), (one, worker)


@given(snapshots())
@settings(max_examples=100)
def test_visits_go_where_they_can_and_hold_each_job_once(now: Snapshot) -> None:
    decisions = decide(now, NOW)
    found = [item for item in decisions if isinstance(item, Visit)]
    assert len(visits(decisions)) == len(found)
    launches = Counter(job_id for visit in found for job_id in visit.launches)
    follows = Counter(job_id for visit in found for job_id in visit.follows)
    assert max(launches.values(), default=1) == 1
    assert max(follows.values(), default=1) == 1
    assert launches.keys() <= follows.keys()
    for item in placements(decisions):
        bulk = item.job.zip_size > now.settings.bulk_limit
        reached = reachable(now.book.record(item.worker), NOW)
        assert (item.job.id in launches) is (reached and (item.worker, bulk) not in now.busy)
    for visit in found:
        assert (visit.worker, visit.bulk) not in now.busy
        assert reachable(now.book.record(visit.worker), NOW)
        assert not (visit.bulk and (visit.cancels or visit.cleans or visit.discards))


@given(have.jobs(most=10), have.workers(), st.randoms(use_true_random=False))
def test_nothing_starves(jobs: list[Job], workers: list[Worker], chance: Any) -> None:
    """Whatever the order in which jobs end, each that may start and fits somewhere starts."""
    workers = [replace(worker, drained=False) for worker in workers]
    eligible = [
        replace(item, spec=replace(item.spec, after=()), not_before=None, attempts=())
        for item in jobs
        if item.state is JobState.PENDING and not item.held
    ]
    book = Book(eligible, [seen(worker.name) for worker in workers])
    names = {worker.name: worker for worker in workers}
    for turn in range(2 * len(eligible) + 2):
        now = Snapshot(book=book, workers=names, settings=PolicySettings(max_concurrent=2))
        placed = placements(decide(now, NOW))
        for number, item in enumerate(placed):
            try_ = attempt(f"t{turn:04}{number:05}", item.worker, slot=item.slot)
            moved = replace(item.job.with_attempt(try_), state=JobState.RUNNING)
            book.apply(Changes(jobs=(moved,)))
        running = [item for jobs_ in book.placed.values() for item in jobs_.values()]
        for item in chance.sample(running, min(1, len(running))):
            ended = replace(item.attempts[-1], outcome=Outcome.COMPLETED, remains=Remains.GONE)
            book.apply(Changes(jobs=(replace(item.with_attempt(ended), state=JobState.COMPLETED),)))
    for it in eligible:
        if any(fits(it, w, slot) for w in workers for slot in range(w.slots)):
            assert book.jobs[it.id].state is not JobState.PENDING
