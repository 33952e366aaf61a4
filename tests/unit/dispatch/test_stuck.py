"""Attempts that a batch system has in an error that stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hopper.dispatch.policy import decide
from hopper.model.attempt import Outcome
from hopper.model.batch import SideSighting
from hopper.model.event import EventKind
from hopper.model.job import Job
from hopper.model.native import BatchReading, Cause, NativePhase
from hopper.model.states import JobState
from tests.unit.dispatch.reported import AT, native, newest, there, told
from tests.unit.dispatch.situations import NOW, later
from tests.unit.dispatch.test_submissions import snapshot, visit

WORDS = "in error (Eqw): can't chdir to /x"
SIDE = (SideSighting(attempt=AT),)


def stuck(**parts: Any) -> BatchReading:
    job = native(NativePhase.QUEUED, stuck=True, reason=WORDS, **parts)
    return BatchReading(jobs=(job,), queue_seen=True)


def queued() -> Job:
    return there(JobState.SUBMITTED)


def test_it_is_told_of_once_and_shown() -> None:
    job, desk = told(queued(), sides=SIDE, reading=stuck())
    assert (job.state, newest(job).waits_for) == (JobState.SUBMITTED, WORDS)
    assert [e.reason for e in desk.events if e.kind is EventKind.TROUBLE] == [WORDS]
    assert (newest(job).stuck_since, newest(job).given_up) == (NOW, "")
    again, desk = told(job, sides=SIDE, reading=stuck(), now=later(60))
    assert newest(again).stuck_since == NOW
    assert not [e for e in desk.events if e.kind is EventKind.TROUBLE]


def test_it_is_given_up_after_a_while_or_at_once() -> None:
    job, _ = told(queued(), sides=SIDE, reading=stuck())
    patient, _ = told(job, sides=SIDE, reading=stuck(), now=NOW + timedelta(minutes=14))
    assert not newest(patient).given_up
    tired, _ = told(job, sides=SIDE, reading=stuck(), now=NOW + timedelta(minutes=16))
    assert newest(tired).given_up == WORDS
    at_once, _ = told(queued(), sides=SIDE, reading=stuck(hopeless=True))
    assert newest(at_once).given_up == WORDS
    assert at_once.state is JobState.SUBMITTED, "it is there until it has left"


def test_what_is_given_up_is_cancelled() -> None:
    job, _ = told(queued(), sides=SIDE, reading=stuck())
    looked = visit(decide(snapshot([job], looks_due={"cl"}), NOW))
    assert looked is not None
    assert looked.cancels == ()
    job, _ = told(job, sides=SIDE, reading=stuck(hopeless=True))
    looked = visit(decide(snapshot([job], looks_due={"cl"}), NOW))
    assert looked is not None
    assert (looked.cancels, looked.follows) == ((job.id,), (job.id,))


def test_a_person_may_clear_it() -> None:
    job, _ = told(queued(), sides=SIDE, reading=stuck())
    waiting = BatchReading(jobs=(native(NativePhase.QUEUED),), queue_seen=True)
    job, _ = told(job, sides=SIDE, reading=waiting)
    assert newest(job).stuck_since is None
    job, _ = told(job, sides=SIDE, reading=stuck(), now=NOW + timedelta(minutes=16))
    assert not newest(job).given_up


def test_it_fails_once_it_has_left() -> None:
    job, _ = told(queued(), sides=SIDE, reading=stuck(hopeless=True))
    unseen, _ = told(job, sides=SIDE, reading=BatchReading())
    assert not unseen.state.terminal
    over = native(NativePhase.ENDED, cause=Cause.FAILED, reason="failed 26")
    for reading in (BatchReading(queue_seen=True), BatchReading(jobs=(over,), queue_seen=True)):
        ended, _ = told(job, sides=SIDE, reading=reading)
        assert ended.state is JobState.FAILED
        assert newest(ended).outcome is Outcome.FAILED
        assert ended.reason == f"the cluster could not start it: {WORDS}"


def test_what_ran_after_all_ends_as_it_did() -> None:
    job, _ = told(queued(), sides=SIDE, reading=stuck(hopeless=True))
    epoch = NOW.timestamp()
    side = SideSighting(attempt=AT, started_at=epoch, exit_code=0, ended_at=epoch)
    job, _ = told(job, sides=(side,), reading=BatchReading(queue_seen=True))
    assert job.state is JobState.COMPLETED


def test_a_cancelled_attempt_that_never_started_has_ended_soon_after_it_left() -> None:
    """Grid Engine's accounting never tells of such a job."""
    left = BatchReading(queue_seen=True, accounting_seen=True)
    job, _ = told(queued(), sides=SIDE, reading=left)
    assert job.state is JobState.SETTLING
    cancelled = replace(job, cancel_requested=True)
    soon, _ = told(cancelled, sides=SIDE, reading=left, now=later(10))
    assert soon.state is JobState.SETTLING
    blind, _ = told(cancelled, sides=SIDE, reading=BatchReading(), now=later(60))
    assert blind.state is JobState.SETTLING
    ended, _ = told(cancelled, sides=SIDE, reading=left, now=later(60))
    assert (ended.state, newest(ended).outcome) == (JobState.CANCELLED, Outcome.CANCELLED)
    ran = (SideSighting(attempt=AT, started_at=NOW.timestamp()),)
    unknown, _ = told(cancelled, sides=ran, reading=left, now=later(60))
    assert unknown.state is JobState.SETTLING
    not_asked, _ = told(job, sides=SIDE, reading=left, now=later(60))
    assert not_asked.state is JobState.SETTLING
