"""What became of submissions, withdrawals and cancels."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hopper.model.attempt import Outcome, Remains
from hopper.model.batch import (
    Said,
    SubmitResult,
    Submitted,
)
from hopper.model.event import EventKind
from hopper.model.states import JobState
from hopper.model.task import Usage
from tests.unit.dispatch.reported import (
    AT,
    newest,
    there,
    told,
)
from tests.unit.dispatch.situations import over
from tests.unit.dispatch.test_submissions import batch_job


def submitted(verdict: Submitted, code: int = 0, out: str = "", err: str = "") -> SubmitResult:
    return SubmitResult(attempt=AT, verdict=verdict, said=Said(code=code, stdout=out, stderr=err))


def refused(words: str) -> SubmitResult:
    return submitted(Submitted.NOW, 1, err=words)


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


# Not taken for now


def test_a_limit_on_jobs_makes_the_job_wait_and_costs_nothing() -> None:
    before = there(JobState.SUBMITTED, native="")
    job, desk = told(
        before,
        submitted=(refused("sbatch: error: AssocMaxSubmitJobLimit\n"),),
    )
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
    taken = submitted(Submitted.NOW, out="12\n")
    job, _ = told(job, submitted=(taken,))
    assert (newest(job).native_id, newest(job).waits_for) == ("12", "")


def test_one_that_is_to_be_cancelled_does_not_wait() -> None:
    before = there(JobState.SUBMITTED, native="", cancel_requested=True)
    job, _ = told(before, submitted=(refused("AssocMaxSubmitJobLimit"),))
    assert job.state is JobState.CANCELLED
