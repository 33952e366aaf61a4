"""The fake store and the real one do the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hopper.dispatch.changes import Changes
from hopper.dispatch.ports import Store
from hopper.model.event import Event, EventKind
from hopper.model.job import Job, JobSpec
from hopper.model.states import JobState
from hopper.model.worker import WorkerRecord
from hopper.store.state import StateStore
from tests.fakes.clock import START
from tests.fakes.store import FakeStore

Open = Callable[[], Store]


def job(number: int, state: JobState = JobState.PENDING) -> Job:
    spec = JobSpec(name="j", env={"A": "ü"})
    return Job(id=f"j-{number:06}", spec=spec, state=state, submitted_at=START)


@pytest.fixture(params=["fake", "real"])
def reopened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Gives the store, closed and opened again at each call."""
    fake = FakeStore()
    opened: list[StateStore] = []

    def open_real() -> Store:
        while opened:
            opened.pop().close()
        opened.append(StateStore.open(tmp_path / "db"))
        return opened[0]

    yield (lambda: fake) if request.param == "fake" else open_real
    for store in opened:
        store.close()


def events_of(store: Store) -> list[Event]:
    assert isinstance(store, FakeStore | StateStore)
    return list(store.events())


def test_a_new_store_is_empty(reopened: Open) -> None:
    store = reopened()
    assert (dict(store.jobs), dict(store.workers), dict(store.settings)) == ({}, {}, {})


def test_what_was_committed_is_there_at_once_and_later(reopened: Open) -> None:
    store = reopened()
    jobs, workers = store.jobs, store.workers
    event = Event(kind=EventKind.TROUBLE, at=START, job="j-000001", data={"a": [1, "x"]})
    store.commit(
        Changes(
            jobs=(job(1), job(2)),
            workers=(WorkerRecord(name="w", last_contact=START),),
            settings={"paused": True},
            events=(event, event),
        )
    )
    for seen in (jobs, store.jobs, reopened().jobs):
        assert dict(seen) == {"j-000001": job(1), "j-000002": job(2)}
    assert workers["w"].last_contact == START
    store = reopened()
    assert store.settings["paused"] is True
    assert [event.seq for event in events_of(store)] == [1, 2]
    assert events_of(store)[0].data == {"a": [1, "x"]}


def test_values_take_the_place_of_older_ones(reopened: Open) -> None:
    store = reopened()
    store.commit(Changes(jobs=(job(1), job(2)), settings={"a": 1, "b": 1}))
    store.commit(
        Changes(
            jobs=(job(1, JobState.FAILED),), forgotten_jobs=("j-000002", "x"), settings={"a": 2}
        )
    )
    for seen in (store, reopened()):
        assert dict(seen.jobs) == {"j-000001": job(1, JobState.FAILED)}
        assert dict(seen.settings) == {"a": 2, "b": 1}
