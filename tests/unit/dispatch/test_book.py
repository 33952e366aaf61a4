from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hopper.dispatch.book import Book
from hopper.dispatch.changes import Changes, merged
from hopper.model.event import Event, EventKind
from hopper.model.job import Job, Origin
from hopper.model.states import JobState
from tests.unit.dispatch import situations as have
from tests.unit.dispatch.situations import NOW, attempt, job, over, seen


def content(book: Book) -> dict[str, Any]:
    return {
        "jobs": dict(sorted(book.jobs.items())),
        "pending": book.pending,
        "placed": {name: dict(sorted(jobs.items())) for name, jobs in book.placed.items()},
        "untidy": {name: dict(sorted(jobs.items())) for name, jobs in book.untidy.items()},
        "doomed": book.doomed(),
        "waiting": vars(book._waiting) | {"_jobs": None},
        "queues": {b: dict(sorted(book.queues.runs(b).items())) for b in book.queues.backends()},
        "runs": {run: set(ids) for run, ids in book.run_jobs.items()},
        "settings": book.settings,
    }


@given(st.lists(st.tuples(have.jobs(most=8), st.sets(st.integers(0, 8)), st.booleans())))
def test_following_commits_is_as_good_as_starting_afresh(
    steps: list[tuple[list[Job], set[int], bool]],
) -> None:
    book, jobs = Book(), dict[str, Job]()
    for changed, forgotten, look in steps:
        gone = tuple(f"j{number:02}-000000" for number in forgotten)
        book.apply(Changes(jobs=tuple(changed), forgotten_jobs=gone, settings={"n": len(gone)}))
        jobs.update((item.id, item) for item in changed)
        for job_id in gone:
            jobs.pop(job_id, None)
        if look:
            book.doomed()
    afresh = Book(jobs.values(), settings=book.settings)
    assert content(book) == content(afresh)


def test_what_counts_as_open() -> None:
    book = Book(
        [
            job("a-000001"),
            job("b-000001", held=True),
            job("c-000001", JobState.RUNNING, attempt()),
            job("d-000001", JobState.RUNNING, attempt("a000000002"), origin=Origin.EXTERNAL),
            job("e-000001", JobState.FAILED, over()),
        ]
    )
    assert book.placed_count == 1


def test_attempts_are_found_where_they_left_something() -> None:
    both = job("a-000001", JobState.RUNNING, over(worker="w1"), attempt("a000000002", "w0"))
    book = Book([both], [seen("w0")])
    found = book.find_attempt("w1", "a000000001")
    assert found == (both, both.attempts[0])
    assert book.find_attempt("w0", "a000000002") == (both, both.attempts[1])
    assert book.find_attempt("w0", "a000000009") is None
    assert book.record("w0") == seen("w0")
    assert book.record("w9").last_contact is None
    assert not book.paused


def test_changes_add_up() -> None:
    event = Event(kind=EventKind.TROUBLE, at=NOW)
    first = Changes(jobs=(job(),), workers=(seen(),), events=(event,), settings={"a": 1})
    second = Changes(jobs=(job(held=True),), forgotten_jobs=("x", "x"), settings={"a": 2})
    both = merged([first, second, Changes()])
    assert both.jobs == (job(held=True),)
    assert both.settings == {"a": 2}
    assert both.forgotten_jobs == ("x",)
    assert both
    assert not Changes()
