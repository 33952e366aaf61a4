"""How batch systems stand, and why tasks wait for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hopper.dispatch.backend_views import BackendStanding, BackendView, backend_views
from hopper.dispatch.book import Book
from hopper.dispatch.explain import Situation, explain
from hopper.dispatch.overview import worker_views
from hopper.dispatch.settings import PolicySettings
from hopper.model.backend import BatchTarget
from hopper.model.job import Job
from hopper.model.run import Run
from hopper.model.states import JobState
from hopper.model.worker import WorkerRecord
from tests.unit.dispatch.test_run_views import NOW, attempt, run, running, task

TARGET = BatchTarget(name="hpc", kind="slurm", host="hpc", max_concurrent=2)
SEEN = WorkerRecord(name="hpc", last_contact=NOW - timedelta(seconds=5))
LOST = replace(SEEN, no_contact_since=NOW - timedelta(minutes=3), contact_error="no route")
MUTE = replace(SEEN, unready="squeue: Unable to contact slurm controller")
SHUT = replace(LOST, contact_error="needs login: Permission denied (keyboard-interactive)")


def book(
    *jobs: Job, record: WorkerRecord | None = SEEN, paused: bool = False, a_run: Run | None = None
) -> Book:
    settings: dict[str, object] = {"paused_backends": ["hpc"]} if paused else {}
    records = [record] if record is not None else []
    return Book(jobs, records, settings, [a_run or run()])


def view(filled: Book) -> BackendView:
    [one] = backend_views(filled, {"hpc": TARGET})
    return one


@pytest.mark.parametrize(
    ("filled", "standing"),
    [
        (book(record=None), BackendStanding.NEVER_SEEN),
        (book(), BackendStanding.READY),
        (book(running("a", 1)), BackendStanding.BUSY),
        (book(running("a", 1), paused=True), BackendStanding.PAUSED),
        (book(record=LOST, paused=True), BackendStanding.UNREACHABLE),
        (book(record=SHUT), BackendStanding.NEEDS_LOGIN),
        (book(running("a", 1), record=MUTE, paused=True), BackendStanding.NOT_ANSWERING),
    ],
)
def test_standings(filled: Book, standing: BackendStanding) -> None:
    assert view(filled).standing is standing


def test_the_error_is_told_without_the_word_that_is_the_standing() -> None:
    assert view(book(record=SHUT)).detail == "Permission denied (keyboard-interactive)"


@pytest.mark.parametrize("job", [task("a"), running("a", 1)])
def test_a_batch_system_that_does_not_answer_is_said_with_its_words(job: Job) -> None:
    filled = book(job, record=MUTE)
    assert view(filled).detail == MUTE.unready
    situation = Situation(
        book=filled, workers={}, settings=PolicySettings(), now=NOW, targets={"hpc": TARGET}
    )
    told = explain(job, situation)
    words = f"The batch system of hpc does not answer ({MUTE.unready})."
    assert words in " ".join((told.headline, *told.reasons))


def test_counts_are_of_its_own_jobs() -> None:
    other = replace(task("x"), backend="")
    found = view(book(running("a", 1), task("b"), other))
    assert (found.under_way, dict(found.counts)) == (1, {JobState.RUNNING: 1, JobState.PENDING: 1})


def test_one_that_left_the_config_shows_while_it_has_jobs() -> None:
    gone, over = (
        replace(running("a", 1), backend="old"),
        task("b", JobState.FAILED, backend="older"),
    )
    assert [one.name for one in backend_views(book(gone, over), {"hpc": TARGET})] == ["hpc", "old"]
    assert backend_views(book(gone), {})[0].standing is BackendStanding.MISSING


def test_a_backend_is_no_worker() -> None:
    assert worker_views(book(running("a", 1)), {}, NOW) == ()


# --- explained


def said(job: Job, filled: Book) -> tuple[str, tuple[str, ...]]:
    situation = Situation(
        book=filled, workers={}, settings=PolicySettings(), now=NOW, targets={"hpc": TARGET}
    )
    found = explain(job, situation)
    return " ".join([found.headline, *found.reasons]), found.advice


def test_why_a_task_waits() -> None:
    job = task("w")
    text, advice = said(job, book(job, record=SHUT, paused=True))
    assert "not been reached for 3m (needs login" in text
    assert "hpc is paused" in text
    assert advice == ("hopper backend login hpc", "hopper backend resume hpc")


def test_a_full_backend_and_a_full_run_are_told() -> None:
    job = task("w")
    full = book(job, running("a", 1), running("b", 1), a_run=run(max_concurrent=2))
    text, _ = said(job, full)
    assert "2 jobs are on hpc, and its max_concurrent is 2" in text
    assert "2 tasks of its run are on hpc" in text


def test_a_task_with_room_starts_next() -> None:
    job = task("w")
    assert "It is its turn" in said(job, book(job))[0]


def test_a_backend_that_nobody_knows_is_told() -> None:
    job = task("w", backend="gone")
    assert "no backend gone" in said(job, book(job))[0]


def test_the_place_in_the_queue_is_told() -> None:
    job = task("q", JobState.SUBMITTED, attempts=(attempt(native_id="77", waits_for="Resources"),))
    text, _ = said(job, book(job))
    assert "in the queue of hpc as 77" in text
    assert "(Resources)" in text


def test_one_on_a_lost_backend_says_what_to_do() -> None:
    job = running("a", 60)
    assert said(job, book(job, record=SHUT))[1][0] == "hopper backend login hpc"
    assert said(job, book(job, record=LOST))[1][0] == "hopper backend check hpc"
