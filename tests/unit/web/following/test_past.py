from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hopper.model.job import Job
from hopper.model.states import JobState
from hopper.store import retention
from hopper.store.values import to_json
from hopper.web.following import past_rows
from hopper.web.following.index import JobIndex
from hopper.web.following.listing import SORTS, Entry, JobFilter, conditions, entry_at
from hopper.web.following.past import INDEX, Past, home_of
from hopper.web.following.rows import Home, JobRow, job_row
from hopper.web.following.usage import first_hour
from tests.unit.web.following.states import T0, a_job, a_run, a_task
from tests.unit.web.following.test_index import FILTERS

NOW = T0.timestamp() + 86_400 * 40


def old_jobs() -> list[Job]:
    """Jobs of three months, of a run and of their own."""
    own = [
        a_job(
            f"own-{number}",
            state=JobState.COMPLETED if number % 3 else JobState.FAILED,
            worker="box" if number % 2 else "",
            name=f"fit {number}",
            tags=("gpu", "big") if number % 2 else ("gpu",),
            at=T0 - timedelta(days=9 * number, microseconds=number),
            held=number == 4,
        )
        for number in range(9)
    ]
    tasks = [
        a_task(f"task-{number}", run="r1", task=f"fit.{number}", state=JobState.COMPLETED)
        for number in range(4)
    ]
    return [*own, *tasks]


def keep(folder: Path, jobs: Sequence[Job]) -> None:
    retention.archive(folder, list(jobs), [a_run("r1")])


def rows_of(jobs: Sequence[Job]) -> list[JobRow]:
    home = home_of(to_json(a_run("r1")))
    return [job_row(to_json(job), home if job.run else home_of({})) for job in jobs]


def all_entries(past: Past, wanted: JobFilter, sort: str, *, descending: bool) -> list[Entry]:
    found, total = past.entries(wanted, sort, descending=descending, since=None, limit=1000)
    assert total == len(found)
    return found


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Past:
    folder = tmp_path_factory.mktemp("state")
    keep(folder, old_jobs())
    past = Past(folder)
    assert past.bring_up_to_date()
    assert not past.trouble
    return past


def test_rows_come_back_as_they_were(kept: Past) -> None:
    rows = rows_of(old_jobs())
    found = kept.rows([row.id for row in rows])
    assert [found[row.id] for row in rows] == [
        JobRow(**{name: getattr(row, name) for name in past_rows._KEPT}) for row in rows
    ]
    assert kept.rows(["nobody"]) == {}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FILTERS, st.sampled_from(list(SORTS)), st.booleans())
def test_sql_finds_what_the_live_index_would(
    kept: Past, wanted: JobFilter, sort: str, descending: bool
) -> None:
    index = JobIndex()
    index.update({row.id: row for row in rows_of(old_jobs())})
    page = index.page(wanted, sort=sort, descending=descending, limit=1000, now=NOW)
    found = all_entries(kept, wanted, sort, descending=descending)
    assert [job_id for _, job_id in found] == [row.id for row in page.rows]
    first = index.page(wanted, sort=sort, descending=descending, limit=2, now=NOW)
    if first.next is not None:
        since = entry_at(first.next, sort)
        rest, total = kept.entries(wanted, sort, descending=descending, since=since, limit=3)
        assert rest == found[2:5]
        assert total == len(found)


def test_only_what_changed_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = old_jobs()
    keep(tmp_path, jobs)
    past = Past(tmp_path)
    past.bring_up_to_date()
    assert not past.bring_up_to_date()
    assert (tmp_path / "web").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "web" / INDEX).stat().st_mode & 0o777 == 0o600
    seen: list[object] = []

    def noted(document: Mapping[str, object], home: Home) -> JobRow:
        seen.append(document["id"])
        return job_row(document, home)

    monkeypatch.setattr("hopper.web.following.past.job_row", noted)
    more = a_job("late", state=JobState.COMPLETED, worker="box", at=T0)
    keep(tmp_path, [more])
    assert past.bring_up_to_date()
    assert seen == ["late"]
    names = {job_id for _, job_id in all_entries(past, JobFilter(), "id", descending=False)}
    assert names == {job.id for job in [*jobs, more]}


def test_hours_follow_what_is_there(tmp_path: Path) -> None:
    jobs = old_jobs()
    keep(tmp_path, jobs)
    past = Past(tmp_path)
    past.bring_up_to_date()
    expected = sum(row.cpu_hours(NOW) or 0.0 for row in rows_of(jobs))
    assert sum(past.hours(0).values()) == pytest.approx(expected)
    retention.remove_run(tmp_path, "r1")
    assert past.bring_up_to_date()
    own = [job for job in jobs if not job.run]
    expected = sum(row.cpu_hours(NOW) or 0.0 for row in rows_of(own))
    assert sum(past.hours(0).values()) == pytest.approx(expected)
    assert past.counts() == {}
    for path in retention.history_files(tmp_path):
        path.unlink()
    assert past.bring_up_to_date()
    assert past.hours(first_hour(0)) == {}
    assert all_entries(past, JobFilter(), "id", descending=True) == []


def test_counts_of_runs(kept: Past) -> None:
    assert kept.counts() == {"r1": {"completed": 4}}


def test_a_damaged_month_is_told_and_what_was_known_stays(tmp_path: Path) -> None:
    keep(tmp_path, old_jobs())
    past = Past(tmp_path)
    past.bring_up_to_date()
    before = all_entries(past, JobFilter(), "id", descending=True)
    path = retention.history_files(tmp_path)[0]
    path.write_bytes(path.read_bytes().replace(b"own", b"0wn", 1))
    past.bring_up_to_date()
    assert path.name in past.trouble
    assert all_entries(past, JobFilter(), "id", descending=True) == before


def test_an_index_that_is_damaged_or_of_another_version_is_made_anew(tmp_path: Path) -> None:
    keep(tmp_path, old_jobs())
    past = Past(tmp_path)
    past.bring_up_to_date()
    before = all_entries(past, JobFilter(), "id", descending=True)
    path = tmp_path / "web" / INDEX
    index = sqlite3.connect(path)
    index.execute("PRAGMA user_version = 7")
    index.commit()
    index.close()
    assert all_entries(past, JobFilter(), "id", descending=True) == []
    assert past.bring_up_to_date()
    assert all_entries(past, JobFilter(), "id", descending=True) == before
    path.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    assert not past.bring_up_to_date()
    assert past.trouble
    assert past.bring_up_to_date()
    assert not past.trouble
    assert all_entries(past, JobFilter(), "id", descending=True) == before


def test_without_a_history_there_is_none(tmp_path: Path) -> None:
    past = Past(tmp_path)
    assert all_entries(past, JobFilter(), "submitted", descending=True) == []
    assert not past.bring_up_to_date()
    assert not list(tmp_path.iterdir())


def test_conditions_and_sql_know_the_same_fields() -> None:
    everything = JobFilter(
        states=frozenset({"failed"}),
        user="a",
        backend="b",
        workflow="w",
        origin="run",
        tags=frozenset({"t"}),
        name="n",
        text="x",
        since=T0,
        held=True,
    )
    sql, _ = past_rows.where(everything)
    assert len(conditions(everything)) == sql.count(" AND ")
