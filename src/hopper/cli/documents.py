"""The JSON that commands print: stable keys, times ISO 8601 in UTC, sizes in bytes."""

from __future__ import annotations

from datetime import datetime

from hopper.dispatch.overview import Overview, WorkerView
from hopper.model.attempt import Attempt
from hopper.model.job import Job
from hopper.model.worker import WorkerRecord

Json = dict[str, object]


def iso(moment: datetime | None) -> str | None:
    """Return a time as JSON has it."""
    return moment.isoformat() if moment is not None else None


def job_document(job: Job, record: WorkerRecord | None = None) -> Json:
    """Return a job in one flat object. ``record`` is that of the worker that it is on."""
    attempt = job.attempt
    needs = job.spec.requirements
    limit = needs.time_limit
    return {
        "id": job.id,
        "name": job.name,
        "state": str(job.state),
        "reason": job.reason,
        "held": job.held,
        "external": job.origin == "external",
        "cancel_requested": job.cancel_requested,
        "priority": job.spec.priority,
        "tags": sorted(needs.tags),
        "gpus": needs.gpus,
        "time_limit_seconds": limit.total_seconds() if limit is not None else None,
        "after": list(job.spec.after),
        "submitted_at": iso(job.submitted_at),
        "state_since": iso(job.state_since),
        "not_before": iso(job.not_before),
        "attempts": len(job.attempts),
        "worker": attempt.worker if attempt is not None else None,
        "backend": job.backend or None,
        "run": job.run or None,
        "task": job.task.id if job.task is not None else None,
        "native_id": attempt.native_id or None if attempt is not None and job.backend else None,
        "array": array_document(attempt),
        "node": attempt.node or None if attempt is not None else None,
        "started_at": iso(attempt.started_at) if attempt is not None else None,
        "ended_at": iso(attempt.ended_at) if attempt is not None else None,
        "exit_code": attempt.exit_code if attempt is not None else None,
        "no_contact_since": iso(record.no_contact_since) if record is not None else None,
    }


def array_document(attempt: Attempt | None) -> Json | None:
    """Return which member of which job array an attempt is; None where it goes by itself."""
    if attempt is None or not attempt.array:
        return None
    return {"id": attempt.array, "index": attempt.array_index}


def worker_document(view: WorkerView) -> Json:
    """Return how a worker stands."""
    worker, record = view.worker, view.record
    return {
        "name": view.name,
        "state": str(view.standing),
        "detail": view.detail,
        "address": worker.address if worker is not None else None,
        "slots": view.slots,
        "gpus": worker.gpus if worker is not None else None,
        "tags": sorted(worker.tags) if worker is not None else [],
        "jobs": list(view.jobs),
        "last_contact": iso(record.last_contact),
        "no_contact_since": iso(record.no_contact_since),
        "quarantined_until": iso(record.quarantined_until),
        "free_bytes": record.free_bytes,
        "clock_skew_seconds": record.clock_skew,
    }


def overview_document(view: Overview, dispatcher: Json | None) -> Json:
    """Return all of ``hopper status``."""
    records = {worker.name: worker.record for worker in view.workers}

    def document(job: Job) -> Json:
        attempt = job.open_attempt
        return job_document(job, records.get(attempt.worker) if attempt is not None else None)

    return {
        "at": iso(view.at),
        "dispatcher": dispatcher,
        "paused": view.paused,
        "counts": {str(state): count for state, count in view.counts.items()},
        "held": view.held,
        "external": view.external,
        "on_workers": [document(job) for job in view.on_workers],
        "pending": [document(job) for job in view.pending],
        "workers": [worker_document(worker) for worker in view.workers],
    }
