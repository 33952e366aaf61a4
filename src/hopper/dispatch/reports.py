"""Takes in the reports on orders: files get their names, states follow, the next look is set."""

from __future__ import annotations

import secrets
from datetime import timedelta

from hopper.dispatch.desk import Desk
from hopper.dispatch.endings import Landed
from hopper.dispatch.generated import Generated, add_generated
from hopper.dispatch.ingest import adopt
from hopper.dispatch.ledger import Ledger
from hopper.dispatch.ports import Fleet, Home, Roster
from hopper.dispatch.reconcile import reconcile
from hopper.dispatch.rhythm import Rhythm
from hopper.dispatch.tidying import Tidying
from hopper.dispatch.under_way import Sent, UnderWay
from hopper.errors import HopperError
from hopper.model.attempt import ResultFile
from hopper.model.event import Event, EventKind
from hopper.model.ids import new_attempt_id, new_job_id
from hopper.model.orders import Report
from hopper.model.worker import Worker

UNREADY_LOOK = timedelta(minutes=1)
"""Between looks at a worker that answers and cannot take jobs."""
REPEATED = frozenset({EventKind.TROUBLE, EventKind.SURVIVORS})
"""Events that each look at a worker would tell again."""


class ReportDesk:
    """Takes in what the fleet reports."""

    def __init__(
        self,
        ledger: Ledger,
        fleet: Fleet,
        home: Home,
        roster: Roster,
        *,
        under_way: UnderWay,
        rhythm: Rhythm,
        tidying: Tidying,
        generated: Generated,
    ) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._home = home
        self._roster = roster
        self._under_way = under_way
        self._rhythm = rhythm
        self._tidying = tidying
        self._generated = generated
        self._bulk: dict[str, str] = {}
        """Jobs whose results are too large to come home with the others', and the attempts."""

    def take_in(self) -> None:
        """Take in all that have come, in one commit.

        What a report said that could not be taken in will be seen again, so none is kept.
        """
        taken: list[tuple[Sent, Report]] = []
        desk = self._ledger.desk()
        for report in self._fleet.receive():
            sent = self._under_way.pop(report.order)
            if sent is None:
                continue
            taken.append((sent, report))
            try:
                with desk.all_or_nothing():
                    self._take_in(desk, sent, report)
            except Exception as error:  # noqa: BLE001 - one worker's report must not hold up the others'
                reason = f"its report could not be taken in: {type(error).__name__}: {error}"
                desk.tell(EventKind.TROUBLE, worker=report.host, reason=reason)
        desk.events[:] = [event for event in desk.events if not self._repeated(event)]
        self._ledger.commit(desk.changes())
        moved = {event.worker for event in desk.events if event.kind is EventKind.JOB_STATE}
        for sent, report in taken:
            self._plan_look(report.host, moved=report.host in moved)
            self._tidying.note(sent.order, self._ledger.book, self._ledger.now())

    def bulk_results(self) -> frozenset[str]:
        """Return the jobs whose results are too large to come home with the others'."""
        for job_id, attempt_id in list(self._bulk.items()):
            job = self._ledger.book.jobs.get(job_id)
            attempt = job.open_attempt if job is not None else None
            if attempt is None or attempt.id != attempt_id:
                del self._bulk[job_id]
        return frozenset(self._bulk)

    def _take_in(self, desk: Desk, sent: Sent, report: Report) -> None:
        before = dict(desk.jobs)
        reconcile(desk, sent.order, report, self._land(desk, report), sent.first)
        changed = [job for job in desk.jobs.values() if before.get(job.id) is not job]
        for job in changed:
            if job.task is not None and not job.backend:
                add_generated(desk, job.id, self._generated)
        for attempt_id in report.too_large:
            found = self._ledger.book.find_attempt(report.host, attempt_id)
            if found is not None:
                self._bulk[found[0].id] = attempt_id
        worker = self._roster.workers().get(report.host)
        if worker is not None and not report.error and not sent.bulk:
            self._adopt(desk, report, worker)

    def _land(self, desk: Desk, report: Report) -> Landed:
        """Give what has come home its names, where all of an attempt's is there."""
        landed: dict[str, tuple[ResultFile, ...]] = {}
        for attempt_id in report.gathered:
            found = self._ledger.book.find_attempt(report.host, attempt_id)
            if found is None or not found[1].open:
                continue
            files = [item for item in report.collected if item.attempt == attempt_id]
            try:
                landed[attempt_id] = self._home.land(found[0], files)
            except HopperError as error:
                desk.tell(EventKind.TROUBLE, job=found[0].id, reason=str(error))
        return landed

    def _adopt(self, desk: Desk, report: Report, worker: Worker) -> None:
        adopt(
            desk,
            report,
            worker,
            under_way=frozenset(),
            new_job_id=self._new_job_id,
            new_attempt_id=lambda: new_attempt_id(secrets.choice),
        )

    def _new_job_id(self, name: str) -> str:
        while (job_id := new_job_id(name, secrets.choice)) in self._ledger.book.jobs:
            pass
        return job_id

    def _repeated(self, event: Event) -> bool:
        """Return True for an event that says only what the last of its kind said."""
        if event.kind not in REPEATED:
            return False
        key = f"{event.kind} {event.worker} {event.job}"
        return self._ledger.said_before(key, event.reason)

    def _plan_look(self, worker: str, *, moved: bool) -> None:
        now, book = self._ledger.now(), self._ledger.book
        record = book.record(worker)
        if record.contact_not_before is not None:
            self._rhythm.postponed(worker, record.contact_not_before)
        elif record.unready and worker not in book.placed:
            self._rhythm.postponed(worker, now + UNREADY_LOOK)
        elif moved and worker in book.placed:
            self._rhythm.changed(worker, now)
        else:
            self._rhythm.looked(worker, now, idle=worker not in book.placed)
