"""Commands: what each does to jobs in each state, and that twice is as good as once."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from hopper.dispatch import commands
from hopper.dispatch.book import Book
from hopper.dispatch.changes import merged
from hopper.dispatch.desk import Desk
from hopper.dispatch.job_acts import Done
from hopper.dispatch.ports import Arrival
from hopper.dispatch.settings import PolicySettings
from hopper.errors import UsageError
from hopper.model.attempt import Outcome, Remains
from hopper.model.event import EventKind
from hopper.model.job import Job, Origin
from hopper.model.resources import Requirements
from hopper.model.states import JobState
from tests.fakes.rig import spec
from tests.unit.dispatch.situations import NOW, attempt, job, later, over, seen

S = JobState
ID = "a-000001"


def book(*jobs: Job, **settings: object) -> Book:
    return Book(jobs, [seen("w0", quarantined_until=later(9), failed_jobs=("x",))], settings)


def do(it: Book, **body: Any) -> tuple[Done, Desk]:
    """Carry out a command and commit what it did."""
    desk = Desk(book=it, settings=PolicySettings(), now=NOW)
    done = commands.apply(desk, body)
    it.apply(merged([desk.changes(), done.changes]))
    return done, desk


def content(it: Book) -> tuple[object, ...]:
    return it.jobs, it.records, it.settings


def in_state(state: JobState, **parts: Any) -> Job:
    if state.on_worker:
        return job(ID, state, attempt(), **parts)
    return job(ID, state, *([over()] if state.terminal else []), **parts)


ACTS: list[dict[str, Any]] = [
    {"do": "cancel"},
    {"do": "requeue"},
    {"do": "requeue", "abandon": True},
    {"do": "hold"},
    {"do": "release"},
    {"do": "priority", "priority": 4},
]


@pytest.mark.parametrize("state", list(JobState))
@pytest.mark.parametrize("act", ACTS, ids=lambda act: "-".join(map(str, act.values())))
def test_twice_is_as_good_as_once(state: JobState, act: dict[str, Any]) -> None:
    it = book(in_state(state))
    first, _ = do(it, **act, jobs=[ID])
    before = content(it)
    second, desk = do(it, **act, jobs=[ID])
    assert content(it) == before
    assert not desk.events
    if ID in dict(first.answer["done"]):  # type: ignore[call-overload]
        assert second.answer == first.answer


def outcome(act: dict[str, Any], state: JobState, **parts: Any) -> str:
    """What an act comes to: the state after it, or ``refused``."""
    it = book(in_state(state, **parts))
    done, _ = do(it, **act, jobs=[ID])
    refused = done.answer["refused"]
    assert isinstance(refused, dict)
    return "refused" if refused else str(it.jobs[ID].state)


@pytest.mark.parametrize(
    ("act", "ends"),
    [
        (ACTS[0], "cancelled submitted running settling refused refused cancelled refused"),
        (ACTS[1], "pending refused refused refused pending pending pending pending"),
        (ACTS[2], "pending pending pending pending pending pending pending pending"),
        (ACTS[3], "pending refused refused refused refused refused refused refused"),
        (ACTS[5], "pending submitted running settling refused refused refused refused"),
    ],
)
def test_each_act_in_each_state(act: dict[str, Any], ends: str) -> None:
    assert " ".join(outcome(act, state) for state in JobState) == ends


def test_a_cancel_looks_at_the_worker_at_once() -> None:
    it = book(in_state(S.RUNNING))
    done, desk = do(it, do="cancel", jobs=[ID, ID])
    assert done.look_at == {"w0"}
    assert it.jobs[ID].cancel_requested
    assert done.answer["done"] == {ID: "cancelling"}
    assert [event.kind for event in desk.events] == [EventKind.CANCEL_REQUESTED]


def test_abandoning_leaves_the_old_attempt_to_be_killed() -> None:
    it = book(in_state(S.RUNNING, failures=2, cancel_requested=True))
    do(it, do="requeue", jobs=[ID], abandon=True)
    [old] = it.jobs[ID].attempts
    assert (old.outcome, old.remains) == (Outcome.ABANDONED, Remains.ABANDONED)
    assert (it.jobs[ID].failures, it.jobs[ID].cancel_requested) == (0, False)
    assert "w0" in it.untidy


def test_holding_and_releasing() -> None:
    it = book(in_state(S.PENDING))
    do(it, do="hold", jobs=[ID])
    assert not it.pending
    do(it, do="release", jobs=[ID])
    assert it.pending


@pytest.mark.parametrize("act", ["cancel", "requeue"])
def test_jobs_of_others_are_theirs(act: str) -> None:
    it = book(in_state(S.RUNNING, origin=Origin.EXTERNAL))
    done, _ = do(it, do=act, jobs=[ID])
    assert "somebody else" in str(done.answer["refused"])


def test_a_refused_zip_is_not_requeued() -> None:
    it = book(job(ID, S.FAILED, zip_sha256=""))
    done, _ = do(it, do="requeue", jobs=[ID])
    assert "refused" in str(done.answer["refused"])


def test_pausing_and_resuming() -> None:
    it = book()
    _, first = do(it, do="pause")
    _, second = do(it, do="pause")
    assert it.settings == {"paused": True}
    assert len(first.events) == 1
    assert not second.events
    done, _ = do(it, do="resume")
    assert it.settings == {"paused": False}
    assert done.answer == {"paused": False}


def test_looking_lets_workers_go() -> None:
    it = book()
    done, _ = do(it, do="look")
    assert done.everywhere
    assert it.records["w0"].quarantined_until is None
    named, _ = do(it, do="look", workers=["w0"])
    assert named.look_at == {"w0"}
    assert not named.everywhere


@pytest.mark.parametrize(
    "body",
    [
        {"do": "dance"},
        {},
        {"do": "cancel"},
        {"do": "cancel", "jobs": []},
        {"do": "cancel", "jobs": ["nobody"]},
        {"do": "cancel", "jobs": [["a"]]},
        {"do": "priority", "jobs": [ID], "priority": "high"},
        {"do": "priority", "jobs": [ID], "priority": True},
        {"do": "submit", "job": ID},
    ],
)
def test_what_makes_no_sense_is_refused(body: dict[str, Any]) -> None:
    it = book(in_state(S.PENDING))
    before = dict(it.jobs)
    with pytest.raises(UsageError):
        do(it, **body)
    assert it.jobs == before


def arrival(**parts: Any) -> Arrival:
    return Arrival(
        job_id="b-000001",
        spec=spec("b", **parts),
        zip_name="b-000001.zip",
        source_name="b.zip",
        size=3,
        sha256="cd",
        unpacked_size=9,
    )


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"tags": ("big",), "gpus": 2, "time_limit": 90, "retries": 3, "priority": -1},
        {"env": {"A": "1"}, "results": ("out/*",), "after": (ID,)},
    ],
)
def test_a_submission_travels_whole(parts: dict[str, Any]) -> None:
    body = commands.arrival_to_json(arrival(**parts))
    assert commands.arrival_from_json(body) == arrival(**parts)
    it = book(in_state(S.PENDING))
    done, _ = do(it, do="submit", **body)
    again, desk = do(it, do="submit", **body)
    assert done.answer == again.answer
    assert not desk.events
    assert it.jobs["b-000001"].spec == arrival(**parts).spec


def test_a_submission_for_a_cluster_travels_whole() -> None:
    needs = Requirements(cpus=4, memory=2**30, partition="long")
    there = replace(arrival(), backend="cl", spec=replace(spec("b"), requirements=needs))
    body = json.loads(json.dumps(commands.arrival_to_json(there)))
    assert commands.arrival_from_json(body) == there
    it = book()
    do(it, do="submit", **body)
    assert it.jobs["b-000001"].backend == "cl"
    assert list(it.queues.runs("cl")) == [""]
    # As an older hopper has left it.
    old = {key: body[key] for key in body if key not in {"backend", "cpus", "memory", "partition"}}
    assert commands.arrival_from_json(old) == arrival()


def test_a_submission_may_be_held() -> None:
    it = book()
    do(it, do="submit", hold=True, **commands.arrival_to_json(arrival()))
    assert it.jobs["b-000001"].held


@pytest.mark.parametrize("body", ACTS, ids=lambda body: body["do"])
def test_who_asked_for_it_stands_in_its_events(body: dict[str, Any]) -> None:
    state = S.COMPLETED if body["do"] == "requeue" else S.PENDING
    it = book(in_state(state, held=body["do"] == "release"))
    _, desk = do(it, **body, jobs=[ID], by="alice")
    assert desk.events
    assert {event.data.get("by") for event in desk.events} == {"alice"}


def test_what_hopper_does_of_itself_names_nobody() -> None:
    _, desk = do(book(in_state(S.PENDING)), do="cancel", jobs=[ID])
    assert all("by" not in event.data for event in desk.events)


def test_what_a_person_did_beside_is_noted() -> None:
    done, desk = do(book(), do="note", kind="worker_drained", worker="w0", by="alice")
    assert done.answer == {"noted": "worker_drained"}
    event = desk.events[0]
    assert (event.kind, event.worker, event.data) == (
        EventKind.WORKER_DRAINED,
        "w0",
        {"by": "alice"},
    )


@pytest.mark.parametrize("kind", ["job_state", "", None, 3])
def test_nothing_else_can_be_noted(kind: object) -> None:
    with pytest.raises(UsageError, match="nothing to be noted"):
        do(book(), do="note", kind=kind)
