"""What other commands ask of the state, applied by whoever holds its lock. Pure.

Each command is a JSON object with ``do`` and its own keys. The same command taken twice (the
dispatcher was killed before it answered) changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hopper.dispatch import job_acts, run_acts
from hopper.dispatch.changes import Changes
from hopper.dispatch.desk import Desk
from hopper.dispatch.job_acts import Done
from hopper.dispatch.ports import Arrival
from hopper.dispatch.takeover import take_over
from hopper.errors import UsageError
from hopper.model.event import EventKind
from hopper.model.job import Job, JobSpec
from hopper.model.resources import Requirements
from hopper.model.states import JobState


def apply(desk: Desk, body: Mapping[str, object]) -> Done:
    """Carry out one command on the desk. Raises UsageError for one that makes no sense.

    ``by`` of the body is who asks for it, and stands in each event that comes of it.
    """
    desk.by = str(body.get("by", ""))
    act = _ACTS.get(str(body.get("do")))
    if act is None:
        raise UsageError(f"unknown command {body.get('do')!r}")
    return act(desk, dict(body))


def new_job(arrival: Arrival, now: datetime, user: str = "") -> Job:
    """Return the job of a zip that has arrived, handed in by ``user``."""
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
        backend=arrival.backend,
        remote_name=arrival.job_id,
        user=user,
    )


def enter(desk: Desk, arrival: Arrival) -> Job:
    """Take a zip that has arrived into the state as a job.

    The jobs that it comes after may be named; one that names a job nobody knows has failed.
    """
    job = new_job(arrival, desk.now, desk.by)
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


# --- submit


def _submit(desk: Desk, body: dict[str, object]) -> Done:
    arrival = arrival_from_json(body)
    if arrival.job_id not in desk.book.jobs:
        job = enter(desk, arrival)
        if body.get("hold") and job.state is JobState.PENDING:
            job_acts.hold_one(desk, job)
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
        "cpus": needs.cpus,
        "memory": needs.memory,
        "partition": needs.partition,
        "backend": arrival.backend,
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
            # A command that an older hopper left says nothing of these.
            cpus=_number(body.get("cpus")),
            memory=_number(body.get("memory")),
            partition=str(body.get("partition", "")),
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
            backend=str(body.get("backend", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"that is no job to submit: {error!r}") from error


def _number(value: Any) -> int | None:
    return None if value is None else int(value)


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


NOTED = frozenset(
    {
        EventKind.WORKER_DRAINED,
        EventKind.WORKER_RESUMED,
        EventKind.SOURCE_SYNCED,
        EventKind.TERMINAL_OPENED,
        EventKind.ACCOUNT_CHANGED,
    }
)
"""What a person does beside the dispatcher, and is on record all the same."""


def _note(desk: Desk, body: dict[str, object]) -> Done:
    """Put on record what a person has done beside the dispatcher."""
    kind = next((kind for kind in NOTED if kind == body.get("kind")), None)
    if kind is None:
        raise UsageError(f"{body.get('kind')!r} is nothing to be noted")
    job, worker = body.get("job"), body.get("worker")
    desk.tell(
        kind,
        job=str(job) if job else None,
        worker=str(worker) if worker else None,
        reason=str(body.get("reason", "")),
    )
    return Done(answer={"noted": str(kind)})


Act = Callable[[Desk, dict[str, object]], Done]
_ACTS: dict[str, Act] = {
    "submit": _submit,
    "cancel": job_acts.cancel,
    "requeue": job_acts.requeue,
    "hold": job_acts.hold,
    "release": job_acts.release,
    "priority": job_acts.priority,
    "pause": _pause,
    "resume": _resume,
    "look": _look,
    "note": _note,
    "adopt": _adopt,
    **run_acts.ACTS,
}
