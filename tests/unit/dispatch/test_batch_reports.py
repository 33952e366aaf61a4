"""What login nodes report, and what becomes of the jobs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hopper.dispatch.batch_orders import ME
from hopper.dispatch.batch_reports import reconcile_batch
from hopper.dispatch.batch_sightings import ACCOUNTING_PATIENCE, Answered
from hopper.dispatch.book import Book
from hopper.dispatch.contact import NEEDS_LOGIN
from hopper.dispatch.desk import Desk
from hopper.dispatch.settings import LOGIN_BACK_OFF, PolicySettings
from hopper.model.attempt import Outcome, Remains
from hopper.model.backend import ClusterRecord, ExternalJob
from hopper.model.batch import (
    BatchReport,
    Said,
    SideSighting,
)
from hopper.model.event import EventKind
from hopper.model.native import BatchReading, Cause, ClusterInfo, NativePhase, NativeSighting
from hopper.model.states import JobState
from hopper.model.task import Usage
from tests.unit.dispatch.reported import (
    AT,
    EPOCH,
    ORDER,
    SYSTEMS,
    native,
    newest,
    side,
    there,
    told,
)
from tests.unit.dispatch.situations import NOW, later, over
from tests.unit.dispatch.test_submissions import batch_job

# Its own word


def test_a_script_that_ended_well_completes_at_once() -> None:
    job, desk = told(there(JobState.SUBMITTED), sides=(side(0),))
    assert job.state is JobState.COMPLETED
    ended = newest(job)
    assert (ended.outcome, ended.exit_code) == (Outcome.COMPLETED, 0)
    assert ended.remains is Remains.UNWANTED
    assert [result.name for result in ended.results] == ["stdout.log"]
    moves = [e.data["to"] for e in desk.events if e.kind is EventKind.JOB_STATE]
    assert moves == ["running", "settling", "completed"]


def test_it_has_not_completed_before_its_files_are_home() -> None:
    job, _ = told(there(), sides=(side(0),), landed=False)
    assert job.state is JobState.SETTLING
    assert newest(job).ending is Outcome.COMPLETED
    job, _ = told(job, sides=(side(0),))
    assert job.state is JobState.COMPLETED


def test_a_failure_waits_for_the_accounting_to_tell_why() -> None:
    job, _ = told(there(), sides=(side(137),))
    assert job.state is JobState.SETTLING
    assert newest(job).ending is None
    oom = native(NativePhase.ENDED, cause=Cause.OOM, elapsed_seconds=5.0, cpus=1)
    job, _ = told(job, sides=(side(137),), reading=BatchReading(jobs=(oom,), queue_seen=True))
    assert job.state is JobState.FAILED
    assert newest(job).outcome is Outcome.OUT_OF_MEMORY
    assert newest(job).usage == Usage(elapsed_seconds=5.0, cpus=1)
    assert newest(job).remains is Remains.KEPT


@pytest.mark.parametrize("reading", [BatchReading(accounting=False), BatchReading()])
def test_it_does_not_wait_for_ever(reading: BatchReading) -> None:
    now = NOW if not reading.accounting else later(60)
    job, _ = told(there(), sides=(side(3),), reading=reading, now=now)
    assert (job.state, newest(job).exit_code) == (JobState.FAILED, 3)
    assert job.reason == "exit code 3"


def test_a_time_limit_that_the_machine_itself_kept() -> None:
    job, _ = told(there(), sides=(side(143, how="timeout"),), reading=BatchReading())
    assert newest(job).outcome is Outcome.TIMED_OUT


# The system's word


@pytest.mark.parametrize(
    ("sighting", "outcome"),
    [
        ({"cause": Cause.TIMEOUT}, Outcome.TIMED_OUT),
        ({"cause": Cause.NODE_FAIL, "reason": "NodeDown"}, Outcome.NODE_FAILED),
        ({"cause": Cause.CANCELLED}, Outcome.FAILED),
        ({"cause": Cause.FAILED, "exit_code": 1}, Outcome.FAILED),
        ({"succeeded": True, "exit_code": 0}, Outcome.COMPLETED),
        ({}, Outcome.FAILED),
    ],
)
def test_the_accounting_ends_what_told_no_end(sighting: dict[str, Any], outcome: Outcome) -> None:
    reading = BatchReading(jobs=(native(NativePhase.ENDED, **sighting),), queue_seen=True)
    job, _ = told(there(), sides=(side(),), reading=reading)
    assert newest(job).outcome is outcome


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({}, "ended without an exit code: chdir: no such folder"),
        ({"out_bytes": 5}, "ended without an exit code"),
    ],
)
def test_the_systems_own_words_where_nothing_else_is_known(
    parts: dict[str, Any], reason: str
) -> None:
    reading = BatchReading(jobs=(native(NativePhase.ENDED, cause=Cause.FAILED),), queue_seen=True)
    words = ((AT, "chdir: no such folder\n"),)
    job, _ = told(there(), sides=(side(**parts),), reading=reading, words=words)
    assert (job.state, job.reason) == (JobState.FAILED, reason)


def test_a_cancel_that_was_asked_for() -> None:
    reading = BatchReading(jobs=(native(NativePhase.ENDED, cause=Cause.CANCELLED),))
    job, _ = told(there(cancel_requested=True), sides=(side(),), reading=reading)
    assert (job.state, newest(job).outcome) == (JobState.CANCELLED, Outcome.CANCELLED)


def test_running_and_waiting() -> None:
    queued = BatchReading(jobs=(native(NativePhase.QUEUED, reason="Priority"),), queue_seen=True)
    waiting = SideSighting(attempt=AT)
    job, _ = told(there(JobState.SUBMITTED), sides=(waiting,), reading=queued, landed=False)
    assert (job.state, newest(job).waits_for) == (JobState.SUBMITTED, "Priority")
    running = BatchReading(jobs=(native(NativePhase.RUNNING),), queue_seen=True)
    job, _ = told(job, sides=(waiting,), reading=running, landed=False)
    assert (job.state, newest(job).waits_for) == (JobState.RUNNING, "")


def test_what_was_killed_holding_more_than_it_was_given_ran_out_of_memory() -> None:
    for peak, outcome in ((5 * 1024**3, Outcome.OUT_OF_MEMORY), (1024**3, Outcome.FAILED)):
        killed = native(NativePhase.ENDED, cause=Cause.FAILED, peak_memory=peak)
        reading = BatchReading(jobs=(killed,), queue_seen=True, accounting_seen=True)
        job, _ = told(there(), sides=(side(),), reading=reading)
        assert newest(job).outcome is outcome
        other = replace(killed, exit_code=3)
        job, _ = told(there(), sides=(side(),), reading=replace(reading, jobs=(other,)))
        assert newest(job).outcome is Outcome.FAILED


def test_of_what_was_killed_the_accounting_is_heard_first() -> None:
    killed = native(NativePhase.ENDED, cause=Cause.FAILED, ended_at=EPOCH)
    reading = BatchReading(jobs=(killed,), queue_seen=True)
    job, _ = told(there(), sides=(side(),), reading=reading)
    assert newest(job).ending is None
    job, _ = told(there(), sides=(side(),), reading=replace(reading, accounting=False))
    assert newest(job).outcome is Outcome.FAILED
    late = NOW + ACCOUNTING_PATIENCE + timedelta(seconds=1)
    job, _ = told(there(), sides=(side(),), reading=reading, now=late)
    assert newest(job).outcome is Outcome.FAILED


# No word


def test_leaving_the_queue_ends_nothing() -> None:
    job, _ = told(there(), sides=(side(),), landed=False)
    assert job.state is JobState.SETTLING
    assert newest(job).ending is None


@pytest.mark.parametrize(
    "reading",
    [BatchReading(), BatchReading(trouble="slurm_load_jobs error: Unable to contact")],
)
def test_a_queue_that_does_not_answer_says_nothing(reading: BatchReading) -> None:
    before = there(attempt={"started_at": later(-9)})
    job, desk = told(before, sides=(side(),), reading=reading, landed=False)
    assert job.state is JobState.RUNNING
    troubles = [e.reason for e in desk.events if e.kind is EventKind.TROUBLE]
    assert troubles == ([reading.trouble] if reading.trouble else [])


def test_no_contact_changes_no_job() -> None:
    job, desk = told(there(), error="ssh: connect to host h: No route", sides=(side(0),))
    assert job == there()
    record = desk.record("cl")
    assert record.no_contact_since == NOW
    assert not record.contact_error.startswith(NEEDS_LOGIN)


def test_a_refused_login_is_not_tried_again_soon() -> None:
    _, desk = told(there(), error="x@h: Permission denied (keyboard-interactive).")
    record = desk.record("cl")
    assert record.contact_error.startswith(NEEDS_LOGIN)
    assert record.contact_not_before == NOW + LOGIN_BACK_OFF.first


def test_a_process_group_that_is_gone() -> None:
    job, _ = told(there(), sides=(side(alive=False),), reading=BatchReading(accounting=False))
    assert newest(job).outcome is Outcome.VANISHED
    job, _ = told(
        there(), sides=(side(alive=True),), reading=BatchReading(accounting=False), landed=False
    )
    assert job.state is JobState.RUNNING


# Afterwards


def test_the_accounting_tells_of_an_end_long_known() -> None:
    done = over(AT, "cl", native_id="7", outcome=Outcome.COMPLETED)
    before = batch_job("a-000001", JobState.COMPLETED, done)
    figures = native(
        NativePhase.ENDED, succeeded=True, cpu_seconds=3.0, elapsed_seconds=4.0, cpus=2,
        peak_memory=1000, node="n1",
    )  # fmt: skip
    job, _ = told(before, reading=BatchReading(jobs=(figures,)))
    assert newest(job).usage == Usage(
        cpu_seconds=3.0, elapsed_seconds=4.0, cpus=2, peak_memory=1000, node="n1"
    )
    job, _ = told(before, reading=BatchReading(accounting=False))
    assert newest(job).usage == Usage()
    job, _ = told(before, reading=BatchReading())
    assert newest(job).usage is None


def test_the_jobs_of_others_are_remembered_and_ours_are_not_among_them() -> None:
    mine = native(NativePhase.RUNNING, name="a.b000000001")
    long_over = NativeSighting(native_id="3", phase=NativePhase.ENDED, name="w.b.b000000009")
    other = NativeSighting(native_id="9", phase=NativePhase.RUNNING, name="train", user="eve")
    info = ClusterInfo(nodes=2)
    reading = BatchReading(jobs=(mine, long_over, other), others_seen=True, info=info)
    desk = Desk(book=Book([there()]), settings=PolicySettings(), now=NOW)
    answered = Answered(
        order=ORDER,
        report=BatchReport(
            order="o",
            host="cl",
            at=EPOCH,
            answers=(("me", Said(code=0, stdout="eve\n", stderr="")),),
        ),
        reading=reading,
        landed={},
        others=True,
    )
    reconcile_batch(desk, answered, SYSTEMS)
    [record] = desk.changes().clusters
    assert record == ClusterRecord(name="cl", seen_at=NOW, info=info, others_count=1)
    [kept] = desk.changes().externals
    assert (kept.id, kept.name, kept.user, kept.first_seen) == ("cl/9", "train", "eve", NOW)
    _, desk = told(there(), reading=BatchReading(trouble="down"))
    assert desk.changes().clusters == ()


def test_where_the_jobs_of_others_were_not_told_none_is_gone() -> None:
    known = ExternalJob(
        id="cl/9", backend="cl", native_id="9", first_seen=NOW, phase=NativePhase.RUNNING
    )
    clusters = {"cl": ClusterRecord(name="cl", seen_at=NOW, others_count=1)}
    desk = Desk(
        book=Book([there()], clusters=clusters, externals={known.id: known}),
        settings=PolicySettings(),
        now=later(60),
    )
    info = ClusterInfo(nodes=2)
    answered = Answered(
        order=ORDER,
        report=BatchReport(order="o", host="cl", at=EPOCH),
        reading=BatchReading(queue_seen=True, info=info),
        landed={},
        others=True,
    )
    reconcile_batch(desk, answered, SYSTEMS)
    assert desk.changes().externals == ()
    assert desk.changes().clusters == (replace(clusters["cl"], info=info),)


def test_troubles_are_told_with_their_job() -> None:
    _, desk = told(there(), troubles=((AT, "packing the outputs: tar"), ("", "odd")))
    troubles = [(e.job, e.reason) for e in desk.events if e.kind is EventKind.TROUBLE]
    assert troubles == [("a-000001", "packing the outputs: tar"), (None, "odd")]


def test_whether_the_batch_system_answers_is_remembered_until_it_is_asked_again() -> None:
    desk = Desk(book=Book([there()]), settings=PolicySettings(), now=NOW)
    asking = replace(ORDER, queries=(ME,))
    silent = BatchReading(trouble="squeue: down")
    steps = [(asking, silent), (ORDER, BatchReading()), (asking, BatchReading(queue_seen=True))]
    seen = []
    for order, reading in steps:
        report = BatchReport(order="o", host="cl", at=EPOCH)
        answered = Answered(order=order, report=report, reading=reading, landed={})
        reconcile_batch(desk, answered, SYSTEMS)
        seen.append(desk.record("cl").unready)
    assert seen == ["squeue: down", "squeue: down", ""]
