from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from hopper.dispatch.changes import Changes
from hopper.model.backend import ClusterRecord
from hopper.model.job import Job
from hopper.model.stored import StoredResult
from hopper.store.check import check
from hopper.store.errors import LockHeld, StoreDamaged, StoreError
from hopper.store.journal import Limits
from hopper.store.lock import StateLock
from hopper.store.state import StateStore
from hopper.store.values import from_json
from tests.unit.store.samples import T0, make_event, make_job, make_worker

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MONTH = timedelta(days=30)


@pytest.mark.usefixtures("json_library")
def test_everything_comes_back(folder: Path) -> None:
    job, worker = make_job(name="na\udc80me"), make_worker()
    with StateStore.open(folder) as store:
        store.commit(
            Changes(jobs=(job,), workers=(worker,), settings={"paused": True, "x": [1, {"y": 2}]})
        )
        assert store.jobs[job.id] is job
    for readonly in (True, False):
        with StateStore.open(folder, readonly=readonly) as store:
            assert dict(store.jobs) == {job.id: job}
            assert store.jobs[job.id] is store.jobs[job.id]  # decoded once
            assert dict(store.workers) == {worker.name: worker}
            assert store.settings == {"paused": True, "x": [1, {"y": 2}]}
            assert store.job(job.id) == job
            assert store.job("nobody-000000") is None
            assert job.id in store.jobs
            assert "nobody" not in store.jobs


def test_a_reader_follows(folder: Path) -> None:
    reader = StateStore.open(folder, readonly=True)
    assert not reader.jobs
    with StateStore.open(folder) as store:
        assert not store.refresh()
        for number in range(20):
            store.commit(
                Changes(
                    jobs=(make_job("a-000000", priority=number), make_job(f"b{number}-000000")),
                    forgotten_jobs=(f"b{number - 2}-000000",),
                    settings={"n": number},
                )
            )
            if number % 4 == 3:
                store.compact()
            if number % 3 == 2:
                assert reader.refresh()
                assert not reader.refresh()
                assert dict(reader.jobs) == dict(store.jobs)
                assert reader.settings["n"] == number
        with pytest.raises(StoreError, match="reading only"):
            reader.commit(Changes(settings={"n": 1}))
    reader.close()


def test_writing_takes_the_lock(folder: Path) -> None:
    with StateStore.open(folder):
        with pytest.raises(LockHeld):
            StateStore.open(folder)
        StateStore.open(folder, readonly=True).close()
    lock = StateLock.acquire(folder)
    with StateStore.open(folder, lock=lock):
        pass
    assert lock.held
    lock.release()
    (folder / "jobs.json").write_text("{")
    with pytest.raises(StoreDamaged):
        StateStore.open(folder)
    StateLock.acquire(folder).release()  # was let go when the open failed


def test_a_value_that_does_not_fit_changes_nothing(folder: Path) -> None:
    with StateStore.open(folder) as store:
        store.commit(Changes(jobs=(make_job(),), events=(make_event(1),)))
        with pytest.raises(StoreError):
            store.commit(
                Changes(
                    jobs=(make_job(priority=5),),
                    settings={"bad": object()},
                    events=(make_event(2),),
                )
            )
        assert store.jobs["train-abc123"].spec.priority == 0
        assert store.last_seq == 1
        store.commit(Changes(events=(make_event(3),)))
        assert [event.seq for event in store.events()] == [1, 2]


def test_upkeep_folds_only_when_it_pays(folder: Path) -> None:
    with StateStore.open(folder, limits=Limits(fold_bytes=2000)) as store:
        store.commit(Changes(jobs=(make_job(),)))
        assert not store.maintain(NOW).folded
        for number in range(10):
            store.commit(Changes(jobs=(make_job(priority=number),)))
        assert store.maintain(NOW).folded
        assert not store.maintain(NOW).folded


def test_a_cluster_of_an_older_hopper_is_read() -> None:
    old: dict[str, object] = {
        "name": "cl",
        "seen_at": None,
        "info": None,
        "others": [{"x": 1}],
        "clone_bytes": 3,
    }
    assert from_json(ClusterRecord, old) == ClusterRecord(name="cl")


