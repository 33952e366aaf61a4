"""Jobs as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hopper.documents.values import Json, iso
from hopper.documents.words import ago
from hopper.model import wire
from hopper.model.attempt import Attempt
from hopper.model.job import Job, Origin
from hopper.model.states import JobState
from hopper.model.worker import WorkerRecord

if TYPE_CHECKING:
    from hopper.dispatch.explain import Explanation


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


def whole_job_document(
    job: Job,
    record: WorkerRecord | None,
    *,
    results: Sequence[Path],
    logs: Mapping[str, Path],
) -> Json:
    """Return all that is known of a job.

    ``record`` is that of the worker that it is on; ``results`` and ``logs`` (by attempt) are
    where at home they lie.
    """
    return {
        **wire.to_json(job),
        "usage": usage_document(job.attempt),
        "no_contact_since": iso(record.no_contact_since) if record is not None else None,
        "result_paths": [str(path) for path in results],
        "logs": {attempt: str(path) for attempt, path in logs.items()},
    }


def explanation_document(job: Job, said: Explanation, log_end: Sequence[str]) -> Json:
    """Return why a job waits, where it is, or why it failed."""
    return {
        "id": job.id,
        "state": str(job.state),
        "headline": said.headline,
        "reasons": list(said.reasons),
        "advice": list(said.advice),
        "position": said.position,
        "log_end": list(log_end),
    }


def array_document(attempt: Attempt | None) -> Json | None:
    """Return which member of which job array an attempt is; None where it goes by itself."""
    if attempt is None or not attempt.array:
        return None
    return {"id": attempt.array, "index": attempt.array_index}


def usage_document(attempt: Attempt | None) -> Json | None:
    """Return what an attempt used, with what follows from it; None where nothing is known."""
    usage = attempt.usage if attempt is not None else None
    if usage is None:
        return None
    return {
        "cpu_efficiency": usage.cpu_efficiency,
        "cpu_hours": usage.cpu_hours,
        "cpu_seconds": usage.cpu_seconds,
        "elapsed_seconds": usage.elapsed_seconds,
        "cpus": usage.cpus,
        "peak_memory": usage.peak_memory,
    }


def remark(job: Job, record: WorkerRecord | None) -> str:
    """Return what is to be said beside a job's state."""
    parts = []
    if record is not None and record.no_contact_since is not None:
        parts.append(f"no contact for {ago(record.no_contact_since)}")
    if job.origin is Origin.EXTERNAL:
        parts.append("external")
    if job.cancel_requested and not job.state.terminal:
        parts.append("being cancelled")
    if job.reason:
        parts.append(job.reason)
    attempt = job.open_attempt
    if attempt is not None and attempt.waits_for and job.state is JobState.SUBMITTED:
        parts.append(attempt.waits_for)
    return ", ".join(parts)
