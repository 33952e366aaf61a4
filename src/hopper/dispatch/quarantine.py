"""When jobs fail on a worker one after the other, it gets no more for a while. Pure."""

from __future__ import annotations

from dataclasses import replace

from hopper.dispatch.desk import Desk
from hopper.model.event import EventKind


def count_success(desk: Desk, worker: str) -> None:
    """Forget the failures: a job went well here."""
    desk.records[worker] = replace(desk.record(worker), failed_jobs=(), quarantines=0)


def count_failure(desk: Desk, worker: str, job_id: str) -> None:
    """Count a job that failed here; too many different ones in a row are the worker's fault."""
    settings = desk.settings
    record = desk.record(worker)
    failed = tuple(dict.fromkeys((*record.failed_jobs, job_id)))
    failed = failed[-max(settings.quarantine_after, 1) :]
    record = replace(record, failed_jobs=failed)
    if 0 < settings.quarantine_after <= len(failed) and record.quarantined_until is None:
        quarantines = record.quarantines + 1
        wait = settings.quarantine.wait(quarantines)
        reason = f"{len(failed)} different jobs failed here in a row"
        record = replace(
            record,
            quarantined_until=desk.now + wait,
            quarantine_reason=reason,
            quarantines=quarantines,
        )
        desk.tell(
            EventKind.WORKER_QUARANTINED,
            worker=worker,
            reason=f"{reason}; tried again in {wait.total_seconds() / 60:.0f} min",
        )
    desk.records[worker] = record
