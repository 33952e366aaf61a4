"""What other commands ask of the state, applied by whoever holds its lock. Pure.

Each command is a JSON object with ``do`` and its own keys. The same command taken twice (the
dispatcher was killed before it answered) changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hopper.dispatch.changes import Changes
from hopper.dispatch.desk import Desk
from hopper.dispatch.ports import Arrival
from hopper.dispatch.takeover import take_over
from hopper.errors import UsageError
from hopper.model.attempt import Attempt, Outcome, Remains
from hopper.model.event import EventKind
from hopper.model.job import Job, JobSpec, Origin
from hopper.model.resources import Requirements
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


def apply(desk: Desk, body: Mapping[str, object]) -> Done:
    """Carry out one command on the desk. Raises UsageError for one that makes no sense."""
    act = _ACTS.get(str(body.get("do")))
    if act is None:
        raise UsageError(f"unknown command {body.get('do')!r}")
    return act(desk, dict(body))


def new_job(arrival: Arrival, now: datetime) -> Job:
    """Return the job of a zip that has arrived."""
    return Job(
        id=arrival.job_id,
        spec=arrival.spec,
        state=JobState.PENDING,
        submitted_at=now,
        state_since=now,
        zip_name=arrival.zip_name,
        source_name=arrival.source_name,
        zip_size=arrival.size,
        zip_sha256=arrival.sha256,
        unpacked_size=arrival.unpacked_size,
        remote_name=arrival.job_id,
    )


def enter(desk: Desk, arrival: Arrival) -> Job:
    """Take a zip that has arrived into the state as a job.

    The jobs that it comes after may be named; one that names a job nobody knows has failed.
    """
    job = new_job(arrival, desk.now)
    unknown = []
    if arrival.spec.after:
        found = {reference: before(desk, reference) for reference in arrival.spec.after}
        unknown = [reference for reference, other in found.items() if other is None]
        ids = dict.fromkeys(other or reference for reference, other in found.items())
        job = replace(job, spec=replace(job.spec, after=tuple(ids)))
    desk.put(job)
    desk.tell(EventKind.JOB_SUBMITTED, job=job.id, reason=arrival.source_name)
    if unknown:
        named = ", ".join(repr(reference) for reference in unknown)
        job = desk.move(job, JobState.FAILED, f"there is no job {named} to come after")
    return job


def before(desk: Desk, reference: str) -> str | None:
    """Return the id of the job that is meant: its id, else the newest of that name."""
    if reference in desk.jobs or reference in desk.book.jobs:
        return reference
    named = [
        job for job in (*desk.jobs.values(), *desk.book.jobs.values()) if job.spec.name == reference
    ]
    return max(named, key=lambda job: (job.submitted_at, job.id)).id if named else None


def _jobs(desk: Desk, body: Mapping[str, object]) -> list[Job]:
    ids = body.get("jobs")
    if not isinstance(ids, list) or not ids:
        raise UsageError("no job was named")
    named = list(dict.fromkeys(map(str, ids)))
    unknown = [job_id for job_id in named if job_id not in desk.book.jobs]
    if unknown:
        raise UsageError(f"no job {', '.join(unknown)}", way_out="see 'hopper jobs'")
    return [desk.job(job_id) for job_id in named]


def _each(
    desk: Desk, body: Mapping[str, object], act: Callable[[Desk, Job], str]
) -> dict[str, object]:
    """Carry out an act on each job; a refusal of one is its line in the answer."""
    done: dict[str, str] = {}
    refused: dict[str, str] = {}
    for job in _jobs(desk, body):
        try:
            done[job.id] = act(desk, job)
        except UsageError as error:
            refused[job.id] = str(error)
    return {"done": done, "refused": refused}


# --- submit


def _submit(desk: Desk, body: dict[str, object]) -> Done:
    arrival = arrival_from_json(body)
    if arrival.job_id not in desk.book.jobs:
        job = enter(desk, arrival)
        if body.get("hold") and job.state is JobState.PENDING:
            _hold_one(desk, job)
    job = desk.job(arrival.job_id)
    return Done(answer={"job": job.id, "state": str(job.state), "reason": job.reason})


def arrival_to_json(arrival: Arrival) -> dict[str, object]:
    """Return a hand-in as the keys of a ``submit`` command."""
    spec = arrival.spec
    needs = spec.requirements
    limit = needs.time_limit
    return {
        "job": arrival.job_id,
        "zip_name": arrival.zip_name,
        "source_name": arrival.source_name,
        "size": arrival.size,
        "sha256": arrival.sha256,
        "unpacked_size": arrival.unpacked_size,
        "name": spec.name,
        "priority": spec.priority,
        "tags": sorted(needs.tags),
        "gpus": needs.gpus,
        "time_limit": limit.total_seconds() if limit is not None else None,
        "retries": spec.retries,
        "env": dict(spec.env),
        "results": list(spec.results),
        "after": list(spec.after),
    }


def arrival_from_json(body: Mapping[str, Any]) -> Arrival:
    """Read a hand-in; UsageError where it is none."""
    try:
        limit = body["time_limit"]
        needs = Requirements(
            tags=frozenset(map(str, body["tags"])),
            gpus=int(body["gpus"]),
            time_limit=timedelta(seconds=float(limit)) if limit is not None else None,
        )
        spec = JobSpec(
            name=str(body["name"]),
            priority=int(body["priority"]),
            requirements=needs,
            retries=int(body["retries"]),
            env={str(key): str(value) for key, value in body["env"].items()},
            results=tuple(map(str, body["results"])),
            after=tuple(map(str, body["after"])),
        )
        return Arrival(
            job_id=str(body["job"]),
            spec=spec,
            zip_name=str(body["zip_name"]),
            source_name=str(body["source_name"]),
            size=int(body["size"]),
            sha256=str(body["sha256"]),
            unpacked_size=int(body["unpacked_size"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"that is no job to submit: {error!r}") from error


# --- acts on jobs


def _cancel(desk: Desk, body: dict[str, object]) -> Done:
    places = frozenset(_workers_of(_jobs(desk, body)))
    return Done(answer=_each(desk, body, _cancel_one), look_at=places)


def _cancel_one(desk: Desk, job: Job) -> str:
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


def _requeue(desk: Desk, body: dict[str, object]) -> Done:
    abandon = bool(body.get("abandon"))
    places = frozenset(_workers_of(_jobs(desk, body)))
    answer = _each(desk, body, lambda d, job: _requeue_one(d, job, abandon))
    return Done(answer=answer, look_at=places)


def _requeue_one(desk: Desk, job: Job, abandon: bool) -> str:
    if job.state is JobState.PENDING:
        return "pending"
    if job.origin is Origin.EXTERNAL:
        raise UsageError(f"{job.id} was launched by somebody else; hopper has no zip of it")
    if not job.zip_sha256:
        raise UsageError(f"{job.id}: its zip was refused", way_out="mend it and submit it anew")
    if job.state.terminal:
        desk.move(_fresh(job), JobState.PENDING, "requeued")
        return "pending"
    if not abandon:
        raise UsageError(
            f"{job.id} is {job.state}", way_out="cancel it first, or --abandon what it runs on"
        )
    abandoned(desk, job, "abandoned by a person")
    desk.move(_fresh(desk.job(job.id)), JobState.PENDING, "requeued, the old attempt abandoned")
    return "pending"


def _fresh(job: Job) -> Job:
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


def _hold(desk: Desk, body: dict[str, object]) -> Done:
    return Done(answer=_each(desk, body, _hold_one))


def _hold_one(desk: Desk, job: Job) -> str:
    if job.state is not JobState.PENDING:
        raise UsageError(f"{job.id} is {job.state}; only a pending job can be held")
    if not job.held:
        desk.put(replace(job, held=True))
        desk.tell(EventKind.JOB_HELD, job=job.id)
    return "held"


def _release(desk: Desk, body: dict[str, object]) -> Done:
    return Done(answer=_each(desk, body, _release_one))


def _release_one(desk: Desk, job: Job) -> str:
    if job.held:
        desk.put(replace(job, held=False))
        desk.tell(EventKind.JOB_RELEASED, job=job.id)
    return str(job.state)


def _priority(desk: Desk, body: dict[str, object]) -> Done:
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

    return Done(answer=_each(desk, body, set_priority))


# --- acts on workers and the whole


def _pause(desk: Desk, _: dict[str, object]) -> Done:
    return _set_paused(desk, paused=True)


def _resume(desk: Desk, _: dict[str, object]) -> Done:
    return _set_paused(desk, paused=False)


def _set_paused(desk: Desk, *, paused: bool) -> Done:
    changes = Changes()
    if desk.book.paused is not paused:
        desk.tell(EventKind.DISPATCH_PAUSED if paused else EventKind.DISPATCH_RESUMED)
        changes = Changes(settings={"paused": paused})
    return Done(answer={"paused": paused}, changes=changes)


def _look(desk: Desk, body: dict[str, object]) -> Done:
    """Look at all workers at once, and let those go that are in quarantine or backed off."""
    named = body.get("workers")
    names = list(map(str, named)) if isinstance(named, list) else list(desk.book.records)
    for name in names:
        record = desk.record(name)
        if record.quarantined_until is not None:
            desk.tell(EventKind.WORKER_RELEASED, worker=name, reason="by a person")
        desk.records[name] = replace(
            record,
            quarantined_until=None,
            quarantine_reason="",
            quarantines=0,
            failed_jobs=(),
            contact_not_before=None,
        )
    return Done(answer={"workers": names}, look_at=frozenset(names), everywhere=not named)


def _adopt(desk: Desk, body: dict[str, object]) -> Done:
    """Take over a job that another dispatcher had launched."""
    worker = str(body.get("worker"))
    return Done(answer={"job": take_over(desk, body)}, look_at=frozenset({worker}))


def _workers_of(jobs: list[Job]) -> list[str]:
    return [attempt.worker for job in jobs if (attempt := job.open_attempt) is not None]


_ACTS: dict[str, Callable[[Desk, dict[str, object]], Done]] = {
    "submit": _submit,
    "cancel": _cancel,
    "requeue": _requeue,
    "hold": _hold,
    "release": _release,
    "priority": _priority,
    "pause": _pause,
    "resume": _resume,
    "look": _look,
    "adopt": _adopt,
}
