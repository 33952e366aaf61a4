"""What people ask to be done with jobs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from hopper.dispatch.changes import Changes
from hopper.dispatch.desk import Desk
from hopper.errors import UsageError
from hopper.model.attempt import Attempt, Outcome, Remains
from hopper.model.event import EventKind
from hopper.model.job import Job, Origin
from hopper.model.states import JobState

Answer = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a command came to: the answer, and workers to be looked at at once."""

    answer: Answer
    look_at: frozenset[str] = frozenset()
    everywhere: bool = False
    """All workers are to be looked at."""
    changes: Changes = field(default_factory=Changes)


def named_jobs(desk: Desk, body: Mapping[str, object]) -> list[Job]:
    """Return the jobs that a command names; UsageError for one that nobody knows."""
    ids = body.get("jobs")
    if not isinstance(ids, list) or not ids:
        raise UsageError("no job was named")
    named = list(dict.fromkeys(map(str, ids)))
    unknown = [job_id for job_id in named if job_id not in desk.book.jobs]
    if unknown:
        raise UsageError(f"no job {', '.join(unknown)}", way_out="see 'hopper jobs'")
    return [desk.job(job_id) for job_id in named]


def each(
    desk: Desk, body: Mapping[str, object], act: Callable[[Desk, Job], str]
) -> dict[str, object]:
    """Carry out an act on each job; a refusal of one is its line in the answer."""
    done: dict[str, str] = {}
    refused: dict[str, str] = {}
    for job in named_jobs(desk, body):
        try:
            done[job.id] = act(desk, job)
        except UsageError as error:
            refused[job.id] = str(error)
    return {"done": done, "refused": refused}


def cancel(desk: Desk, body: dict[str, object]) -> Done:
    """Have jobs ended."""
    places = frozenset(workers_of(named_jobs(desk, body)))
    return Done(answer=each(desk, body, cancel_one), look_at=places)


def cancel_one(desk: Desk, job: Job) -> str:
    """Have one job ended; return what becomes of it."""
    if job.state is JobState.CANCELLED or (job.cancel_requested and not job.state.terminal):
        return "cancelled" if job.state is JobState.CANCELLED else "cancelling"
    if job.state.terminal:
        raise UsageError(f"{job.id} is {job.state} already")
    if job.origin is Origin.EXTERNAL:
        raise UsageError(f"{job.id} was launched by somebody else; end it on its worker")
    desk.tell(EventKind.CANCEL_REQUESTED, job=job.id)
    if job.state is JobState.PENDING:
        desk.move(job, JobState.CANCELLED, "cancelled while it waited")
        return "cancelled"
    desk.put(replace(job, cancel_requested=True))
    return "cancelling"


def requeue(desk: Desk, body: dict[str, object]) -> Done:
    """Put jobs back to pending."""
    abandon = bool(body.get("abandon"))
    places = frozenset(workers_of(named_jobs(desk, body)))
    answer = each(desk, body, lambda d, job: requeue_one(d, job, abandon))
    return Done(answer=answer, look_at=places)


def requeue_one(desk: Desk, job: Job, abandon: bool) -> str:
    """Put one job back to pending."""
    if job.state is JobState.PENDING:
        return "pending"
    if job.origin is Origin.EXTERNAL:
        raise UsageError(f"{job.id} was launched by somebody else; hopper has no zip of it")
    if job.task is None and not job.zip_sha256:
        raise UsageError(f"{job.id}: its zip was refused", way_out="mend it and submit it anew")
    if job.state.terminal:
        # Who has a completed job run again does not want what it had left.
        job = replace(job, no_cache=job.no_cache or job.state is JobState.COMPLETED)
        desk.move(fresh(job), JobState.PENDING, "requeued")
        return "pending"
    if not abandon:
        raise UsageError(
            f"{job.id} is {job.state}", way_out="cancel it first, or --abandon what it runs on"
        )
    abandoned(desk, job, "abandoned by a person")
    desk.move(fresh(desk.job(job.id)), JobState.PENDING, "requeued, the old attempt abandoned")
    return "pending"


def fresh(job: Job) -> Job:
    """Return the job as if nothing had been tried with it."""
    return replace(job, failures=0, refusals=0, not_before=None, cancel_requested=False)


def abandoned(desk: Desk, job: Job, reason: str) -> Attempt:
    """Give up an attempt whose worker does not answer; it is killed there once it does."""
    attempt = job.open_attempt
    if attempt is None:
        raise UsageError(f"{job.id} holds no worker")
    attempt = replace(
        attempt,
        outcome=Outcome.ABANDONED,
        reason=reason,
        ended_at=desk.now,
        remains=Remains.ABANDONED,
    )
    desk.put(job.with_attempt(attempt))
    desk.tell(
        EventKind.ATTEMPT_ABANDONED,
        job=job.id,
        worker=attempt.worker,
        reason=reason,
        attempt=attempt.id,
    )
    return attempt


def hold(desk: Desk, body: dict[str, object]) -> Done:
    """Have pending jobs wait for a person."""
    return Done(answer=each(desk, body, hold_one))


def hold_one(desk: Desk, job: Job) -> str:
    """Have one pending job wait for a person."""
    if job.state is not JobState.PENDING:
        raise UsageError(f"{job.id} is {job.state}; only a pending job can be held")
    if not job.held:
        desk.put(replace(job, held=True))
        desk.tell(EventKind.JOB_HELD, job=job.id)
    return "held"


def release(desk: Desk, body: dict[str, object]) -> Done:
    """Have held jobs wait for their turn again."""
    return Done(answer=each(desk, body, _release_one))


def _release_one(desk: Desk, job: Job) -> str:
    if job.held:
        desk.put(replace(job, held=False))
        desk.tell(EventKind.JOB_RELEASED, job=job.id)
    return str(job.state)


def priority(desk: Desk, body: dict[str, object]) -> Done:
    """Give jobs another priority."""
    value = body.get("priority")
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"{value!r} is no priority", way_out="give a whole number")

    def set_priority(desk: Desk, job: Job) -> str:
        if job.state.terminal:
            raise UsageError(f"{job.id} is {job.state}")
        if job.spec.priority != value:
            desk.put(replace(job, spec=replace(job.spec, priority=value)))
            desk.tell(EventKind.JOB_PRIORITY, job=job.id, reason=f"priority {value}")
        return str(value)

    return Done(answer=each(desk, body, set_priority))


def workers_of(jobs: list[Job]) -> list[str]:
    """Return the workers and backends that have the jobs."""
    return [attempt.worker for job in jobs if (attempt := job.open_attempt) is not None]
