"""What a worker's report means for the jobs: observed, never assumed. Pure.

Only positive evidence ends anything. A report with an error changes no job's state, save that
an order known not to have arrived takes back the launches that it held.
"""

from __future__ import annotations

from collections.abc import Collection

from hopper.dispatch.contact import contact, no_contact
from hopper.dispatch.desk import Desk
from hopper.dispatch.endings import Landed
from hopper.dispatch.externals import external_sighted
from hopper.dispatch.launches import not_delivered, refused
from hopper.dispatch.remains import tell_survivors, tidied
from hopper.dispatch.sightings import sighted
from hopper.model.event import EventKind
from hopper.model.orders import Order, Report


def reconcile(
    desk: Desk, order: Order, report: Report, landed: Landed, first: Collection[str] = ()
) -> None:
    """Take in one report on one order.

    ``first`` holds the attempts that no earlier order can have launched. Only of these is it
    known that they have not started when this order did not arrive.
    """
    if report.error:
        no_contact(desk, report)
        if not report.delivered:
            not_delivered(desk, order, first)
        return
    contact(desk, report)
    _take_in_acts(desk, report, first)
    for sighting in report.sightings:
        sighted(desk, report, sighting, landed)
    for external in report.externals:
        external_sighted(desk, report, external, landed)
    for attempt_id, text in report.troubles:
        found = desk.open_attempt(report.host, attempt_id)
        job_id = found[0].id if found else None
        desk.tell(EventKind.TROUBLE, job=job_id, worker=report.host, reason=text)


def _take_in_acts(desk: Desk, report: Report, first: Collection[str]) -> None:
    for result in report.launched:
        if result.verdict == "refused":
            refused(desk, report.host, result, first)
    for attempt_id, verdict, survivors in report.cancelled:
        if verdict == "alive":
            tell_survivors(desk, report.host, attempt_id, survivors)
    tidied(desk, report)
