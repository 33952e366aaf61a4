from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from tinydb import TinyDB

from hopper.dispatch.changes import Changes
from hopper.model.attempt import Attempt, Remains
from hopper.model.backend import ClusterRecord, ExternalJob
from hopper.model.batch import NativePhase
from hopper.model.job import Job
from hopper.model.run import Run
from hopper.model.states import JobState
from hopper.model.stored import StoredResult
from hopper.store.check import check, export
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


# ---------------------------------------------------------------- retention


def ended(job_id: str, when: datetime, remains: Remains = Remains.GONE) -> Job:
    attempt = Attempt(
        id="abcdefghij", number=1, worker="w", slot=0, intended_at=when, remains=remains
    )
    return make_job(job_id, state=JobState.COMPLETED, ended=when, attempts=(attempt,))


def test_the_jobs_of_a_run_leave_together(folder: Path) -> None:
    old = T0
    jobs = (
        replace(ended("a-000000", old), run="r1"),
        replace(ended("b-000000", NOW - timedelta(days=3)), run="r1"),
        replace(ended("c-000000", old), run="r2"),
    )
    with StateStore.open(folder) as store:
        store.commit(Changes(jobs=jobs))
        assert store.maintain(NOW, keep=MONTH).retired == 1
        assert set(store.jobs) == {"a-000000", "b-000000"}


def test_old_jobs_leave_for_the_history_of_their_month(folder: Path) -> None:
    may, march = NOW - timedelta(days=3), T0
    jobs = (
        ended("old-000000", march),
        ended("older-000000", march - timedelta(days=30)),
        ended("young-000000", may),
        make_job("open-000000", after=("needed-000000",)),
        ended("needed-000000", march),
        ended("dirty-000000", NOW - 2 * MONTH, Remains.KEPT),
        ended("verydirty-000000", NOW - 4 * MONTH, Remains.KEPT),
    )
    with StateStore.open(folder) as store:
        store.commit(Changes(jobs=jobs))
        assert store.maintain(NOW).retired == 0
        assert store.maintain(NOW, keep=MONTH).retired == 3
        assert set(store.jobs) == {"young-000000", "open-000000", "needed-000000", "dirty-000000"}
        assert store.job("old-000000") == jobs[0]
        assert store.maintain(NOW, keep=timedelta(0)).retired == 0  # not again so soon
        assert store.maintain(NOW + timedelta(hours=1), keep=timedelta(hours=1)).retired == 2
    with StateStore.open(folder, readonly=True) as reader:
        assert reader.job("older-000000") == jobs[1]
        assert reader.job("old") is None
        assert {job.id for job in reader.history()} == {
            "old-000000",
            "older-000000",
            "verydirty-000000",
            "young-000000",
            "dirty-000000",
        }
    names = [path.name for path in sorted((folder / "history").iterdir())]
    assert names == ["2026-01.json", "2026-02.json", "2026-03.json", "2026-04.json", "2026-05.json"]
    with TinyDB(folder / "history" / "2026-03.json") as plain:
        assert [document["id"] for document in plain.table("jobs")] == ["old-000000"]
    assert check(folder) == []


def test_a_job_that_was_archived_before_a_crash_is_archived_once(folder: Path) -> None:
    from hopper.store import retention

    old = ended("old-000000", T0)
    with StateStore.open(folder) as store:
        store.commit(Changes(jobs=(old,)))
        retention.archive(folder, [old])
        assert store.maintain(NOW, keep=MONTH).retired == 1
        assert [job.id for job in store.history()] == ["old-000000"]


def run(run_id: str, when: datetime) -> Run:
    return Run(id=run_id, workflow="w", backend="b", created_at=when)


