"""Backends, and what they have, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hopper.dispatch.backend_views import BackendView
from hopper.documents.values import Json, iso

if TYPE_CHECKING:
    from hopper.operations.backend_looks import BackendCheck, Elsewhere, Machines


def backend_document(view: BackendView) -> Json:
    """Return how a backend stands."""
    target, record = view.target, view.record
    return {
        "name": view.name,
        "type": target.kind if target is not None else None,
        "host": target.host if target is not None else None,
        "state": str(view.standing),
        "detail": view.detail,
        "paused": view.paused,
        "counts": {str(state): count for state, count in view.counts.items() if count},
        "max_concurrent": target.max_concurrent if target is not None else None,
        "last_contact": iso(record.last_contact),
        "no_contact_since": iso(record.no_contact_since),
        "not_before": iso(record.contact_not_before),
        "free_bytes": record.free_bytes,
        "clock_skew_seconds": record.clock_skew,
    }


def check_document(one: BackendCheck) -> Json:
    """Return what a look at a backend has shown."""
    return {
        "backend": one.backend,
        "ok": one.ok,
        "error": one.error or None,
        "missing": list(one.missing),
        "advice": list(one.advice),
        "free_bytes": one.free_bytes,
        "clock_skew_seconds": one.clock_skew,
        "accounting": one.accounting,
    }


def native_job_document(one: Elsewhere) -> Json:
    """Return a job that a cluster has now."""
    seen = one.seen
    return {
        "native_id": seen.native_id,
        "name": seen.name,
        "user": seen.user,
        "state": seen.word,
        "phase": str(seen.phase),
        "reason": seen.reason,
        "partition": seen.partition,
        "node": seen.node,
        "cpus": seen.cpus,
        "job": one.job or None,
        "array": one.array or None,
    }


def machines_document(found: Machines) -> Json:
    """Return a cluster's machines, and the disk use of its clone_dir."""
    info = found.info
    return {
        "backend": found.backend,
        "nodes": info.nodes if info is not None else None,
        "nodes_up": info.nodes_up if info is not None else None,
        "cpus": info.cpus if info is not None else None,
        "cpus_free": info.cpus_free if info is not None else None,
        "partitions": list(info.partitions) if info is not None else [],
        "clone_dir": found.clone_dir,
        "clone_bytes": found.clone_bytes,
        "clones": found.clones,
        "free_bytes": found.free_bytes,
    }
