"""How everything stands, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hopper.dispatch.backend_views import BackendView
from hopper.dispatch.overview import Overview, WorkerView
from hopper.documents.backends import backend_document
from hopper.documents.jobs import job_document
from hopper.documents.runs import RunStanding, run_document
from hopper.documents.values import Json, iso
from hopper.model.job import Job
from hopper.operations.glance import Screen


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


def overview_document(view: Overview, dispatcher: Mapping[str, object] | None) -> Json:
    """Return jobs, workers and the dispatcher."""
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


def screen_document(screen: Screen) -> Json:
    """Return all that a look at how things stand has shown."""
    return whole_document(
        screen.view,
        screen.dispatcher,
        backends=screen.backends,
        runs=screen.runs,
        inventory_error=screen.inventory_error,
    )


def whole_document(
    view: Overview,
    dispatcher: Mapping[str, object] | None,
    *,
    backends: Iterable[BackendView],
    runs: Iterable[RunStanding],
    inventory_error: str,
) -> Json:
    """Return how everything stands: jobs, workers, backends, runs and the dispatcher."""
    return {
        **overview_document(view, dispatcher),
        "backends": [backend_document(one) for one in backends],
        "runs": [run_document(one) for one in runs],
        "inventory_error": inventory_error or None,
    }
