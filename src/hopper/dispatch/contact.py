"""What a report says of the worker itself: reached or not, and whether it can take jobs. Pure."""

from __future__ import annotations

from dataclasses import replace

from hopper.dispatch.desk import Desk
from hopper.dispatch.settings import CONTACT_BACK_OFF
from hopper.model.event import EventKind
from hopper.model.orders import Report


def contact(desk: Desk, report: Report) -> None:
    """Record what the worker has shown of itself."""
    record = desk.record(report.host)
    if record.no_contact_since is not None:
        desk.tell(EventKind.WORKER_REACHED, worker=report.host)
    unready = ""
    if report.missing:
        unready = f"missing: {', '.join(report.missing)}"
        if unready != record.unready:
            reason = f"{unready}; run 'hopper workers setup {report.host}'"
            desk.tell(EventKind.TROUBLE, worker=report.host, reason=reason)
    desk.records[report.host] = replace(
        record,
        last_contact=desk.now,
        no_contact_since=None,
        contact_error="",
        contact_failures=0,
        contact_not_before=None,
        boot_id=report.boot_id,
        clock_skew=report.clock_skew,
        free_bytes=report.free_bytes,
        unready=unready,
    )


def no_contact(desk: Desk, report: Report) -> None:
    """Record that the worker could not be reached, and when it may be tried again."""
    record = desk.record(report.host)
    failures = record.contact_failures + 1
    since = record.no_contact_since or desk.now
    if record.no_contact_since is None:
        desk.tell(EventKind.WORKER_UNREACHABLE, worker=report.host, reason=report.error)
    desk.records[report.host] = replace(
        record,
        no_contact_since=since,
        contact_error=report.error,
        contact_failures=failures,
        contact_not_before=desk.now + CONTACT_BACK_OFF.wait(failures),
    )
