"""The jobs of others on clusters as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from hopper.documents.values import Json, iso

if TYPE_CHECKING:
    from hopper.model.backend import ClusterRecord, ExternalJob


def external_document(job: ExternalJob, cluster: ClusterRecord | None) -> Json:
    """Return a job of somebody else's as it was last seen."""
    return {
        "native_id": job.native_id,
        "name": job.name,
        "user": job.user,
        "state": job.word,
        "phase": known_phase(job),
        "partition": job.partition,
        "node": job.node,
        "cpus": job.cpus,
        "submitted_at": iso(job.submitted_at),
        "started_at": iso(job.started_at),
        "first_seen": iso(job.first_seen),
        "last_seen": iso(last_seen_at(job, cluster)),
        "gone_at": iso(job.gone_at),
    }


def known_phase(job: ExternalJob) -> str:
    """Return where a job stands; how one that is gone ended is seldom known."""
    if job.gone_at is not None and job.phase != "ended":
        return "unknown"
    return str(job.phase)


def last_seen_at(job: ExternalJob, cluster: ClusterRecord | None) -> datetime | None:
    """Return when a job was last there; None where that is not known."""
    if job.last_seen is not None:
        return job.last_seen
    return cluster.seen_at if cluster is not None else None
