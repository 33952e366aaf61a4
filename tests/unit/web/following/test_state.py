from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hopper.dispatch.changes import Changes as Commit
from hopper.dispatch.run_views import view_of
from hopper.model.event import EventKind
from hopper.model.job import Job
from hopper.model.run import RunState
from hopper.model.states import JobState
from hopper.model.worker import WorkerRecord
from hopper.store import follow, retention
from hopper.store.errors import StoreDamaged
from hopper.store.state import StateStore
from hopper.web.following.changes import Position
from hopper.web.following.listing import JobFilter
from hopper.web.following.state import Following
from tests.unit.web.following.states import T0, a_job, a_run, a_task, somebodys, told


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[StateStore]:
    with StateStore.open(tmp_path / "db") as store:
        yield store


@pytest.fixture
def following(writer: StateStore) -> Iterator[Following]:
    found = Following(writer.folder)
    yield found
    found.close()


def shown(following: Following) -> list[str]:
    return [row.id for row in following.index.page(JobFilter(), limit=1000).rows]


def test_a_change_shows_at_the_next_look(writer: StateStore, following: Following) -> None:
    assert shown(following) == []
    before = following.position
    job = a_job("j1")
    writer.commit(Commit(jobs=(job,), externals=(somebodys(1),), events=(told(job),)))
    following.look()
    assert set(shown(following)) == {"j1", "cl/1"}
    changes = following.changed_since(before)
    assert changes is not None
    assert changes.jobs.keys() == changes.new == {"j1", "cl/1"}
    assert changes.tables == {"jobs", "externals", "events"}
    assert following.position.seq == 1
    version = following.version
    following.look()
    assert following.version == version
    writer.commit(Commit(forgotten_jobs=("j1",)))
    following.look()
    assert shown(following) == ["cl/1"]


def test_whoever_asks_for_what_is_new_gets_it_before_the_next_look(
    writer: StateStore, following: Following
) -> None:
    run = a_run("r1")
    writer.commit(Commit(jobs=(a_job("j1"),), runs=(run,)))
    assert following.job("j1") is None
    assert following.newest_job("j1") == a_job("j1")
    assert following.newest_run("r1") == run
    assert following.newest_run("r2") is None


def test_rows_follow_their_run(writer: StateStore, following: Following) -> None:
    writer.commit(Commit(runs=(a_run("r1"),), jobs=(a_task("j1", run="r1", task="fit.1"),)))
    following.look()
    assert following.index.rows["j1"].user == "ada"
    writer.commit(Commit(runs=(a_run("r1", user="bob"),)))
    following.look()
    assert following.index.rows["j1"].user == "bob"


def test_a_tally_is_what_the_jobs_give(writer: StateStore, following: Following) -> None:
    run = a_run("r1")
    states = [JobState.COMPLETED, JobState.RUNNING, JobState.PENDING, JobState.FAILED]
    jobs = [
        a_task(f"j{number}", run="r1", task=f"g{number % 3}.{number}", state=states[number % 4])
        for number in range(13)
    ]
    writer.commit(Commit(runs=(run,), jobs=tuple(jobs)))
    for _ in range(2):
        following.look()
        (tally,) = following.run_tallies()
        view = view_of(run, jobs)
        assert (tally.state, tally.started_at, tally.ended_at) == (
            view.state,
            view.started_at,
            view.ended_at,
        )
        assert {one.name: dict(one.counts) for one in tally.groups} == {
            one.name: dict(one.counts) for one in view.groups
        }
        assert tally.all.total == len(jobs)
        assert following.tally(run) is tally
        assert [job.id for job in following.jobs_of("r1")] == [job.id for job in jobs]
        jobs = [
            a_task(job.id, run="r1", task=job.task.id, state=JobState.COMPLETED)
            for job in jobs
            if job.task is not None
        ]
        writer.commit(Commit(jobs=tuple(jobs)))
    following.look()
    assert following.tally(run).state is RunState.COMPLETED
    assert following.tally(run).cpu_hours(0.0) == 13 * 4.0


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from(["j1", "j2", "j3", "cl/4"]),
                st.sampled_from([None, JobState.PENDING, JobState.COMPLETED]),
                st.sampled_from(["", "r1"]),
            ),
            max_size=4,
        ),
        max_size=6,
    ),
    st.booleans(),
)
def test_what_is_kept_up_is_what_is_made_anew(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[list[tuple[str, JobState | None, str]]],
    folds: bool,
) -> None:
    with StateStore.open(tmp_path_factory.mktemp("state") / "db") as writer:
        following = Following(writer.folder)
        for step in steps:
            for job_id, state, run in step:
                writer.commit(commit_of(job_id, state, run))
            if folds:
                writer.compact()
            following.look()
        anew = Following(writer.folder)
        assert following.index.rows == anew.index.rows
        assert following.index.facets() == anew.index.facets()
        assert shown(following) == shown(anew)
        following.close()
        anew.close()


def commit_of(job_id: str, state: JobState | None, run: str) -> Commit:
    if "/" in job_id:
        other = somebodys(4, gone=state is JobState.COMPLETED)
        return Commit(externals=(other,)) if state else Commit(forgotten_externals=(job_id,))
    if state is None:
        return Commit(forgotten_jobs=(job_id,))
    return Commit(jobs=(a_job(job_id, state=state, run=run),))


