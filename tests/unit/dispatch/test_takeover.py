from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hopper.dispatch import commands
from hopper.dispatch.book import Book
from hopper.dispatch.desk import Desk
from hopper.dispatch.ingest import ours
from hopper.dispatch.job_acts import Done
from hopper.dispatch.settings import PolicySettings
from hopper.errors import UsageError
from hopper.model.event import EventKind
from hopper.model.job import Origin
from hopper.model.states import JobState

NOW = datetime(2026, 1, 2, tzinfo=UTC)
NAME = "c0ffee" * 10


def adopt(book: Book, **changes: object) -> tuple[Desk, Done]:
    body = {
        "do": "adopt",
        "job": "old-000001",
        "attempt": "abcdefghi1",
        "worker": "w1",
        "name": NAME,
        **changes,
    }
    desk = Desk(book=book, settings=PolicySettings(), now=NOW)
    done = commands.apply(desk, body)
    book.apply(desk.changes())
    return desk, done


def test_a_job_that_was_launched_elsewhere_holds_its_slot() -> None:
    book = Book()
    desk, done = adopt(book, reason="running in jobhopper")
    job = book.jobs["old-000001"]
    assert (job.state, job.origin, job.remote_name) == (JobState.RUNNING, Origin.EXTERNAL, NAME)
    assert list(book.placed["w1"]) == ["old-000001"]
    assert NAME in ours(book, "w1"), "its zip is not adopted a second time when it is seen"
    assert done.answer == {"job": "old-000001"}
    assert done.look_at == {"w1"}
    [event] = desk.events
    assert (event.kind, event.reason) == (EventKind.JOB_ADOPTED, "running in jobhopper")


def test_the_same_job_is_taken_over_once() -> None:
    book = Book()
    adopt(book)
    desk, done = adopt(book, job="old-000002", attempt="abcdefghi2")
    assert done.answer == {"job": "old-000001"}
    assert not desk.changes()


def test_each_keeps_a_slot_of_its_own() -> None:
    book = Book()
    adopt(book)
    adopt(book, job="old-000002", attempt="abcdefghi2", name="other")
    adopt(book, job="old-000003", attempt="abcdefghi3", worker="w2")
    slots = {job.id: job.attempts[0].slot for job in book.jobs.values()}
    assert slots == {"old-000001": 0, "old-000002": 1, "old-000003": 0}


@pytest.mark.parametrize(
    "wrong",
    [{"job": "../x"}, {"attempt": "X"}, {"worker": ""}, {"name": ""}, {"name": "a/b"}],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    book = Book()
    with pytest.raises(UsageError):
        adopt(book, **wrong)
    assert not book.jobs


def test_an_id_is_given_once() -> None:
    book = Book()
    adopt(book)
    with pytest.raises(UsageError, match="there is a job old-000001"):
        adopt(book, name="other")
