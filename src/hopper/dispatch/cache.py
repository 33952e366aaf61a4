"""Which jobs take the result of an equal task that is at home already, and how. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hopper.dispatch.book import Book
from hopper.dispatch.desk import Desk
from hopper.dispatch.shelf import Copied, Kept
from hopper.model.attempt import Attempt, Outcome, Remains, TakenFrom
from hopper.model.event import EventKind
from hopper.model.ids import attempt_id_of
from hopper.model.job import Job
from hopper.model.states import JobState
from hopper.model.stored import StoredResult
from hopper.model.task import Usage


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A job that could go now, and the result that it takes instead."""

    job: Job
    stored: StoredResult


def claims(book: Book) -> list[Claim]:
    """Return the jobs that could go now for which there is a result at home."""
    if book.paused or not book.stored:
        return []
    return [
        Claim(job=book.jobs[job_id], stored=book.stored[key])
        for job_id, key in book.takers.items()
        if key in book.stored
    ]


def attempt_id(job: Job, stored: StoredResult) -> str:
    """Return the id of the attempt that takes a result: the same one after a crash."""
    return attempt_id_of(f"{job.id} {len(job.attempts)} {stored.key} {stored.owner}")


def stored_result(job: Job, attempt: Attempt, kept: Kept, desk: Desk) -> StoredResult:
    """Return an attempt's result as equal tasks find it."""
    return StoredResult(
        key=attempt.result_key,
        folder=kept.folder,
        owner=attempt.id,
        job=job.id,
        run=job.run,
        attempt=attempt.made_by,
        worker=attempt.worker,
        manifest=kept.manifest,
        size=kept.size,
        kept_at=desk.now,
    )


def taken(desk: Desk, claim: Claim, attempt: str, copied: Copied) -> None:
    """Complete a job by the result that was copied for it, as that attempt's.

    The next equal task takes it from here: the newest copy stays longest.
    """
    job, stored = desk.job(claim.job.id), claim.stored
    made = Attempt(
        id=attempt,
        number=job.attempt.number + 1 if job.attempt is not None else 1,
        worker=stored.worker,
        intended_at=desk.now,
        ended_at=desk.now,
        ending=Outcome.COMPLETED,
        outcome=Outcome.COMPLETED,
        exit_code=0,
        # Nothing was used: what it had cost is counted where it ran.
        usage=Usage(),
        gathered=True,
        results=copied.results,
        released=True,
        remains=Remains.GONE,
        result_key=stored.key,
        taken_from=TakenFrom(job=stored.job, attempt=stored.attempt, run=stored.run),
    )
    place = f"{stored.job} of {stored.run}" if stored.run else stored.job
    desk.tell(
        EventKind.RESULT_TAKEN,
        job=job.id,
        worker=stored.worker,
        reason=f"from {place}",
        attempt=attempt,
        from_job=stored.job,
        from_run=stored.run,
        from_attempt=stored.attempt,
    )
    job = replace(job.with_attempt(made), not_before=None, failures=0)
    desk.move(job, JobState.COMPLETED, f"its result is that of {place}")
    desk.stored[stored.key] = replace(
        stored, folder=copied.folder, owner=attempt, job=job.id, run=job.run, kept_at=desk.now
    )
