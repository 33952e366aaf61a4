"""The batch systems' part of a tick: their reports are taken in, their visits made."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hopper.dispatch.batch_orders import BatchOrderDesk
from hopper.dispatch.batch_reports import reconcile_batch
from hopper.dispatch.batch_sightings import Answered
from hopper.dispatch.batch_submitted import refuse
from hopper.dispatch.batch_systems import BatchSystems, Clusters
from hopper.dispatch.decisions import BatchPlacement, BatchVisit
from hopper.dispatch.desk import Desk
from hopper.dispatch.endings import Landed
from hopper.dispatch.generated import Generated, add_generated
from hopper.dispatch.learned import LearnedLimits
from hopper.dispatch.ledger import Ledger
from hopper.dispatch.ports import Home
from hopper.dispatch.rhythm import Rhythm
from hopper.dispatch.settings import PolicySettings
from hopper.dispatch.turns import Turns
from hopper.errors import HopperError
from hopper.model.attempt import ResultFile
from hopper.model.backend import BatchTarget
from hopper.model.batch import BatchOrder, BatchReport
from hopper.model.event import Event, EventKind
from hopper.model.native import BatchReading, Followed

ACCOUNTING_WAIT = timedelta(seconds=10)
"""How long an end that is near is put off for the figures of the last jobs."""
OTHERS_EVERY = timedelta(minutes=1)
"""Between looks at the jobs of others and at the machines, while jobs of ours are there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sent:
    order: BatchOrder
    asked: tuple[Followed, ...]
    others: bool


