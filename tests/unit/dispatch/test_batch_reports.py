"""What login nodes report, and what becomes of the jobs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hopper.backends.systems import Systems
from hopper.config.backends import Backend, Ssh
from hopper.dispatch.batch_orders import ME
from hopper.dispatch.batch_reports import reconcile_batch
from hopper.dispatch.batch_sightings import ACCOUNTING_PATIENCE, Answered
from hopper.dispatch.book import Book
from hopper.dispatch.contact import NEEDS_LOGIN
from hopper.dispatch.desk import Desk
from hopper.dispatch.settings import LOGIN_BACK_OFF, PolicySettings
from hopper.model.attempt import Attempt, Outcome, Remains, ResultFile
from hopper.model.backend import ClusterRecord, ExternalJob
from hopper.model.batch import (
    BatchOrder,
    BatchReport,
    Said,
    SideSighting,
    SubmitResult,
    Submitted,
)
from hopper.model.event import EventKind
from hopper.model.job import Job
from hopper.model.native import BatchReading, Cause, ClusterInfo, NativePhase, NativeSighting
from hopper.model.states import JobState
from hopper.model.task import Usage
from tests.unit.dispatch.situations import NOW, attempt, later, over
from tests.unit.dispatch.test_submissions import batch_job

AT = "b000000001"
ORDER = BatchOrder(id="o", host="cl", backend="cl")
SYSTEMS = Systems(
    [Backend(name="cl", type="slurm", ssh=Ssh(host="h"))], Path("/templates"), Path("/scripts")
)
HOME = {AT: (ResultFile(name="stdout.log", size=1, sha256="ab"),)}
EPOCH = NOW.timestamp()


def there(state: JobState = JobState.RUNNING, native: str = "7", **parts: Any) -> Job:
    held = attempt(AT, "cl", native_id=native, **parts.pop("attempt", {}))
    return batch_job("a-000001", state, held, **parts)


def side(code: int | None = None, **parts: Any) -> SideSighting:
    ended = None if code is None else EPOCH
    return SideSighting(
        attempt=AT, native="7", started_at=EPOCH - 9, exit_code=code, ended_at=ended, **parts
    )


def native(phase: NativePhase, **parts: Any) -> NativeSighting:
    return NativeSighting(native_id="7", phase=phase, **parts)


def told(
    job: Job,
    *,
    sides: tuple[SideSighting, ...] = (),
    landed: bool = True,
    reading: BatchReading | None = None,
    now: Any = NOW,
    **report: Any,
) -> tuple[Job, Desk]:
    desk = Desk(book=Book([job]), settings=PolicySettings(), now=now)
    answered = Answered(
        order=ORDER,
        report=BatchReport(order="o", host="cl", at=EPOCH, sides=sides, **report),
        reading=reading or BatchReading(queue_seen=True),
        landed=HOME if landed else {},
    )
    reconcile_batch(desk, answered, SYSTEMS)
    return desk.job(job.id), desk


def newest(job: Job) -> Attempt:
    assert job.attempt is not None
    return job.attempt


# Not taken for now


def refused(words: str) -> SubmitResult:
    said = Said(code=1, stdout="", stderr=words)
    return SubmitResult(attempt=AT, verdict=Submitted.NOW, said=said)


def test_a_limit_on_jobs_makes_the_job_wait_and_costs_nothing() -> None:
    before = there(JobState.SUBMITTED, native="")
    job, desk = told(before, submitted=(refused("sbatch: error: AssocMaxSubmitJobLimit\n"),))
    assert (job.state, job.failures, job.not_before) == (JobState.PENDING, 0, None)
    assert job.reason == "cl takes no more jobs for now: sbatch: error: AssocMaxSubmitJobLimit"
    assert desk.full == {"cl"}
    assert newest(job).remains is Remains.UNWANTED
    # The next time, what is left of this one is forgotten once it is gone.
    gone = replace(newest(job), remains=Remains.GONE)
    again = replace(
        job.with_attempt(gone),
        state=JobState.SUBMITTED,
        attempts=(replace(gone, id="b000000009"), replace(newest(before), number=2)),
    )
    job, _ = told(again, submitted=(refused("QOSMaxSubmitJobPerUserLimit"),))
    assert [attempt.id for attempt in job.attempts] == [AT]


def test_why_it_is_not_submitted_yet_is_told_until_it_is() -> None:
    words = "sbatch: error: Unable to contact slurm controller\n (connect failure)"
    job, _ = told(there(JobState.SUBMITTED, native=""), submitted=(refused(words),))
    assert newest(job).waits_for == f"not submitted yet: {' '.join(words.split())}"
    said = Said(code=0, stdout="12\n", stderr="")
    taken = SubmitResult(attempt=AT, verdict=Submitted.NOW, said=said)
    job, _ = told(job, submitted=(taken,))
    assert (newest(job).native_id, newest(job).waits_for) == ("12", "")


def test_one_that_is_to_be_cancelled_does_not_wait() -> None:
    before = there(JobState.SUBMITTED, native="", cancel_requested=True)
    job, _ = told(before, submitted=(refused("AssocMaxSubmitJobLimit"),))
    assert job.state is JobState.CANCELLED


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


# Submissions


def submitted(verdict: Submitted, code: int = 0, out: str = "", err: str = "") -> SubmitResult:
    return SubmitResult(attempt=AT, verdict=verdict, said=Said(code=code, stdout=out, stderr=err))


@pytest.mark.parametrize("verdict", [Submitted.NOW, Submitted.AGAIN, Submitted.FOUND])
def test_the_native_id_is_kept(verdict: Submitted) -> None:
    before = there(JobState.SUBMITTED, "")
    job, desk = told(before, submitted=(submitted(verdict, out="42\n"),))
    assert newest(job).native_id == "42"
    [event] = [e for e in desk.events if e.kind is EventKind.SUBMITTED_AS]
    assert event.data["native"] == "42"
    again, desk = told(job, submitted=(submitted(Submitted.AGAIN, out="42\n"),))
    assert again == job
    assert not [e for e in desk.events if e.kind is EventKind.SUBMITTED_AS]


def test_a_refusal_fails_the_job_in_the_systems_words() -> None:
    words = "sbatch: error: Batch job submission failed: Invalid account\n"
    job, _ = told(
        there(JobState.SUBMITTED, "", retries=3),
        submitted=(submitted(Submitted.NOW, 1, err=words),),
    )
    assert job.state is JobState.FAILED
    assert "Invalid account" in job.reason


def test_no_place_for_the_script() -> None:
    job, _ = told(
        there(JobState.SUBMITTED, ""),
        submitted=(submitted(Submitted.REFUSED, 1, err="no folder can be made in /x\n"),),
    )
    assert job.state is JobState.FAILED
    assert "/x" in job.reason


@pytest.mark.parametrize(
    "result",
    [
        submitted(Submitted.UNDERWAY, out="42\n"),
        submitted(Submitted.NOW, 124),
        submitted(
            Submitted.NOW, 1, err="sbatch: error: Unable to contact slurm controller (connect)\n"
        ),
    ],
)
def test_what_is_not_known_to_be_refused_is_tried_again(result: SubmitResult) -> None:
    before = there(JobState.SUBMITTED, "")
    job, _ = told(before, submitted=(result,))
    assert (job.state, newest(job).native_id) == (JobState.SUBMITTED, "")


def test_a_withdrawn_attempt_never_ran() -> None:
    job, _ = told(there(JobState.SUBMITTED, "", cancel_requested=True), withdrawn=(AT,))
    assert (job.state, newest(job).outcome) == (JobState.CANCELLED, Outcome.CANCELLED)


def test_what_was_given_up_is_cancelled_there_and_cleaned() -> None:
    given_up = over(AT, "cl", native_id="7", remains=Remains.ABANDONED, usage=Usage())
    before = batch_job("a-000001", JobState.FAILED, given_up)
    job, _ = told(before, cancelled=((AT, Said(code=0, stdout="", stderr="")),))
    assert newest(job).remains is Remains.UNWANTED
    job, _ = told(before, withdrawn=(AT,))
    assert newest(job).remains is Remains.UNWANTED
    job, _ = told(job, cleaned=(AT,))
    assert newest(job).remains is Remains.GONE


def test_a_refused_cancel_is_told() -> None:
    said = Said(code=1, stdout="", stderr="scancel: error: Access denied\n")
    _, desk = told(there(cancel_requested=True), cancelled=((AT, said),))
    [event] = [e for e in desk.events if e.kind is EventKind.TROUBLE]
    assert "Access denied" in event.reason


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