def test_runs_leave_with_the_last_of_their_jobs_and_lie_with_them(folder: Path) -> None:
    march, april = T0, T0 + timedelta(days=31)
    jobs = (
        replace(ended("a-000000", march), run="r1"),
        replace(ended("b-000000", april), run="r1"),
        replace(ended("c-000000", march), run="r2"),
        replace(ended("d-000000", NOW), run="r2"),
        ended("alone-000000", march),
    )
    runs = (run("r1", march), run("r2", march), run("bare", march), run("fresh", NOW))
    with StateStore.open(folder) as store:
        store.commit(Changes(jobs=jobs, runs=runs))
        store.maintain(NOW, keep=MONTH)
        assert set(store.runs) == {"r2", "fresh"}
        assert set(store.jobs) == {"c-000000", "d-000000"}
    with StateStore.open(folder, readonly=True) as reader:
        assert {known.id for known in reader.history_runs()} == {"r1", "bare"}
        assert (reader.run("r1"), reader.run("r2"), reader.run("x")) == (runs[0], runs[1], None)
        assert reader.jobs_of("r1") == [jobs[0], jobs[1]]
        assert reader.jobs_of("r2") == [jobs[2], jobs[3]]
    names = sorted(path.name for path in (folder / "history").iterdir())
    assert names == ["2026-03.json", "2026-04.json", "runs-2026-03.json", "runs-2026-04.json"]
    with TinyDB(folder / "history" / "2026-04.json") as plain:
        assert len(plain.table("jobs")) == 2
    assert check(folder) == []
    (folder / "history/runs-2026-04.json").write_text("{}")
    assert [finding.file.name for finding in check(folder)] == ["runs-2026-04.json"]


def test_months_that_are_long_over_go_away(folder: Path) -> None:
    jobs = (
        replace(ended("a-000000", T0), run="r1"),
        ended("b-000000", NOW - 2 * MONTH),
    )
    gone: list[str] = []

    def upkeep(now: datetime, days: int) -> int:
        history = timedelta(days=days)
        done = store.maintain(
            now, keep=MONTH, history=history, on_gone=lambda job: gone.append(job.id)
        )
        assert not done.problems
        return done.gone

    with StateStore.open(folder) as store:
        store.commit(Changes(jobs=jobs, runs=(run("r1", T0),)))
        # At the first of June March is over for 61 days.
        assert upkeep(NOW, 61) == 0
        assert store.run("r1") is not None
        assert upkeep(NOW + timedelta(days=1), 61) == 1
        assert gone == ["a-000000"]
        assert (store.run("r1"), store.job("a-000000")) == (None, None)
        assert store.job("b-000000") is not None
        (folder / "history/0000-99.json").write_text("{}")
        assert upkeep(NOW + timedelta(days=2), 1) == 1
        assert (folder / "history/0000-99.json").exists(), "it is not ours"


def test_what_cannot_be_cleared_stays_and_is_told(folder: Path) -> None:
    def fail(job: Job) -> None:
        raise OSError(f"{job.id} is stuck")

    with StateStore.open(folder) as store:
        store.commit(Changes(jobs=(ended("a-000000", T0),)))
        done = store.maintain(NOW, keep=MONTH, history=MONTH, on_gone=fail)
        assert done.problems == ("clearing the history: a-000000 is stuck",)
        assert store.job("a-000000") is not None


def test_a_run_is_taken_out_of_the_history(folder: Path) -> None:
    jobs = tuple(
        replace(ended(f"{name}-000000", T0), run=run_id)
        for name, run_id in (("a", "r1"), ("b", "r1"), ("c", "r2"))
    )
    with StateStore.open(folder) as store:
        store.commit(Changes(jobs=jobs, runs=(run("r1", T0), run("r2", T0))))
        store.maintain(NOW, keep=MONTH)
        store.commit(Changes(forgotten_runs=("r1",)))
        assert [job.id for job in store.history()] == ["c-000000"]
        assert [known.id for known in store.history_runs()] == ["r2"]
        store.commit(Changes(forgotten_runs=("r1",)))
    assert check(folder) == []


