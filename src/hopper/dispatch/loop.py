"""The scheduler: one tick after the other over the ports.

A tick takes in what has arrived (zips, commands, reports), decides, makes the intent durable,
and only then has it done. What was done is recorded when a report tells of it, never before.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from hopper.dispatch import commands
from hopper.dispatch.book import Book
from hopper.dispatch.changes import Changes, merged
from hopper.dispatch.decisions import Decision, Placement, Visit
from hopper.dispatch.desk import Desk
from hopper.dispatch.ingest import adopt, ingest
from hopper.dispatch.intents import record
from hopper.dispatch.launches import void
from hopper.dispatch.orders import OrderDesk
from hopper.dispatch.policy import can_go_on, decide
from hopper.dispatch.ports import (
    Arrival,
    Clock,
    Fleet,
    Home,
    Letter,
    Log,
    Mailbox,
    OrderSettings,
    Refusal,
    Roster,
    Store,
    Upkeeping,
)
from hopper.dispatch.reconcile import reconcile
from hopper.dispatch.rhythm import Rhythm
from hopper.dispatch.settings import PolicySettings
from hopper.dispatch.snapshot import Snapshot
from hopper.dispatch.visits import to_tidy
from hopper.dispatch.zips import Placed, Zips
from hopper.errors import HopperError, UsageError
from hopper.model.event import Event, EventKind
from hopper.model.ids import new_attempt_id, new_job_id
from hopper.model.job import Job
from hopper.model.orders import Order, Report
from hopper.model.states import JobState
from hopper.model.worker import Worker

DISK_CHECK = timedelta(seconds=10)
UPKEEP_EVERY = timedelta(seconds=60)
UPKEEP_LATEST = timedelta(minutes=5)
"""How long upkeep waits for a moment when no order is under way."""
UNREADY_LOOK = timedelta(minutes=1)
"""Between looks at a worker that answers and cannot take jobs."""
REPEATED = frozenset({EventKind.TROUBLE, EventKind.SURVIVORS})
"""Events that each look at a worker would tell again."""
REMEMBERED = 10_000
"""Troubles that are told but once."""
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
    first: frozenset[str] = frozenset()
    """Attempts that no earlier order can have launched."""


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
    _tried: set[str] = field(default_factory=set)
    """Attempts that were to be tidied away and are still there."""
    _letters: deque[Letter] = field(default_factory=deque)
    _arrived: list[Arrival | Refusal] = field(default_factory=list)
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
        self._desk_of_orders = OrderDesk(self.order_settings, self.policy, ports.home.incoming())
        self._zips = Zips(ports.home)
        now = ports.clock.now()
        self._disk_check_due = self._upkeep_due = now
        self._run_tag = secrets.token_hex(3)
        self._troubles: dict[str, str] = {}

    # --- start and end

    def start(self) -> None:
        """Bring the files at home to where the states say, and tell that we are here."""
        now = self.ports.clock.now()
        for job in list(self.book.jobs.values()):
            # An older reason was written, or a person has taken it away.
            fresh = job.state_since is not None and now - job.state_since < timedelta(days=1)
            self._place(job, explain=fresh)
        self._commit(Changes(events=(self._event(EventKind.DISPATCH_STARTED),)))

    def stop(self, patience: float) -> None:
        """Tell that we end, and let go of the workers; their jobs go on."""
        try:
            self._commit(Changes(events=(self._event(EventKind.DISPATCH_STOPPED),)))
        finally:
            self.ports.fleet.close(patience)

    @property
    def idle(self) -> bool:
        """True when nothing is left that could go on without a person's doing."""
        return (
            not self._under_way
            and not self._arrived
            and self.ports.home.arriving() is None
            and not can_go_on(self.book, self.ports.roster.workers())
            and not self._tidying_left()
        )

    @property
    def orders_under_way(self) -> frozenset[str]:
        """Ids of the orders that are not reported on yet."""
        return frozenset(self._under_way)

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
        self._letters.extend(self.ports.mailbox.take())
        while self._letters:
            letter = self._letters[0]
            answer = self._answer(letter)
            self._letters.popleft()
            self.ports.mailbox.answer(letter, answer)

    def _answer(self, letter: Letter) -> Mapping[str, object]:
        try:
            return self.carry_out(letter.body)
        except UsageError as error:
            return {"error": str(error), "usage": True}
        except HopperError as error:
            return {"error": str(error)}
        except Exception as error:  # noqa: BLE001 - one bad command must not keep the others waiting
            return {"error": f"{type(error).__name__}: {error}"}

    def carry_out(self, body: Mapping[str, object]) -> Mapping[str, object]:
        """Carry out a command on the state and return its answer."""
        desk = self._desk()
        done = commands.apply(desk, body)
        if body.get("do") == "submit":
            self.ports.home.accept(str(body.get("job")))
        self._commit(merged([desk.changes(), done.changes]))
        for name in done.look_at:
            self._rhythm.at_once(name)
        if done.everywhere:
            self.look_everywhere()
        return done.answer

    # --- reports

    def _take_in_reports(self) -> None:
        """Take in all that have come, in one commit.

        What a report said that could not be taken in will be seen again, so none is kept.
        """
        taken: list[tuple[_UnderWay, Report]] = []
        desk = self._desk()
        for report in self.ports.fleet.receive():
            sent = self._under_way.pop(report.order, None)
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
        self._commit(desk.changes())
        moved = {event.worker for event in desk.events if event.kind is EventKind.JOB_STATE}
        for sent, report in taken:
            self._set_rhythm(report.host, moved=report.host in moved)
            self._note_tidied(sent.order)

    def _take_in(self, desk: Desk, sent: _UnderWay, report: Report) -> None:
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
        reconcile(desk, sent.order, report, landed, sent.first)
        for attempt_id in report.too_large:
            found = self.book.find_attempt(report.host, attempt_id)
            if found is not None:
                self._bulk_results.add(found[0].id)
        worker = self.ports.roster.workers().get(report.host)
        if worker is not None and not report.error and not sent.bulk:
            self._adopt(desk, report, worker)

    def _note_tidied(self, order: Order) -> None:
        """Remember what was to be tidied away and is still there."""
        now = self.ports.clock.now()
        targets = {item.attempt for item in (*order.discards, *order.cleans)}
        for attempt_id in targets | {item.attempt for item in order.releases}:
            found = self.book.find_attempt(order.host, attempt_id)
            if found is not None and to_tidy(found[1], now):
                self._tried.add(attempt_id)
            else:
                self._tried.discard(attempt_id)

    def _repeated(self, event: Event) -> bool:
        """Return True for an event that says only what the last of its kind said."""
        if event.kind not in REPEATED:
            return False
        return self._said_before(f"{event.kind} {event.worker} {event.job}", event.reason)

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
        record = self.book.record(worker)
        if record.contact_not_before is not None:
            self._rhythm.postponed(worker, record.contact_not_before)
        elif record.unready and worker not in self.book.placed:
            self._rhythm.postponed(worker, now + UNREADY_LOOK)
        elif moved and worker in self.book.placed:
            self._rhythm.changed(worker, now)
        else:
            self._rhythm.looked(worker, now, idle=worker not in self.book.placed)

    # --- arrivals

    def _ingest(self) -> None:
        known: Collection[str] = self.book.jobs
        if self._arrived:
            known = self.book.jobs.keys() | {arrival.job_id for arrival in self._arrived}
        try:
            self._arrived += self.ports.home.arrivals(known)
        except HopperError as error:
            self._trouble_once("queue", str(error))
        if self._arrived:
            # They are kept until they are recorded: their zips bear their jobs' names by now.
            desk = self._desk()
            ingest(desk, self._arrived)
            self._commit(desk.changes())
            self._arrived.clear()

    def _check_disk(self) -> None:
        now = self.ports.clock.now()
        if now < self._disk_check_due:
            return
        self._disk_check_due = now + DISK_CHECK
        for job in self._zips.left(self.book):
            self._place(job)
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
            tried=frozenset(self._tried),
            home_full=self.home_full,
        )
        decisions = decide(snapshot, now)
        self._record_intents(decisions)
        placed = [d for d in decisions if isinstance(d, Placement)]
        for placement in placed:
            # However idle it was: should this order or its report be lost, look again.
            self._rhythm.at_once(placement.worker)
        jobs = [self.book.jobs[placement.job.id] for placement in placed]
        first = {job.attempt.id for job in jobs if job.attempt is not None}
        self._act([d for d in decisions if isinstance(d, Visit)], workers, first)

    def _record_intents(self, decisions: Sequence[Decision]) -> None:
        desk = self._desk()
        for decision in decisions:
            record(desk, decision, lambda: new_attempt_id(secrets.choice))
        self._commit(desk.changes())

    def _act(self, visits: Sequence[Visit], workers: Mapping[str, Worker], first: set[str]) -> None:
        sent: dict[str, _UnderWay] = {}
        for visit in visits:
            try:
                order = self._order(visit, workers[visit.worker])
            except Exception as error:  # noqa: BLE001 - one worker must not hold up the others
                reason = f"no order could be written: {type(error).__name__}: {error}"
                self._trouble_once(f"order {visit.worker}", reason, worker=visit.worker)
                continue
            launched = frozenset(item.attempt for item in order.launches)
            sent[order.id] = _UnderWay(order=order, bulk=visit.bulk, first=launched & first)
        if sent:
            self.ports.fleet.send([item.order for item in sent.values()])
            self._under_way |= sent

    def _order(self, visit: Visit, worker: Worker) -> Order:
        self._orders += 1
        paths: dict[str, Path] = {}
        for job_id in visit.launches:
            job = self.book.jobs[job_id]
            if job.open_attempt is not None and self._place(job):
                paths[job_id] = self.ports.home.path(job)
        return self._desk_of_orders.write(
            f"{self._run_tag}-{self._orders}",
            visit,
            worker,
            self.book,
            paths,
            now=self.ports.clock.now(),
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
            if old is None or old.state is not job.state:
                self._place(job, just_promised=job.state is JobState.SUBMITTED)
                if not job.state.on_worker:
                    self._bulk_results.discard(job.id)

    def _place(self, job: Job, *, explain: bool = True, just_promised: bool = False) -> bool:
        """Bring a job's zip to its place; False when it is not there."""
        placed, reason = self._zips.place(job, explain=explain)
        if placed is Placed.GONE and (just_promised or job.state is JobState.PENDING):
            self._give_up(job, reason)
        elif placed is Placed.LATER or (placed is Placed.GONE and job.state.on_worker):
            self._trouble_once(f"zip {job.id}", reason, job=job.id)
        return placed is Placed.THERE

    def _give_up(self, job: Job, reason: str) -> None:
        """Fail a job that is on no worker and has no zip any more."""
        desk = self._desk()
        if job.open_attempt is not None:
            void(desk, job.open_attempt.worker, job.open_attempt.id, reason)
        desk.move(desk.job(job.id), JobState.FAILED, reason)
        changes = desk.changes()
        self.ports.store.commit(changes)
        self.book.apply(changes)
        self.ports.log.write(changes.events)

    def _trouble_once(
        self, key: str, reason: str, *, job: str | None = None, worker: str | None = None
    ) -> None:
        if not self._said_before(key, reason):
            now = self.ports.clock.now()
            event = Event(kind=EventKind.TROUBLE, at=now, job=job, worker=worker, reason=reason)
            self._commit(Changes(events=(event,)))

    def _said_before(self, key: str, reason: str) -> bool:
        before = self._troubles.pop(key, None)
        self._troubles[key] = reason
        if len(self._troubles) > REMEMBERED:
            del self._troubles[next(iter(self._troubles))]
        return before == reason

    def _tidying_left(self) -> bool:
        """True while something at a worker that answers waits to be tidied, not tried in vain."""
        now = self.ports.clock.now()
        workers = self.ports.roster.workers()
        return any(
            attempt.worker == worker and attempt.id not in self._tried and to_tidy(attempt, now)
            for worker, jobs in self.book.untidy.items()
            if worker in workers and self.book.record(worker).no_contact_since is None
            for job in jobs.values()
            for attempt in job.attempts
        )

    def _keep_up(self) -> None:
        now = self.ports.clock.now()
        busy = self._under_way and now < self._upkeep_due + UPKEEP_LATEST
        if busy or now < self._upkeep_due:
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
        workers = self.ports.roster.workers()
        watched = {name for name in self.book.placed if name not in busy and name in workers}
        due = self._rhythm.next_due(watched)
        if due is not None:
            waits.append((due - now).total_seconds())
        return max(0.0, min(waits))
