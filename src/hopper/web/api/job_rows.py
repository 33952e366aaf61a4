"""Jobs in lists: from the job itself where it is live, else from its row."""

from __future__ import annotations

from hopper.documents.jobs import job_document
from hopper.documents.values import Json, iso
from hopper.web.following.rows import CLUSTER, JobRow
from hopper.web.following.state import Following


def brief(following: Following, row: JobRow) -> Json:
    """Return a job as lists tell it."""
    job = following.job(row.id) if row.origin != CLUSTER else None
    if job is None:
        return row_document(row)
    attempt = job.open_attempt
    record = following.store.workers.get(attempt.worker) if attempt is not None else None
    return job_document(job, record)


def row_document(row: JobRow) -> Json:
    """Return the same of a job of which there is only a row; what that does not know is null."""
    array, dot, index = row.array.rpartition(".")
    return {
        "id": row.id,
        "name": row.name,
        "state": row.state,
        "reason": row.reason,
        "held": row.held,
        "external": row.origin in {CLUSTER, "external"},
        "cancel_requested": row.cancelling,
        "priority": row.priority,
        "tags": sorted(row.tags),
        "gpus": row.gpus,
        "time_limit_seconds": row.time_limit,
        "after": None,
        "submitted_at": iso(row.submitted_at),
        "state_since": iso(row.state_since),
        "not_before": iso(row.not_before),
        "attempts": row.attempts,
        "worker": row.worker or None,
        "backend": row.backend or None,
        "run": row.run or None,
        "task": row.task or None,
        "native_id": row.native_id or None,
        "array": {"id": array, "index": int(index)} if dot and index.isdecimal() else None,
        "node": row.node or None,
        "started_at": iso(row.started_at),
        "ended_at": iso(row.ended_at),
        "exit_code": row.exit_code,
        "no_contact_since": None,
    }