def test_a_damaged_state_stays_as_it_was_and_is_told(
    writer: StateStore, following: Following
) -> None:
    writer.commit(Commit(jobs=(a_job("j1"),)))
    following.look()
    segment = follow.segment_path(writer.folder, follow.segment_generations(writer.folder)[-1])
    whole = segment.read_bytes()
    writer.commit(Commit(jobs=(a_job("j2"),), forgotten_jobs=("j1",)))
    writer.commit(Commit(jobs=(a_job("j3"),)))
    good = segment.read_bytes()
    bad = bytearray(good)
    bad[-10] ^= 1
    segment.write_bytes(bytes(bad))
    version = following.version
    for _ in range(3):
        following.look()
        assert segment.name in following.trouble
        assert shown(following) == ["j1"]
    assert following.version == version + 1
    segment.write_bytes(good)
    following.look()
    assert not following.trouble
    assert set(shown(following)) == {"j2", "j3"}
    assert dict(following.store.jobs) == dict(writer.jobs)
    assert len(whole) < len(good)


def test_a_state_that_cannot_be_opened_now_is_read_again_later(
    writer: StateStore, following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.commit(Commit(jobs=(a_job("j1"),)))

    def refuse(_: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(follow, "complete_lines", lambda *_: refuse(None))
        following.look()
        assert "Too many open files" in following.trouble
    following.look()
    assert not following.trouble
    assert shown(following) == ["j1"]


def test_nothing_opens_a_state_that_is_damaged_from_the_start(tmp_path: Path) -> None:
    (tmp_path / "jobs.json").write_text("{}")
    with pytest.raises(StoreDamaged):
        Following(tmp_path)


def test_a_worker_without_contact_shows_on_its_jobs(
    writer: StateStore, following: Following
) -> None:
    record = WorkerRecord(name="box", no_contact_since=T0)
    writer.commit(
        Commit(
            jobs=(
                a_job("j1", state=JobState.RUNNING, worker="box"),
                a_job("j2", state=JobState.COMPLETED, worker="box"),
            ),
            workers=(record,),
        )
    )
    following.look()
    rows = following.index.rows
    assert following.no_contact(rows["j1"]) == T0
    assert following.no_contact(rows["j2"]) is None


# --- going on where one was


def test_after_a_restart_the_events_tell_what_was_missed(
    writer: StateStore, following: Following
) -> None:
    jobs = [a_job(f"j{number}") for number in range(4)]
    running = a_job("busy", state=JobState.RUNNING, worker="box")
    writer.commit(Commit(jobs=(*jobs, running), events=tuple(map(told, jobs))))
    following.look()
    seen = following.position
    changed = replace(jobs[1], held=True)
    writer.commit(
        Commit(jobs=(changed,), forgotten_jobs=("j2",), events=(told(changed), told(jobs[2])))
    )
    later = Following(writer.folder)
    changes = later.changed_since(seen)
    assert changes is not None
    assert changes.jobs.keys() == {"j1", "busy"}
    assert changes.gone.keys() == {"j2"}
    later.close()


def test_too_much_and_the_unknown_are_shown_anew(writer: StateStore, following: Following) -> None:
    job = a_job("j1")
    many = tuple(told(job) for _ in range(400))
    writer.commit(Commit(jobs=(job,), events=many))
    following.look()
    assert following.changed_since(Position(seq=0)) is None
    assert following.changed_since(Position(seq=9_999)) is None
    assert following.changed_since(Position(seq=399, version=5, process="other")) is not None
    writer.commit(Commit(events=(told(job, EventKind.RUN_CREATED),)))
    following.look()
    assert following.changed_since(Position(seq=400)) is None
    assert following.changed_since(following.position) is not None


# --- the history


def test_pages_go_on_from_the_live_jobs_into_the_history(
    writer: StateStore, following: Following
) -> None:
    def at(number: int) -> Job:
        return a_job(
            f"j{number}", state=JobState.COMPLETED, worker="box", at=T0 - timedelta(days=number)
        )

    live = [at(number) for number in (0, 2, 4)]
    # One that is on its way to the history is in both.
    retention.archive(writer.folder, [at(number) for number in (1, 3, 4, 5)])
    writer.commit(Commit(jobs=tuple(live)))
    following.look()

    async def walk(*, descending: bool) -> list[str]:
        await following.count_usage()
        found: list[str] = []
        cursor: str | None = None
        while True:
            page = await following.page(
                JobFilter(history=True), descending=descending, limit=2, at=cursor
            )
            assert not page.trouble
            found += [row.id for row in page.rows]
            cursor = page.next
            if cursor is None:
                break
        skipped = await following.page(
            JobFilter(history=True), descending=descending, limit=2, offset=3
        )
        assert [row.id for row in skipped.rows] == found[3:5]
        return found

    assert asyncio.run(walk(descending=True)) == ["j0", "j1", "j2", "j3", "j4", "j5"]
    assert asyncio.run(walk(descending=False)) == ["j5", "j4", "j3", "j2", "j1", "j0"]
    assert following.usage is not None
    assert len(following.usage.hours) == 24
    assert shown(following) == ["j0", "j2", "j4"]


def test_it_looks_and_counts_by_itself_until_it_is_ended(
    writer: StateStore, following: Following
) -> None:
    async def scene() -> None:
        task = asyncio.create_task(following.run())
        stream = following.watch("jobs", "").messages()
        writer.commit(Commit(jobs=(a_job("j1"),)))
        async with asyncio.timeout(30):
            async for message in stream:
                if b'"jobs":["j1"]' in message:
                    break
            while following.usage is None:
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scene())