def test_jobs_of_others_are_forgotten_in_time(folder: Path) -> None:
    def external(native: str, gone_at: datetime | None = None) -> ExternalJob:
        return ExternalJob(
            id=f"cl/{native}", backend="cl", native_id=native, phase=NativePhase.RUNNING,
            first_seen=T0, gone_at=gone_at,
        )  # fmt: skip

    gone, lately = external("1", gone_at=T0), external("2", gone_at=NOW)
    there, forlorn = external("3"), replace(external("4"), id="x/4", backend="x")
    looks = ClusterRecord(name="cl", seen_at=NOW)
    with StateStore.open(folder) as store:
        store.commit(Changes(externals=(gone, lately, there, forlorn), clusters=(looks,)))
        store.maintain(NOW, keep=MONTH)
        assert dict(store.externals) == {"cl/2": lately, "cl/3": there}
        store.commit(Changes(forgotten_externals=("cl/3", "nobody")))
    with StateStore.open(folder, readonly=True) as reader:
        assert dict(reader.externals) == {"cl/2": lately}


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


def test_a_damaged_history_is_reported_and_stops_nothing_else(folder: Path) -> None:
    with StateStore.open(folder) as store:
        store.commit(Changes(jobs=(ended("old-000000", T0),)))
        store.maintain(NOW, keep=MONTH)
        history = folder / "history" / "2026-03.json"
        history.write_bytes(history.read_bytes()[:-30])
        store.commit(Changes(jobs=(ended("other-000000", T0),)))
        upkeep = store.maintain(NOW + MONTH, keep=MONTH)
        assert upkeep.retired == 0
        assert str(history) in upkeep.problems[0]
        assert "other-000000" in store.jobs
        (finding,) = check(folder)
        assert finding.file == history
        with pytest.raises(StoreDamaged):
            store.job("old-000000")


# ---------------------------------------------------------------- check and export


def test_check_finds_nothing_in_a_sound_store(folder: Path) -> None:
    assert check(folder) == []
    with StateStore.open(folder) as store:
        store.commit(Changes(jobs=(make_job(),), workers=(make_worker(),), events=(make_event(),)))
        assert check(folder) == []
    assert check(folder) == []


def test_check_finds_damage_and_torn_ends(folder: Path) -> None:
    store = StateStore.open(folder)
    for number in range(5):
        store.commit(Changes(jobs=(make_job(priority=number),)))
    segment = folder / "jobs.json.2.log"
    with segment.open("ab") as file:
        file.write(b"torn")
    (finding,) = check(folder)
    assert finding.harmless
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join(lines[1:]))
    (finding,) = check(folder)
    assert (finding.file, finding.line, finding.harmless) == (segment, 1, False)
    assert finding.way_out
    segment.unlink()
    (folder / "jobs.json.4.log").touch()
    (finding,) = check(folder)
    assert "segment 2 before it is missing" in finding.what


def test_check_finds_documents_that_do_not_fit(folder: Path) -> None:
    from hopper.store.journal import Journal
    from hopper.store.tables import Database

    database = Database(Journal.open(folder))
    database.table("jobs").insert({"id": "odd-000000", "state": "odd"})
    database.close()
    (finding,) = check(folder)
    assert "odd-000000" in finding.what


def test_export_is_one_json_document(folder: Path) -> None:
    empty = io.StringIO()
    export(folder, empty)
    assert json.loads(empty.getvalue())["jobs"] == []
    with StateStore.open(folder) as store:
        store.commit(
            Changes(
                jobs=(make_job(), ended("old-000000", T0)),
                workers=(make_worker(),),
                settings={"paused": False},
                events=(make_event(1), make_event(2)),
            )
        )
        store.maintain(NOW, keep=MONTH)
        out = io.StringIO()
        export(folder, out)
    document = json.loads(out.getvalue())
    assert [job["id"] for job in document["jobs"]] == ["train-abc123"]
    assert [job["id"] for job in document["history"]] == ["old-000000"]
    assert [worker["name"] for worker in document["workers"]] == ["box-1"]
    assert document["settings"] == [{"key": "paused", "value": False}]
    assert [event["seq"] for event in document["events"]] == [1, 2]


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