class ClusterDesk:
    """What is under way on login nodes, and when each is looked at next."""

    def __init__(
        self,
        ledger: Ledger,
        clusters: Clusters,
        systems: BatchSystems,
        home: Home,
        orders: BatchOrderDesk,
        *,
        generated: Generated,
        policy: PolicySettings,
    ) -> None:
        self._ledger = ledger
        self._clusters = clusters
        self._systems = systems
        self._home = home
        self._orders = orders
        self._generated = generated
        self._rhythm = Rhythm(
            first=policy.batch_poll_first, longest=policy.poll_longest, idle=policy.idle_look
        )
        self._idle = policy.idle_look
        self._sent: dict[str, _Sent] = {}
        self._others_at: dict[str, datetime] = {}
        self._learned = LearnedLimits()
        self._turns = Turns(ledger)
        self._tag = secrets.token_hex(3)
        self._count = 0

    def __bool__(self) -> bool:
        """True while orders are under way."""
        return bool(self._sent)

    @property
    def targets(self) -> dict[str, BatchTarget]:
        """The batch systems, by backend."""
        return dict(self._systems.targets())

    @property
    def busy(self) -> frozenset[str]:
        """The backends with an order under way."""
        return frozenset(sent.order.backend for sent in self._sent.values())

    @property
    def orders_under_way(self) -> frozenset[str]:
        """Ids of the orders that are not reported on yet."""
        return frozenset(self._sent)

    def accounting_left(self, now: datetime) -> bool:
        """True while the accounting is about to tell of jobs that ended just now."""
        return any(
            (attempt := job.attempt) is not None
            and attempt.ended_at is not None
            and now - attempt.ended_at < ACCOUNTING_WAIT
            for target in self._systems.targets().values()
            if target.accounts and self._ledger.book.record(target.name).no_contact_since is None
            for job in self._ledger.book.unaccounted.get(target.name, {}).values()
        )

    def due(self, now: datetime) -> frozenset[str]:
        """Return the backends that are to be looked at now."""
        return self._rhythm.due(self._systems.targets(), now)

    def others_due(self, now: datetime) -> frozenset[str]:
        """Return the backends that are to be asked about the jobs of others."""
        return frozenset(
            name
            for name in self._systems.targets()
            if now - self._others_at.get(name, datetime.min.replace(tzinfo=now.tzinfo))
            >= (OTHERS_EVERY if name in self._ledger.book.placed else self._idle)
        )

    def next_due(self) -> datetime | None:
        """Return when a backend with jobs of ours is looked at next."""
        book = self._ledger.book
        watched = {
            name
            for name in self._systems.targets()
            if (name in book.placed or name in book.unaccounted) and name not in self.busy
        }
        return self._rhythm.next_due(watched)

    def limits(self, now: datetime) -> Mapping[str, int]:
        """Return how many jobs the backends were found to take at most."""
        return self._learned.limits(now)

    def look(self, backend: str) -> None:
        """Look at a backend in the next tick."""
        self._rhythm.at_once(backend)

    # --- visits

    def send(
        self,
        placements: Iterable[BatchPlacement],
        visits: Collection[BatchVisit],
        *,
        home_full: bool,
    ) -> None:
        """Have the visits made."""
        now, targets = self._ledger.now(), self._systems.targets()
        for placement in placements:
            # Should this order or its report be lost, look again.
            self._rhythm.at_once(placement.backend)
        for visit in visits:
            self._count += 1
            try:
                order, asked, troubles = self._orders.write(
                    f"b{self._tag}-{self._count}",
                    visit,
                    targets[visit.backend],
                    self._ledger.book,
                    now=now,
                    home_full=home_full,
                )
            except Exception as error:  # noqa: BLE001 - one backend must not hold up the others
                reason = f"no order could be written: {type(error).__name__}: {error}"
                self._ledger.trouble_once(f"order {visit.backend}", reason, worker=visit.backend)
                continue
            order = replace(order, turn=self._turns.take())
            self._refuse(troubles)
            if visit.others:
                self._others_at[visit.backend] = now
            self._sent[order.id] = _Sent(order=order, asked=asked, others=visit.others)
            self._clusters.send([order])

    def _refuse(self, troubles: Iterable[tuple[str, str]]) -> None:
        """Fail the jobs for which no submission can be written."""
        desk = self._ledger.desk()
        for job_id, reason in troubles:
            job = desk.job(job_id)
            if job.open_attempt is not None:
                refuse(desk, job, job.open_attempt, reason)
        self._ledger.commit(desk.changes())

    # --- reports

    def take_in(self) -> None:
        """Take in all reports that have come, in one commit."""
        taken: list[tuple[BatchReport, bool]] = []
        desk = self._ledger.desk()
        for report in self._clusters.receive_batch():
            sent = self._sent.pop(report.order, None)
            if sent is None:
                continue
            before = len(desk.events)
            try:
                with desk.all_or_nothing():
                    self._take_in(desk, sent, report)
            except Exception as error:  # noqa: BLE001 - one backend must not hold up the others
                reason = f"its report could not be taken in: {type(error).__name__}: {error}"
                desk.tell(EventKind.TROUBLE, worker=sent.order.backend, reason=reason)
            moved = any(event.kind in _MOVES for event in desk.events[before:])
            taken.append((report, moved))
            self._plan_look(desk, sent.order, moved=moved)
        desk.events[:] = [event for event in desk.events if not self._repeated(event)]
        self._ledger.commit(desk.changes())
        for backend in desk.full:
            placed = self._ledger.book.placed.get(backend, {}).values()
            held = sum(bool(job.attempt and job.attempt.native_id) for job in placed)
            self._learned.refused(backend, held, self._ledger.now())

    def _take_in(self, desk: Desk, sent: _Sent, report: BatchReport) -> None:
        backend = sent.order.backend
        reading = BatchReading(accounting=self._systems.targets()[backend].accounts)
        if not report.error and sent.order.queries:
            reading = self._systems.read(backend, dict(report.answers), sent.asked)
        answered = Answered(
            order=sent.order,
            report=report,
            reading=reading,
            landed=self._land(desk, sent, report),
            others=sent.others,
            users=self._systems.targets()[backend].users,
        )
        reconcile_batch(desk, answered, self._systems)
        for job_id in [job.id for job in desk.jobs.values() if job.backend == backend]:
            add_generated(desk, job_id, self._generated)

    def _land(self, desk: Desk, sent: _Sent, report: BatchReport) -> Landed:
        """Give what has come home its names, where all of an attempt's is there."""
        landed: dict[str, tuple[ResultFile, ...]] = {}
        for attempt_id in report.gathered:
            found = desk.open_attempt(sent.order.backend, attempt_id)
            if found is None:
                continue
            files = [item for item in report.collected if item.attempt == attempt_id]
            try:
                landed[attempt_id] = self._home.land(found[0], files)
            except HopperError as error:
                desk.tell(EventKind.TROUBLE, job=found[0].id, reason=str(error))
        return landed

    def _plan_look(self, desk: Desk, order: BatchOrder, *, moved: bool) -> None:
        now, backend = self._ledger.now(), order.backend
        record = desk.record(backend)
        if record.contact_not_before is not None:
            self._rhythm.postponed(backend, record.contact_not_before)
        elif moved:
            self._rhythm.changed(backend, now)
        else:
            book = self._ledger.book
            idle = backend not in book.placed and backend not in book.unaccounted
            self._rhythm.looked(backend, now, idle=idle)

    def _repeated(self, event: Event) -> bool:
        """Return True for an event that says only what the last of its kind said."""
        if event.kind is not EventKind.TROUBLE:
            return False
        key = f"{event.kind} {event.worker} {event.job}"
        return self._ledger.said_before(key, event.reason)


_MOVES = frozenset({EventKind.JOB_STATE, EventKind.SUBMITTED_AS})