def test_results_for_equal_tasks_come_back(folder: Path) -> None:
    results = [
        StoredResult(
            key=key, folder="r/t", owner="a", job="j-000000", run="r", attempt="a",
            worker="here", manifest="ab", size=1, kept_at=T0,
        )
        for key in ("k1", "k2")
    ]  # fmt: skip
    with StateStore.open(folder) as store:
        store.commit(Changes(stored=tuple(results)))
        store.commit(Changes(forgotten_results=("k1", "k9")))
        store.maintain(NOW, keep=MONTH, history=MONTH)
        store.compact()
    with StateStore.open(folder, readonly=True) as reader:
        assert dict(reader.stored) == {"k2": results[1]}


# ---------------------------------------------------------------- against a model

_IDS = st.sampled_from([f"job{n}-000000" for n in range(6)])


class StoreAgainstDicts(RuleBasedStateMachine):
    """Whatever is done, in whatever order, the store and its reader hold what dicts hold."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.scratch = tempfile.TemporaryDirectory()
        self.folder = Path(self.scratch.name) / "db"
        self.limits = Limits(fold_bytes=1500, segment_events=3)
        self.store = StateStore.open(self.folder, limits=self.limits)
        self.reader = StateStore.open(self.folder, readonly=True)
        self.jobs: dict[str, Job] = {}
        self.settings: dict[str, object] = {}
        self.events: list[int] = []

    written = Bundle("written")

    @rule(target=written, ids=st.sets(_IDS, max_size=3), priority=st.integers(0, 99))
    def put(self, ids: set[str], priority: int) -> str:
        jobs = {job_id: make_job(job_id, priority=priority) for job_id in sorted(ids)}
        number = len(self.events)
        self.store.commit(
            Changes(
                jobs=tuple(jobs.values()),
                settings={"n": number},
                events=tuple(make_event(number + n) for n in range(len(ids))),
            )
        )
        self.jobs.update(jobs)
        self.settings["n"] = number
        self.events.extend(number + n for n in range(len(ids)))
        return min(ids, default="")

    @rule(job_id=written)
    def forget(self, job_id: str) -> None:
        self.store.commit(Changes(forgotten_jobs=(job_id,)))
        self.jobs.pop(job_id, None)

    @rule(job_id=written)
    def change(self, job_id: str) -> None:
        if job_id in self.jobs:
            job = replace(self.store.jobs[job_id], held=not self.store.jobs[job_id].held)
            self.store.commit(Changes(jobs=(job,)))
            self.jobs[job_id] = job

    @rule()
    def refuse(self) -> None:
        with pytest.raises(StoreError):
            self.store.commit(Changes(settings={"n": object()}, events=(make_event(-1),)))

    @rule()
    def maintain(self) -> None:
        assert self.store.maintain(NOW).problems == ()

    @rule()
    def compact(self) -> None:
        self.store.compact()

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = StateStore.open(self.folder, limits=self.limits)

    @rule()
    def crash(self) -> None:
        self.store._source.abandon()  # type: ignore[union-attr]
        assert self.store._lock is not None
        self.store._lock.release()
        self.store = StateStore.open(self.folder, limits=self.limits)

    @rule()
    def read_on(self) -> None:
        self.reader.refresh()
        assert dict(self.reader.jobs) == self.jobs
        assert self.reader.settings == self.settings

    @invariant()
    def holds_what_it_was_given(self) -> None:
        assert dict(self.store.jobs) == self.jobs
        assert self.store.settings == self.settings
        events = list(self.store.events())
        assert [event.data["n"] for event in events] == self.events
        assert [event.seq for event in events] == list(range(1, len(events) + 1))

    def teardown(self) -> None:
        self.reader.close()
        self.store.close()
        assert [finding.what for finding in check(self.folder)] == []
        self.scratch.cleanup()


TestStoreAgainstDicts = StoreAgainstDicts.TestCase
TestStoreAgainstDicts.settings = settings(max_examples=40, stateful_step_count=30)
