"""What leaves for the history, and what leaves the history."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tinydb import TinyDB

from hopper.dispatch.changes import Changes
from hopper.model.attempt import Remains
from hopper.model.backend import ClusterRecord, ExternalJob
from hopper.model.job import Job
from hopper.model.native import NativePhase
from hopper.model.run import Run
from hopper.store.check import check
from hopper.store.errors import StoreDamaged
from hopper.store.state import StateStore
from tests.unit.store.samples import T0, ended, make_job

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MONTH = timedelta(days=30)


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
