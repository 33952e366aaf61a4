from __future__ import annotations

import json
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.model import batch, orders, wire
from hopper.model.attempt import Attempt, Outcome
from hopper.model.ids import ATTEMPT_ID, JOB_ID, new_attempt_id, new_job_id, slug
from hopper.model.job import Job, JobSpec
from hopper.model.run import Run
from hopper.model.states import JobState
from hopper.model.worker import Worker

T = TypeVar("T")

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def attempt(name: str = "aaaaaaaaaa", number: int = 1, outcome: Outcome | None = None) -> Attempt:
    return Attempt(id=name, number=number, worker="w", slot=0, intended_at=NOW, outcome=outcome)


def job(state: JobState = JobState.PENDING, *attempts: Attempt) -> Job:
    spec = JobSpec(name="a", priority=3)
    return Job(id="a-000001", spec=spec, state=state, submitted_at=NOW, attempts=attempts)


@given(st.text())
def test_ids_are_safe_everywhere(name: str) -> None:
    job_id = new_job_id(name, secrets.choice)
    assert JOB_ID.match(job_id)
    assert "." not in job_id
    assert len(job_id) <= 47


def test_an_id_tells_the_name() -> None:
    assert slug("Tränen & 1.zip") == "tranen-1-zip"
    assert slug("…") == "job"
    assert not slug("x" * 39 + "-y").endswith("-")
    assert ATTEMPT_ID.match(new_attempt_id(secrets.choice))


def test_a_job_and_its_attempts() -> None:
    none = job()
    assert none.attempt is None
    assert none.open_attempt is None
    assert none.name == "a"
    assert none.rank == (-3, NOW, "a-000001")
    first = attempt(outcome=Outcome.FAILED)
    two = job(JobState.RUNNING, first).with_attempt(attempt("bbbbbbbbbb", 2))
    assert two.open_attempt is two.attempt is two.attempts[1]
    changed = two.with_attempt(replace(two.attempts[0], exit_code=4))
    assert [item.exit_code for item in changed.attempts] == [4, None]
    assert changed.find_attempt("bbbbbbbbbb") == two.attempts[1]
    assert changed.find_attempt("cccccccccc") is None
    assert replace(two, state=JobState.PENDING).open_attempt is None
    assert job(JobState.RUNNING, first).open_attempt is None


def test_a_record_from_before_job_arrays_loads() -> None:
    """Fields that an older hopper did not write have their defaults."""
    made = attempt()
    old = wire.to_json(made)
    assert (old.pop("array"), old.pop("array_index")) == ("", 0)
    assert wire.from_json(Attempt, old) == made
    run = Run(id="r", workflow="w", backend="b", created_at=NOW)
    old = wire.to_json(run)
    del old["array"]
    assert wire.from_json(Run, old) == run


def test_what_may_be_tried_again() -> None:
    tried = {outcome for outcome in Outcome if outcome.retryable}
    assert tried == {
        Outcome.FAILED,
        Outcome.TIMED_OUT,
        Outcome.OUT_OF_MEMORY,
        Outcome.NODE_FAILED,
        Outcome.REBOOTED,
        Outcome.VANISHED,
    }


@pytest.mark.parametrize(
    ("gpus", "slots", "shares"),
    [
        (0, 2, [(), ()]),
        (2, 2, [(0,), (1,)]),
        (3, 2, [(0,), (1, 2)]),
        (1, 3, [(0,), (0,), (0,)]),
        (4, 1, [(0, 1, 2, 3)]),
    ],
)
def test_gpus_are_shared_out(gpus: int, slots: int, shares: list[tuple[int, ...]]) -> None:
    worker = Worker(name="w", gpus=gpus, slots=slots)
    assert [worker.slot_gpus(slot) for slot in range(slots)] == shares


def test_orders_travel_as_json() -> None:
    order = orders.Order(
        id="1",
        host="w",
        cancels=(orders.Target(attempt="a", name="n"),),
        discards=(orders.Target(attempt="b", name="n"),),
        releases=(orders.Release(attempt="c", files=("x.zip", "y.zip")),),
        cleans=(orders.Target(attempt="d", name="n"),),
        launches=(
            orders.Launch(
                attempt="e",
                job_id="j",
                name="n",
                zip_path="/z",
                zip_size=1,
                zip_sha256="ab",
                command="true",
                env={"A": "b"},
            ),
        ),
        follows=(orders.Follow(attempt="f", name="n", globs=("a", "b")),),
        externals=(orders.External(attempt="g", name="n"),),
        log=orders.ReadLog(attempt="h", offset=-5, limit=9),
        deadline=3.5,
    )
    assert as_it_travels(order) == order
    assert wire.from_json(orders.Order, {"id": "1", "host": "w"}) == orders.Order(id="1", host="w")


def test_reports_travel_as_json() -> None:
    report = orders.Report(
        order="1",
        host="w",
        at=1.5,
        missing=("inbox",),
        zips=("a.zip",),
        sightings=(orders.Sighting(attempt="a", phase="running"),),
        externals=(orders.ExternalSighting(name="n", in_inbox=True, results=(("r.zip", 3),)),),
        launched=(orders.LaunchResult(attempt="a", verdict="now"),),
        cancelled=(("a", "dead", ""),),
        discarded=(("b", "alive"),),
        released=("c",),
        cleaned=("d",),
        collected=(
            orders.Collected(attempt="a", kind="log", name="l", path="/p", size=1, sha256="ab"),
        ),
        gathered=("a",),
        too_large=("b",),
        troubles=(("", "so"),),
        log=orders.LogPart(attempt="a", size=1, offset=0, text="x"),
    )
    assert as_it_travels(report) == report
    plain = orders.Report(order="1", host="w", at=0.0)
    assert wire.from_json(orders.Report, {"order": "1", "host": "w", "at": 0.0}) == plain


def test_reports_of_a_login_node_travel_as_json() -> None:
    said = batch.Said(code=0, stdout="17", stderr="")
    report = batch.BatchReport(
        order="1",
        host="w",
        at=1.5,
        submitted=(batch.SubmitResult(attempt="a", verdict=batch.Submitted.AGAIN, said=said),),
        answers=(("queue", said),),
        sides=(batch.SideSighting(attempt="a", alive=True),),
    )
    assert as_it_travels(report) == report


def test_what_another_version_says_more_is_passed_over() -> None:
    document = {"attempt": "a", "name": "n", "later": 1}
    assert wire.from_json(orders.Target, document) == orders.Target(attempt="a", name="n")


@pytest.mark.parametrize(
    "document",
    [
        {"order": "1", "host": "w"},
        {"order": "1", "host": "w", "at": 0.0, "sightings": ["a"]},
        {"order": "1", "host": "w", "at": 0.0, "sightings": None},
        {"order": "1", "host": "w", "at": 0.0, "sightings": [{"attempt": "a"}]},
        ["order"],
    ],
)
def test_what_is_no_report_is_refused(document: Any) -> None:
    with pytest.raises(TypeError):
        wire.from_json(orders.Report, document)


def as_it_travels(value: T) -> T:
    """What the other side reads."""
    return wire.from_json(type(value), json.loads(json.dumps(wire.to_json(value))))
