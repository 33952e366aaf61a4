"""What a report means: each phase in each state, and every rule of safety."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hopper.dispatch.book import Book
from hopper.dispatch.desk import Desk
from hopper.dispatch.endings import Landed
from hopper.dispatch.reconcile import reconcile
from hopper.dispatch.settings import PolicySettings
from hopper.model.attempt import Attempt, Outcome, Remains, ResultFile
from hopper.model.event import EventKind
from hopper.model.job import Job, Origin
from hopper.model.orders import (
    ExternalSighting,
    Launch,
    LaunchResult,
    Order,
    Report,
    Sighting,
)
from hopper.model.states import JobState
from tests.unit.dispatch.situations import NOW, attempt, job, later, over, seen

S = JobState
A = "a000000001"
HOME = {A: (ResultFile(name="r.zip", size=1, sha256="ab"),)}
SETTINGS = PolicySettings(quarantine_after=2, max_refusals=2)


def desk(*jobs: Job, **parts: Any) -> Desk:
    book = Book(jobs, [parts.pop("record", seen("w0"))])
    return Desk(book=book, settings=parts.pop("settings", SETTINGS), now=parts.pop("now", NOW))


def launch(attempt_id: str = A) -> Launch:
    return Launch(
        attempt=attempt_id,
        job_id="a-000001",
        name="a-000001",
        zip_path="/z",
        zip_size=1,
        zip_sha256="ab",
        command="true",
        env={},
    )


ORDER = Order(id="o", host="w0", launches=(launch(),))


def report(**parts: Any) -> Report:
    return Report(**{"order": "o", "host": "w0", "at": 0.0, "boot_id": "b", **parts})


def take(
    it: Desk,
    first: tuple[str, ...] = (),
    landed: Landed | None = None,
    **parts: Any,
) -> Job:
    reconcile(it, ORDER, report(**parts), landed or {}, first)
    return it.job("a-000001")


def sighted(state: JobState, phase: str, *, home: bool = False, **parts: Any) -> Job:
    it = desk(job("a-000001", state, attempt()))
    sighting = Sighting(attempt=A, phase=phase, **parts)
    return take(it, sightings=(sighting,), landed=HOME if home else {})


ENDED: dict[str, Any] = {"how": "exited", "exit_code": 0}


@pytest.mark.parametrize(
    ("phase", "parts", "submitted", "running", "settling"),
    [
        ("absent", {}, S.SUBMITTED, S.SETTLING, S.SETTLING),
        ("staged", {}, S.SUBMITTED, S.SETTLING, S.SETTLING),
        ("running", {}, S.RUNNING, S.RUNNING, S.SETTLING),
        ("ended", ENDED, S.SETTLING, S.SETTLING, S.SETTLING),
        ("rebooted", {}, S.SETTLING, S.SETTLING, S.SETTLING),
        ("vanished", {}, S.SETTLING, S.SETTLING, S.SETTLING),
    ],
)
def test_each_phase_in_each_state(
    phase: str, parts: dict[str, Any], submitted: S, running: S, settling: S
) -> None:
    for state, expected in ((S.SUBMITTED, submitted), (S.RUNNING, running), (S.SETTLING, settling)):
        assert sighted(state, phase, **parts).state is expected


@pytest.mark.parametrize("state", [S.SUBMITTED, S.RUNNING, S.SETTLING])
@pytest.mark.parametrize(
    ("phase", "parts", "outcome", "reason", "end"),
    [
        ("ended", ENDED, Outcome.COMPLETED, "", S.COMPLETED),
        ("ended", {"how": "exited", "exit_code": 3}, Outcome.FAILED, "exit code 3", S.FAILED),
        (
            "ended",
            {"how": "exited", "exit_code": 137},
            Outcome.FAILED,
            "exit code 137 (signal KILL)",
            S.FAILED,
        ),
        ("ended", {"how": "exited"}, Outcome.FAILED, "ended without an exit code", S.FAILED),
        ("ended", {"how": "timeout"}, Outcome.TIMED_OUT, "ran into its time limit", S.FAILED),
        ("ended", {"how": "cancelled"}, Outcome.TIMED_OUT, "ran into its time limit", S.FAILED),
        ("rebooted", {}, Outcome.REBOOTED, "worker rebooted", S.FAILED),
        (
            "vanished",
            {},
            Outcome.VANISHED,
            "its processes are gone and left no exit code",
            S.FAILED,
        ),
    ],
)
def test_each_ending_once_all_is_home(
    state: JobState, phase: str, parts: dict[str, Any], outcome: Outcome, reason: str, end: S
) -> None:
    ended = sighted(state, phase, home=True, **parts)
    [it] = ended.attempts
    assert (ended.state, it.outcome, it.reason) == (end, outcome, reason)
    assert it.results == HOME[A]
    kept = outcome is not Outcome.COMPLETED
    assert it.remains is (Remains.KEPT if kept else Remains.UNWANTED)
    assert (it.keep_until is not None) is kept


def test_a_cancelled_job_is_cancelled_and_one_that_was_faster_is_not() -> None:
    asked = job("a-000001", S.RUNNING, attempt(), cancel_requested=True)
    killed = Sighting(attempt=A, phase="ended", how="cancelled", exit_code=143)
    assert take(desk(asked), sightings=(killed,), landed=HOME).state is S.CANCELLED
    done = Sighting(attempt=A, phase="ended", **ENDED)
    assert take(desk(asked), sightings=(done,), landed=HOME).state is S.COMPLETED
    failed = Sighting(attempt=A, phase="ended", how="exited", exit_code=1)
    assert take(desk(asked), sightings=(failed,), landed=HOME).state is S.CANCELLED


def test_what_is_seen_running_is_noted_once() -> None:
    it = desk(job("a-000001", S.SUBMITTED, attempt(), refusals=1))
    running = Sighting(attempt=A, phase="running", started_at=5.0, group="42", log_bytes=7)
    seen_running = take(it, sightings=(running,))
    [noted] = seen_running.attempts
    assert (noted.native_id, noted.boot_id, noted.log_bytes) == ("42", "b", 7)
    assert seen_running.refusals == 0
    again = desk(seen_running)
    take(again, sightings=(replace(running, log_bytes=9),))
    assert "a-000001" not in again.jobs, "a longer log is no change"


def test_sightings_of_strangers_and_of_old_attempts_mean_nothing() -> None:
    requeued = job("a-000001", S.PENDING, over(outcome=Outcome.ABANDONED))
    it = desk(requeued)
    ended = Sighting(attempt=A, phase="ended", **ENDED)
    take(it, sightings=(ended, Sighting(attempt="zzz", phase="running")), landed=HOME)
    assert not it.jobs


def test_a_worker_without_its_inbox_proves_nothing() -> None:
    absent = Sighting(attempt=A, phase="absent")
    it = desk(job("a-000001", S.RUNNING, attempt()))
    assert take(it, sightings=(absent,), missing=("inbox /x",)).state is S.RUNNING
    assert it.records["w0"].unready == "missing: inbox /x"
    assert [event.kind for event in it.events] == [EventKind.TROUBLE]
    theirs = job("a-000001", S.RUNNING, attempt(), origin=Origin.EXTERNAL)
    gone = ExternalSighting(name="a-000001", in_inbox=False)
    assert take(desk(theirs), externals=(gone,), missing=("inbox /x",)).state is S.RUNNING


@pytest.mark.parametrize(
    ("minutes", "retries", "expected"), [(14, 0, S.SETTLING), (16, 0, S.FAILED), (16, 1, S.PENDING)]
)
def test_without_a_trace_it_is_given_time(minutes: int, retries: int, expected: S) -> None:
    lost = job(
        "a-000001",
        S.SETTLING,
        attempt(),
        state_since=NOW - timedelta(minutes=minutes),
        retries=retries,
    )
    after = take(desk(lost), sightings=(Sighting(attempt=A, phase="absent"),))
    assert after.state is expected
    if expected is not S.SETTLING:
        # If it turns up after all, it is killed.
        assert after.attempts[0].remains is Remains.ABANDONED
        assert after.attempts[0].outcome is Outcome.VANISHED


def test_survivors_and_what_was_left_behind_are_told() -> None:
    it = desk(job("a-000001", S.RUNNING, attempt()))
    take(it, sightings=(Sighting(attempt=A, phase="ended", left_behind="7 8", group="9", **ENDED),))
    told = [event.reason for event in it.events if event.kind is EventKind.SURVIVORS]
    assert told == [
        "processes left behind were ended: 7 8",
        "processes that would not die: 9",
    ]
    it = desk(job("a-000001", S.RUNNING, attempt()))
    take(it, cancelled=((A, "alive", "12"), (A, "dead", "")))
    assert [event.kind for event in it.events] == [EventKind.SURVIVORS]


# --- contact


@pytest.mark.parametrize(
    ("delivered", "first", "expected"),
    [
        (False, (A,), S.PENDING),
        (False, (), S.SUBMITTED),
        (True, (A,), S.SUBMITTED),
        (True, (), S.SUBMITTED),
    ],
)
def test_only_a_first_launch_that_never_arrived_is_taken_back(
    delivered: bool, first: tuple[str, ...], expected: S
) -> None:
    it = desk(job("a-000001", S.SUBMITTED, attempt()))
    after = take(it, first, error="gone", delivered=delivered)
    assert after.state is expected
    assert bool(after.attempts) is (expected is S.SUBMITTED)


def test_taking_back_a_launch_that_is_to_be_cancelled_cancels() -> None:
    it = desk(job("a-000001", S.SUBMITTED, attempt(), cancel_requested=True))
    assert take(it, (A,), error="gone", delivered=False).state is S.CANCELLED


def test_no_contact_changes_no_state_and_is_told_once() -> None:
    it = desk(job("a-000001", S.RUNNING, attempt()))
    take(it, (A,), error="gone", delivered=False)
    assert it.job("a-000001").state is S.RUNNING
    record = it.records["w0"]
    assert (record.contact_failures, record.no_contact_since) == (1, NOW)
    again = desk(record=record, now=later(60))
    reconcile(again, ORDER, report(error="gone"), {})
    assert again.records["w0"].no_contact_since == NOW
    assert not again.events
    back = desk(record=again.records["w0"], now=later(90))
    reconcile(back, ORDER, report(), {})
    assert back.records["w0"].no_contact_since is None
    assert [event.kind for event in back.events] == [EventKind.WORKER_REACHED]


# --- refusals


def refused(why: str, *, first: bool = True, **parts: Any) -> tuple[Desk, Job]:
    it = desk(job("a-000001", S.SUBMITTED, attempt(), **parts))
    result = LaunchResult(attempt=A, verdict="refused", why=why, text="no")
    return it, take(it, (A,) if first else (), launched=(result,))


@pytest.mark.parametrize(
    ("why", "first", "state", "refusals"),
    [
        ("busy", True, S.PENDING, 0),
        ("setup", True, S.PENDING, 0),
        ("busy", False, S.SUBMITTED, 0),
        ("setup", False, S.SUBMITTED, 0),
        ("torn", True, S.PENDING, 1),
        ("torn", False, S.PENDING, 1),
        ("unpack", True, S.PENDING, 1),
        ("disk", True, S.PENDING, 1),
    ],
)
def test_each_refusal(why: str, first: bool, state: S, refusals: int) -> None:
    _, after = refused(why, first=first)
    assert (after.state, after.refusals) == (state, refusals)
    assert bool(after.attempts) is (state is S.SUBMITTED)
    assert (after.not_before is not None) is (state is S.PENDING)


def test_too_many_refusals_fail_the_job_and_count_against_the_worker() -> None:
    it, after = refused("torn", refusals=1)
    assert after.state is S.FAILED
    assert after.reason == "refused 2 times, last by w0: no"
    assert it.records["w0"].failed_jobs == ("a-000001",)
    _, waits = refused("disk", refusals=9)
    assert waits.state is S.PENDING


def test_a_refused_job_that_is_to_be_cancelled_is_cancelled() -> None:
    assert refused("torn", cancel_requested=True)[1].state is S.CANCELLED


def test_other_verdicts_change_nothing() -> None:
    for verdict in ("now", "again", "underway"):
        it = desk(job("a-000001", S.SUBMITTED, attempt()))
        take(it, launched=(LaunchResult(attempt=A, verdict=verdict),))
        assert not it.jobs
    it = desk(job("a-000001", S.PENDING))
    take(it, launched=(LaunchResult(attempt=A, verdict="refused", why="torn"),))
    assert not it.jobs


# --- failures in a row


def test_failures_of_different_jobs_quarantine_a_worker() -> None:
    record = seen("w0", failed_jobs=("x-000001",))
    it = desk(job("a-000001", S.RUNNING, attempt()), record=record)
    failed = Sighting(attempt=A, phase="ended", how="exited", exit_code=1)
    take(it, sightings=(failed,), landed=HOME)
    after = it.records["w0"]
    assert after.quarantined_until == NOW + SETTINGS.quarantine.first
    assert EventKind.WORKER_QUARANTINED in [event.kind for event in it.events]
    same = desk(job("a-000001", S.RUNNING, attempt()), record=seen("w0", failed_jobs=("a-000001",)))
    take(same, sightings=(failed,), landed=HOME)
    assert same.records["w0"].quarantined_until is None


def test_a_success_clears_the_slate_and_a_cancel_does_not_count() -> None:
    record = seen("w0", failed_jobs=("x-000001",), quarantines=3)
    it = desk(job("a-000001", S.RUNNING, attempt()), record=record)
    take(it, sightings=(Sighting(attempt=A, phase="ended", **ENDED),), landed=HOME)
    assert it.records["w0"].failed_jobs == ()
    assert it.records["w0"].quarantines == 0
    it = desk(job("a-000001", S.RUNNING, attempt(), cancel_requested=True), record=record)
    killed = Sighting(attempt=A, phase="ended", how="cancelled")
    take(it, sightings=(killed,), landed=HOME)
    assert it.records["w0"].failed_jobs == ("x-000001",)


def test_failures_noted_stay_few() -> None:
    never = replace(SETTINGS, quarantine_after=0)
    record = seen("w0", failed_jobs=("x-000001",))
    it = desk(job("a-000001", S.RUNNING, attempt()), record=record, settings=never)
    failed = Sighting(attempt=A, phase="ended", how="exited", exit_code=1)
    take(it, sightings=(failed,), landed=HOME)
    assert it.records["w0"].failed_jobs == ("a-000001",)
    assert it.records["w0"].quarantined_until is None


def test_retries_back_off_with_jitter() -> None:
    def waited(name: str) -> timedelta:
        it = desk(job("a-000001", S.RUNNING, attempt(name), retries=3, failures=1))
        failed = Sighting(attempt=name, phase="ended", how="exited", exit_code=1)
        after = take(it, sightings=(failed,), landed={name: ()})
        assert after.state is S.PENDING
        assert after.failures == 2
        assert after.not_before is not None
        return after.not_before - NOW

    waits = [waited(f"a00000000{number}") for number in range(5)]
    assert all(timedelta(seconds=60) <= wait < timedelta(seconds=72) for wait in waits)
    assert len(set(waits)) > 1


# --- what is left of ended attempts


def tidied(remains: Remains, **parts: Any) -> Attempt:
    ended = over(remains=remains, released=False)
    it = desk(job("a-000001", S.FAILED, ended))
    return take(it, **parts).attempts[0]


def test_tidying_is_noted_when_it_was_done() -> None:
    released = tidied(Remains.KEPT, released=(A,))
    assert released.released
    cleaned = tidied(Remains.UNWANTED, cleaned=(A,))
    assert cleaned.remains is Remains.GONE
    dead = tidied(Remains.ABANDONED, discarded=((A, "dead"),))
    assert (dead.remains, dead.released) == (Remains.KEPT, True)
    assert dead.keep_until == NOW + SETTINGS.keep_failed
    assert tidied(Remains.ABANDONED, discarded=((A, "alive"),)).remains is Remains.ABANDONED
    assert tidied(Remains.KEPT, cleaned=("zzz",)).remains is Remains.KEPT


def test_tidying_never_touches_an_open_attempt() -> None:
    it = desk(job("a-000001", S.RUNNING, over("a000000009"), attempt()))
    take(it, cleaned=(A,), released=(A,), discarded=((A, "dead"),))
    assert not it.jobs


# --- jobs of others


def test_a_job_of_others_from_inbox_to_home() -> None:
    theirs = job("a-000001", S.SUBMITTED, attempt(), origin=Origin.EXTERNAL)
    running = take(desk(theirs), externals=(ExternalSighting(name="a-000001", in_inbox=True),))
    assert running.state is S.RUNNING
    gone = ExternalSighting(name="a-000001", in_inbox=False)
    same = desk(running)
    take(same, externals=(ExternalSighting(name="a-000001", in_inbox=True),))
    assert not same.jobs
    settling = take(desk(running), externals=(gone,))
    assert settling.state is S.SETTLING
    assert settling.attempts[0].ended_at == NOW
    assert take(desk(settling), externals=(gone,), landed={A: ()}).state is S.SETTLING
    assert take(desk(settling), externals=(gone,), landed=HOME).state is S.COMPLETED
    nobody = desk(settling)
    take(nobody, externals=(ExternalSighting(name="else", in_inbox=False),))
    assert not nobody.jobs


def test_troubles_are_told_of_their_jobs() -> None:
    it = desk(job("a-000001", S.RUNNING, attempt()))
    take(it, troubles=((A, "packing failed"), ("", "receiving failed")))
    assert [(event.job, event.reason) for event in it.events] == [
        ("a-000001", "packing failed"),
        (None, "receiving failed"),
    ]
