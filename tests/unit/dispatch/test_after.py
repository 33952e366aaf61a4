"""Jobs that come after others, by id or by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hopper.dispatch import commands
from hopper.dispatch.book import Book
from hopper.dispatch.desk import Desk
from hopper.dispatch.ingest import ingest
from hopper.dispatch.ports import Arrival
from hopper.dispatch.settings import PolicySettings
from hopper.errors import UsageError
from hopper.model.event import EventKind
from hopper.model.job import Job, JobSpec
from hopper.model.states import JobState

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def known(job_id: str, name: str, minutes_ago: int = 0, sha256: str = "ab") -> Job:
    return Job(
        id=job_id,
        spec=JobSpec(name=name),
        state=JobState.COMPLETED,
        submitted_at=NOW - timedelta(minutes=minutes_ago),
        zip_sha256=sha256,
    )


def arrival(job_id: str, *after: str, name: str = "") -> Arrival:
    return Arrival(
        job_id=job_id,
        spec=JobSpec(name=name or job_id, after=after),
        zip_name=f"{job_id}.zip",
        source_name="dropped.zip",
        size=1,
        sha256="ab",
        unpacked_size=1,
    )


def desk(*jobs: Job) -> Desk:
    return Desk(book=Book(jobs), settings=PolicySettings(), now=NOW)


def test_a_name_becomes_the_id_of_the_newest_job_of_that_name() -> None:
    at = desk(known("prep-1", "prep", 9), known("prep-2", "prep", 3), known("prep-3", "other"))
    ingest(at, [arrival("fit-1", "prep")])
    assert at.jobs["fit-1"].spec.after == ("prep-2",)
    assert at.jobs["fit-1"].state is JobState.PENDING


def test_an_id_is_taken_before_a_name() -> None:
    at = desk(known("prep", "x", 9), known("y-1", "prep"))
    ingest(at, [arrival("fit-1", "prep")])
    assert at.jobs["fit-1"].spec.after == ("prep",)


def test_a_name_and_its_id_are_one_job() -> None:
    at = desk(known("prep-1", "prep"))
    ingest(at, [arrival("fit-1", "prep", "prep-1")])
    assert at.jobs["fit-1"].spec.after == ("prep-1",)


def test_an_unknown_name_fails_the_job_and_says_so() -> None:
    at = desk(known("prep-1", "prep"))
    ingest(at, [arrival("fit-1", "prep", "nothing", "nowhere")])
    job = at.jobs["fit-1"]
    assert job.state is JobState.FAILED
    assert job.reason == "there is no job 'nothing', 'nowhere' to come after"
    assert job.spec.after == ("prep-1", "nothing", "nowhere")
    assert [event.kind for event in at.events] == [EventKind.JOB_SUBMITTED, EventKind.JOB_STATE]


def test_those_that_came_together_may_name_each_other_in_any_order() -> None:
    at = desk()
    ingest(at, [arrival("c-1", "b"), arrival("b-1", "a", name="b"), arrival("a-1", name="a")])
    assert at.jobs["b-1"].spec.after == ("a-1",)
    assert at.jobs["c-1"].spec.after == ("b-1",)
    assert {job.state for job in at.jobs.values()} == {JobState.PENDING}


def test_those_that_wait_for_each_other_fail() -> None:
    at = desk()
    ingest(at, [arrival("a-1", "b", name="a"), arrival("b-1", "a", name="b")])
    assert at.jobs["a-1"].state is JobState.FAILED


def test_a_job_is_not_before_itself() -> None:
    at = desk()
    ingest(at, [arrival("a-1", "a", name="a")])
    assert at.jobs["a-1"].state is JobState.FAILED


def test_submit_takes_names_and_tells_what_became_of_the_job() -> None:
    at = desk(known("prep-1", "prep"))
    body = {"do": "submit", **commands.arrival_to_json(arrival("fit-1", "prep"))}
    assert commands.apply(at, body).answer == {"job": "fit-1", "state": "pending", "reason": ""}
    assert at.jobs["fit-1"].spec.after == ("prep-1",)


def test_submit_can_hold_the_job_from_the_start() -> None:
    at = desk()
    body = {"do": "submit", "hold": True, **commands.arrival_to_json(arrival("fit-1"))}
    commands.apply(at, body)
    assert at.jobs["fit-1"].held
    assert at.events[-1].kind is EventKind.JOB_HELD


def test_a_zip_that_was_refused_is_not_queued_again() -> None:
    refused = known("bad-1", "bad", sha256="")
    at = desk(refused)
    answer = commands.apply(at, {"do": "requeue", "jobs": ["bad-1"]}).answer
    assert "mend it and submit it anew" in str(answer["refused"])
    with pytest.raises(UsageError):
        commands.apply(at, {"do": "requeue", "jobs": ["other"]})
