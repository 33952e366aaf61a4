"""What a report says of the worker itself: reached or not, and whether it can take jobs. Pure."""

from __future__ import annotations

import re
from dataclasses import replace

from hopper.dispatch.desk import Desk
from hopper.dispatch.settings import CONTACT_BACK_OFF, LOGIN_BACK_OFF
from hopper.model.event import EventKind
from hopper.model.orders import Report

NEEDS_LOGIN = "needs login"
"""How the error begins of a host that wants what only a person has."""
_LOGIN_REFUSED = re.compile(
    r"Permission denied \(|keyboard-interactive|Too many authentication failures|"
    r"[Vv]erification code|[Oo]ne-time password"
)


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
    error, back_off = report.error, CONTACT_BACK_OFF
    if _LOGIN_REFUSED.search(error):
        error, back_off = f"{NEEDS_LOGIN}: {error}", LOGIN_BACK_OFF
    if record.no_contact_since is None:
        desk.tell(EventKind.WORKER_UNREACHABLE, worker=report.host, reason=error)
    desk.records[report.host] = replace(
        record,
        no_contact_since=since,
        contact_error=error,
        contact_failures=failures,
        contact_not_before=desk.now + back_off.wait(failures),
    )
