"""Which jobs take the result of an equal task that is at home already. Pure.

Two tasks are equal when their own definitions are (``Task.cache_key``), they are for the same
backend, and what they come after was made by the very same attempts: where a task before was run
anew, those after it are run anew too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from hopper.errors import HopperError
from hopper.model.attempt import Attempt, Outcome, Remains, ResultFile, TakenFrom
from hopper.model.event import EventKind
from hopper.model.ids import new_attempt_id
from hopper.model.job import Job
from hopper.model.states import JobState
from hopper.model.stored import StoredResult
from hopper.model.task import Usage

if TYPE_CHECKING:
    from hopper.dispatch.book import Book
    from hopper.dispatch.desk import Desk

FORM = "hopper result 1"
"""Another one makes all older results unequal."""


class ResultGone(HopperError):
    """A stored result is not there any more, or is not what it was."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """Where a result lies, and what of it can be checked."""

    folder: str
    manifest: str
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Copied:
    """A result that was copied for a job."""

    folder: str
    """Where, below ``paths.inbox``."""
    results: tuple[ResultFile, ...]


class Shelf(Protocol):
    """The results at home that equal tasks may take."""

    def keep(self, job: Job, attempt: Attempt) -> Kept | None:
        """Make an attempt's result fit to be taken. None where it is not one that can be."""

    def take(self, job: Job, attempt: str, stored: StoredResult) -> Copied:
        """Copy a result to where the job's own would lie, as that attempt's; may be repeated.

        ResultGone where it is not what it was; another HopperError where it cannot be copied.
        """

    def there(self, stored: StoredResult) -> bool:
        """Return False when a result is gone; its content is not looked at."""


class NoShelf:
    """For those that never see a task end."""

    def keep(self, job: Job, attempt: Attempt) -> Kept | None:  # noqa: ARG002 - the port's names
        """Keep nothing."""
        return None

    def take(self, job: Job, attempt: str, stored: StoredResult) -> Copied:
        """Refuse."""
        raise HopperError(f"no result is taken here ({job.id}, {attempt}, {stored.key})")

    def there(self, stored: StoredResult) -> bool:  # noqa: ARG002 - the port's names
        """Say nothing against it."""
        return True


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A job that could go now, and the result that it takes instead."""

    job: Job
    stored: StoredResult


def result_key(job: Job, jobs: Mapping[str, Job]) -> str:
    """Return the key of a job's result, once all that it comes after has completed.

    Empty for one whose results are not to be kept or taken.
    """
    if job.task is None or not job.task.cache_key:
        return ""
    before = []
    for other_id in job.spec.after:
        other = jobs.get(other_id)
        attempt = other.attempt if other is not None else None
        if attempt is None:
            return ""
        before.append(attempt.made_by)
    parts = [FORM, job.task.cache_key, job.backend, sorted(before)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def to_be_kept(job: Job) -> bool:
    """Return True for a job that has completed by itself, and whose result equal tasks may take."""
    attempt = job.attempt
    return (
        job.state is JobState.COMPLETED
        and attempt is not None
        and bool(attempt.result_key)
        and attempt.taken_from is None
    )


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
    text = f"{job.id} {len(job.attempts)} {stored.key} {stored.owner}"
    number = int.from_bytes(hashlib.sha256(text.encode()).digest())

    def pick(letters: Sequence[str]) -> str:
        nonlocal number
        number, place = divmod(number, len(letters))
        return letters[place]

    return new_attempt_id(pick)


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
