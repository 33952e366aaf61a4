"""The scheduler: one tick after the other over the ports.

A tick takes in what has arrived (zips, commands, reports), decides, makes the intent durable,
and only then has it done. What was done is recorded when a report tells of it, never before.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from hopper.dispatch import commands
from hopper.dispatch.book import Book
from hopper.dispatch.changes import Changes, merged
from hopper.dispatch.decisions import Decision, Visit
from hopper.dispatch.ingest import adopt, ingest
from hopper.dispatch.intents import record
from hopper.dispatch.orders import OrderDesk
from hopper.dispatch.policy import Snapshot, decide, to_clean
from hopper.dispatch.ports import (
    Clock,
    Fleet,
    Home,
    Letter,
    Log,
    Mailbox,
    OrderSettings,
    Roster,
    Store,
    Upkeeping,
)
from hopper.dispatch.reconcile import Desk, reconcile
from hopper.dispatch.rhythm import Rhythm
from hopper.dispatch.settings import PolicySettings
from hopper.errors import HopperError, UsageError
from hopper.model.event import Event, EventKind
from hopper.model.ids import new_attempt_id, new_job_id
from hopper.model.job import Job, Origin
from hopper.model.orders import Order, Report
from hopper.model.states import JobState
from hopper.model.worker import Worker

DISK_CHECK = timedelta(seconds=10)
UPKEEP_EVERY = timedelta(seconds=60)
LONGEST_SLEEP = 1.0
"""Seconds; the queue folder is looked at no less often."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """The outside, as the dispatcher needs it."""

    store: Store
    fleet: Fleet
    home: Home
    roster: Roster
    mailbox: Mailbox
    log: Log
    clock: Clock
    upkeep: Upkeeping


@dataclass(kw_only=True)
class _UnderWay:
    """An order that has been sent and not been reported on."""

    order: Order
    bulk: bool


@dataclass
class Dispatcher:
    """The loop's state between ticks. Nothing of it is needed after a restart."""

    ports: Ports
    policy: PolicySettings
    order_settings: OrderSettings
    book: Book = field(init=False)
    home_full: bool = False
    launching: bool = True
    """False once it is to end: what is under way is heard out, nothing new is begun."""
    _under_way: dict[str, _UnderWay] = field(default_factory=dict)
    _bulk_results: set[str] = field(default_factory=set)
    _orders: int = 0

    def __post_init__(self) -> None:
        ports = self.ports
        self.book = Book(
            ports.store.jobs.values(), ports.store.workers.values(), ports.store.settings
        )
        self._rhythm = Rhythm(
            first=self.policy.poll_first,
            longest=self.policy.poll_longest,
            idle=self.policy.idle_look,
        )
        self._desk_of_orders = OrderDesk(
            self.order_settings, self.policy, ports.home.incoming()
        )
        now = ports.clock.now()
        self._disk_check_due = self._upkeep_due = now
        self._run_tag = secrets.token_hex(3)
        self._troubles: dict[str, str] = {}

    # --- start and end

    def start(self) -> None:
        """Bring the files at home to where the states say, and tell that we are here."""
        for job in list(self.book.jobs.values()):
            if job.origin is Origin.ZIP and not job.state.terminal:
                self._place(job)
            if job.state is JobState.FAILED and job.zip_name:
                self._place(job)
        self._commit(Changes(events=(self._event(EventKind.DISPATCH_STARTED),)))

    def stop(self, patience: float) -> None:
        """Tell that we end, and let go of the workers; their jobs go on."""
        self._commit(Changes(events=(self._event(EventKind.DISPATCH_STOPPED),)))
        self.ports.fleet.close(patience)

    @property
    def idle(self) -> bool:
        """True when nothing is left to do: no open jobs, no orders under way."""
        return not self._under_way and self.book.open_count == 0 and not self._tidying_left()

    @property
    def waiting_for_reports(self) -> bool:
        """True while an order is under way."""
        return bool(self._under_way)

    def look_everywhere(self) -> None:
        """Have all workers looked at in the next tick."""
        for name in self.ports.roster.workers():
            self._rhythm.at_once(name)

    # --- one tick

    def tick(self) -> float:
        """Do one turn and return the seconds until the next thing is due."""
        self._answer_letters()
        self._take_in_reports()
        self._ingest()
        self._check_disk()
        if self.launching:
            self._decide_and_act()
        self._keep_up()
        return self._patience()

    def _answer_letters(self) -> None:
        for letter in self.ports.mailbox.take():
            self.ports.mailbox.answer(letter, self._answer(letter))

    def _answer(self, letter: Letter) -> Mapping[str, object]:
        try:
            return self.carry_out(letter.body)
        except UsageError as error:
            return {"error": str(error), "usage": True}
        except HopperError as error:
            return {"error": str(error)}

    def carry_out(self, body: Mapping[str, object]) -> Mapping[str, object]:
        """Carry out a command on the state and return its answer."""
        if body.get("do") == "submit":
            self.ports.home.accept(str(body.get("job")))
        desk = self._desk()
        done = commands.apply(desk, body)
        self._commit(merged([desk.changes(), done.changes]))
        for name in done.look_at:
            self._rhythm.at_once(name)
        if done.everywhere:
            self.look_everywhere()
        return done.answer

    # --- reports

    def _take_in_reports(self) -> None:
        for report in self.ports.fleet.receive():
            under_way = self._under_way.pop(report.order, None)
            if under_way is not None:
                self._take_in(under_way.order, report, bulk=under_way.bulk)

    def _take_in(self, order: Order, report: Report, *, bulk: bool) -> None:
        desk = self._desk()
        landed = {}
        for attempt_id in report.gathered:
            found = self.book.find_attempt(report.host, attempt_id)
            if found is None or not found[1].open:
                continue
            files = [item for item in report.collected if item.attempt == attempt_id]
            try:
                landed[attempt_id] = self.ports.home.land(found[0], files)
            except HopperError as error:
                desk.tell(EventKind.TROUBLE, job=found[0].id, reason=str(error))
        reconcile(desk, order, report, landed)
        for attempt_id in report.too_large:
            found = self.book.find_attempt(report.host, attempt_id)
            if found is not None:
                self._bulk_results.add(found[0].id)
        worker = self.ports.roster.workers().get(report.host)
        if worker is not None and not report.error and not bulk:
            self._adopt(desk, report, worker)
        self._commit(desk.changes())
        moved = any(event.kind is EventKind.JOB_STATE for event in desk.events)
        self._set_rhythm(report.host, moved=moved)

    def _adopt(self, desk: Desk, report: Report, worker: Worker) -> None:
        adopt(
            desk,
            report,
            worker,
            under_way=frozenset(),
            new_job_id=self._new_job_id,
            new_attempt_id=lambda: new_attempt_id(secrets.choice),
        )

    def _set_rhythm(self, worker: str, *, moved: bool) -> None:
        now = self.ports.clock.now()
        if moved and worker in self.book.placed:
            self._rhythm.changed(worker, now)
        else:
            self._rhythm.looked(worker, now, idle=worker not in self.book.placed)

    # --- arrivals

    def _ingest(self) -> None:
        try:
            arrivals = self.ports.home.arrivals(self.book.jobs)
        except HopperError as error:
            self._trouble_once("queue", str(error))
            return
        if arrivals:
            desk = self._desk()
            ingest(desk, arrivals)
            self._commit(desk.changes())

    def _check_disk(self) -> None:
        now = self.ports.clock.now()
        if now < self._disk_check_due:
            return
        self._disk_check_due = now + DISK_CHECK
        try:
            free = self.ports.home.free_bytes()
        except HopperError as error:
            self._trouble_once("disk", str(error))
            return
        full = free < self.order_settings.home_low
        if full is not self.home_full:
            self.home_full = full
            kind = EventKind.HOME_DISK_LOW if full else EventKind.HOME_DISK_OK
            reason = f"{free // 1_000_000} MB free at home"
            self._commit(Changes(events=(self._event(kind, reason),)))

    # --- decide and act

    def _decide_and_act(self) -> None:
        now = self.ports.clock.now()
        workers = self.ports.roster.workers()
        snapshot = Snapshot(
            book=self.book,
            workers=workers,
            settings=self.policy,
            busy=frozenset((item.order.host, item.bulk) for item in self._under_way.values()),
            looks_due=self._rhythm.due(workers, now),
            bulk_results=frozenset(self._bulk_results),
            home_full=self.home_full,
        )
        decisions = decide(snapshot, now)
        self._record_intents(decisions)
        self._act([d for d in decisions if isinstance(d, Visit)], workers)

    def _record_intents(self, decisions: Sequence[Decision]) -> None:
        desk = self._desk()
        for decision in decisions:
            record(desk, decision, lambda: new_attempt_id(secrets.choice))
        self._commit(desk.changes())

    def _act(self, visits: Sequence[Visit], workers: Mapping[str, Worker]) -> None:
        orders = []
        for visit in visits:
            order = self._order(visit, workers[visit.worker])
            self._under_way[order.id] = _UnderWay(order=order, bulk=visit.bulk)
            orders.append(order)
        if orders:
            self.ports.fleet.send(orders)

    def _order(self, visit: Visit, worker: Worker) -> Order:
        self._orders += 1
        paths: dict[str, Path] = {}
        for job_id in visit.launches:
            job = self.book.jobs[job_id]
            if self._place(job):
                paths[job_id] = self.ports.home.path(job)
        return self._desk_of_orders.write(
            f"{self._run_tag}-{self._orders}",
            visit,
            worker,
            self.book,
            paths,
            home_full=self.home_full,
        )

    # --- what every step needs

    def _desk(self) -> Desk:
        return Desk(book=self.book, settings=self.policy, now=self.ports.clock.now())

    def _event(self, kind: EventKind, reason: str = "") -> Event:
        return Event(kind=kind, at=self.ports.clock.now(), reason=reason)

    def _new_job_id(self, name: str) -> str:
        while (job_id := new_job_id(name, secrets.choice)) in self.book.jobs:
            pass
        return job_id

    def _commit(self, changes: Changes) -> None:
        """Make changes durable, follow them, and bring zips to where the states say now."""
        if not changes:
            return
        before = {job.id: self.book.jobs.get(job.id) for job in changes.jobs}
        self.ports.store.commit(changes)
        self.book.apply(changes)
        self.ports.log.write(changes.events)
        for job in changes.jobs:
            old = before[job.id]
            if job.origin is Origin.ZIP and job.zip_name and (
                old is None or old.state is not job.state
            ):
                self._place(job)
                if not job.state.on_worker:
                    self._bulk_results.discard(job.id)

    def _place(self, job: Job) -> bool:
        try:
            self.ports.home.place(job)
            if job.state is JobState.FAILED:
                self.ports.home.write_reason(job)
        except HopperError as error:
            self._zip_trouble(job, error)
            return False
        return True

    def _zip_trouble(self, job: Job, error: HopperError) -> None:
        if job.state in {JobState.PENDING, JobState.SUBMITTED} and job.origin is Origin.ZIP:
            desk = self._desk()
            desk.tell(EventKind.TROUBLE, job=job.id, reason=str(error))
            if job.state is JobState.PENDING:
                failed = job.moved(JobState.FAILED, at=desk.now, reason=str(error))
                desk.put(failed)
            changes = desk.changes()
            self.ports.store.commit(changes)
            self.book.apply(changes)
            self.ports.log.write(changes.events)

    def _trouble_once(self, key: str, reason: str) -> None:
        if self._troubles.get(key) != reason:
            self._troubles[key] = reason
            self._commit(Changes(events=(self._event(EventKind.TROUBLE, reason),)))

    def _tidying_left(self) -> bool:
        """True while something at a worker that answers waits to be released or cleaned."""
        now = self.ports.clock.now()
        return any(
            not attempt.released or to_clean(attempt, now)
            for worker, jobs in self.book.untidy.items()
            if self.book.record(worker).no_contact_since is None
            for job in jobs.values()
            for attempt in job.attempts
            if attempt.worker == worker and not attempt.open
        )

    def _keep_up(self) -> None:
        now = self.ports.clock.now()
        if self._under_way or now < self._upkeep_due:
            return
        self._upkeep_due = now + UPKEEP_EVERY
        for problem in self.ports.upkeep(now):
            self._trouble_once("upkeep", problem)
        gone = [job_id for job_id in self.book.jobs if job_id not in self.ports.store.jobs]
        self.book.apply(Changes(forgotten_jobs=tuple(gone)))

    def _patience(self) -> float:
        now = self.ports.clock.now()
        waits = [LONGEST_SLEEP]
        settling = self.ports.home.arriving()
        if settling is not None:
            waits.append(settling)
        busy = {item.order.host for item in self._under_way.values()}
        watched = [name for name in self.book.placed if name not in busy]
        due = self._rhythm.next_due(watched)
        if due is not None:
            waits.append((due - now).total_seconds())
        return max(0.0, min(waits))
