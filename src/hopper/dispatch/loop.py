"""The scheduler: one tick after the other over the ports.

A tick takes in what has arrived (zips, commands, reports), decides, makes the intent durable,
and only then has it done. What was done is recorded when a report tells of it, never before.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from hopper.dispatch import commands
from hopper.dispatch.batch_orders import BatchOrderDesk
from hopper.dispatch.batch_systems import BatchSystems, Clusters, NoClusters
from hopper.dispatch.book import Book
from hopper.dispatch.changes import merged
from hopper.dispatch.cluster_desk import ClusterDesk
from hopper.dispatch.decisions import BatchPlacement, BatchVisit, Decision, Placement, Visit
from hopper.dispatch.generated import Generated, NothingGenerated
from hopper.dispatch.housekeeping import Housekeeping
from hopper.dispatch.ingest import ingest
from hopper.dispatch.intents import record
from hopper.dispatch.ledger import Ledger
from hopper.dispatch.letters import Letters
from hopper.dispatch.orders import OrderDesk
from hopper.dispatch.policy import can_go_on, decide
from hopper.dispatch.ports import (
    Arrival,
    Clock,
    Fleet,
    Home,
    Log,
    Mailbox,
    NoTaskZips,
    OrderSettings,
    Refusal,
    Roster,
    Store,
    TaskZips,
    Upkeeping,
)
from hopper.dispatch.reports import ReportDesk
from hopper.dispatch.result_cache import ResultCache
from hopper.dispatch.rhythm import Rhythm
from hopper.dispatch.sending import Sender
from hopper.dispatch.settings import PolicySettings
from hopper.dispatch.shelf import NoShelf, Shelf
from hopper.dispatch.snapshot import Snapshot
from hopper.dispatch.tidying import Tidying
from hopper.dispatch.under_way import UnderWay
from hopper.errors import HopperError
from hopper.model.event import EventKind
from hopper.model.ids import new_attempt_id

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
    systems: BatchSystems
    clusters: Clusters = field(default_factory=NoClusters)
    generated: Generated = field(default_factory=NothingGenerated)
    shelf: Shelf = field(default_factory=NoShelf)
    task_zips: TaskZips = field(default_factory=NoTaskZips)


class Dispatcher:
    """The loop's state between ticks. Nothing of it is needed after a restart."""

    def __init__(self, ports: Ports, policy: PolicySettings, order_settings: OrderSettings) -> None:
        self.ports = ports
        self.launching = True
        """False once it is to end: what is under way is heard out, nothing new is begun."""
        self._policy = policy
        home, fleet = ports.home, ports.fleet
        self._ledger = Ledger(
            store=ports.store,
            home=home,
            log=ports.log,
            clock=ports.clock,
            settings=policy,
            task_zips=ports.task_zips,
        )
        self._rhythm = Rhythm(
            first=policy.poll_first, longest=policy.poll_longest, idle=policy.idle_look
        )
        self._tidying = Tidying()
        self._under_way = UnderWay()
        self._reports = ReportDesk(
            self._ledger,
            fleet,
            home,
            ports.roster,
            under_way=self._under_way,
            rhythm=self._rhythm,
            tidying=self._tidying,
            generated=ports.generated,
        )
        orders = OrderDesk(order_settings, policy, home.incoming())
        self._sender = Sender(self._ledger, orders, fleet, home, ports.task_zips, self._under_way)
        self._clusters = ClusterDesk(
            self._ledger,
            ports.clusters,
            ports.systems,
            home,
            BatchOrderDesk(order_settings, ports.systems, home.incoming(), home.path),
            generated=ports.generated,
            policy=policy,
        )
        self._cache = ResultCache(self._ledger, ports.shelf, ports.generated, ports.clock)
        self._letters = Letters(ports.mailbox)
        self._housekeeping = Housekeeping(
            self._ledger, home, ports.upkeep, home_low=order_settings.home_low
        )
        self._arrived: list[Arrival | Refusal] = []

    # --- start and end

    def start(self) -> None:
        """Bring the files at home to where the states say, and tell that we are here."""
        now = self._ledger.now()
        for job in list(self.book.jobs.values()):
            # An older reason was written, or a person has taken it away.
            fresh = job.state_since is not None and now - job.state_since < timedelta(days=1)
            self._ledger.place(job, explain=fresh)
        self._ledger.tell(EventKind.DISPATCH_STARTED)

    def stop(self, patience: float) -> None:
        """Tell that we end, and let go of the workers; their jobs go on."""
        try:
            self._ledger.tell(EventKind.DISPATCH_STOPPED)
        finally:
            self.ports.fleet.close(patience)

    @property
    def book(self) -> Book:
        """All that is known, as of the last commit."""
        return self._ledger.book

    @property
    def idle(self) -> bool:
        """True when nothing is left that could go on without a person's doing."""
        if self._under_way or self._clusters or self._arrived:
            return False
        if self.ports.home.arriving() is not None:
            return False
        if self._clusters.accounting_left(self._ledger.now()):
            return False
        workers = self.ports.roster.workers()
        places = {*workers, *self._clusters.targets}
        return not can_go_on(self.book, workers) and not self._tidying.left(
            self.book, places, self._ledger.now()
        )

    @property
    def orders_under_way(self) -> frozenset[str]:
        """Ids of the orders that are not reported on yet."""
        return self._under_way.ids | self._clusters.orders_under_way

    def look_everywhere(self) -> None:
        """Have all workers looked at in the next tick."""
        for name in self.ports.roster.workers():
            self._rhythm.at_once(name)
        for name in self._clusters.targets:
            self._clusters.look(name)

    # --- one tick

    def tick(self) -> float:
        """Do one turn and return the seconds until the next thing is due."""
        self._letters.answer(self.carry_out)
        self._reports.take_in()
        self._clusters.take_in()
        self._ingest()
        self._housekeeping.check_disk()
        self._cache.keep()
        if self.launching:
            self._decide_and_act()
        self._housekeeping.keep_up(busy=bool(self._under_way or self._clusters))
        return self._patience()

    def carry_out(self, body: Mapping[str, object]) -> Mapping[str, object]:
        """Carry out a command on the state and return its answer."""
        desk = self._ledger.desk()
        done = commands.apply(desk, body)
        if body.get("do") == "submit":
            self.ports.home.accept(str(body.get("job")))
        self._ledger.commit(merged([desk.changes(), done.changes]))
        for name in done.look_at:
            self._rhythm.at_once(name)
            self._clusters.look(name)
        if done.everywhere:
            self.look_everywhere()
        return done.answer

    def _ingest(self) -> None:
        known: Collection[str] = self.book.jobs
        if self._arrived:
            known = self.book.jobs.keys() | {arrival.job_id for arrival in self._arrived}
        try:
            self._arrived += self.ports.home.arrivals(known)
        except HopperError as error:
            self._ledger.trouble_once("queue", str(error))
        if self._arrived:
            # They are kept until they are recorded: their zips bear their jobs' names by now.
            desk = self._ledger.desk()
            ingest(desk, self._arrived)
            self._ledger.commit(desk.changes())
            self._arrived.clear()

    def _decide_and_act(self) -> None:
        home_full = self._housekeeping.home_full
        set_aside = self._cache.take(home_full=home_full)
        now = self._ledger.now()
        workers = self.ports.roster.workers()
        snapshot = Snapshot(
            book=self.book,
            workers=workers,
            settings=self._policy,
            busy=self._under_way.lanes,
            looks_due=self._rhythm.due(workers, now) | self._clusters.due(now),
            bulk_results=self._reports.bulk_results(),
            tried=self._tidying.tried,
            set_aside=set_aside,
            home_full=home_full,
            targets=self._clusters.targets,
            batch_busy=self._clusters.busy,
            batch_limits=self._clusters.limits(now),
            others_due=self._clusters.others_due(now),
        )
        decisions = decide(snapshot, now)
        self._record_intents(decisions)
        placed = [d for d in decisions if isinstance(d, Placement)]
        for placement in placed:
            # However idle it was: should this order or its report be lost, look again.
            self._rhythm.at_once(placement.worker)
        jobs = [self.book.jobs[placement.job.id] for placement in placed]
        first = {job.attempt.id for job in jobs if job.attempt is not None}
        visits = [d for d in decisions if isinstance(d, Visit)]
        self._sender.send(visits, workers, first, home_full=home_full)
        self._clusters.send(
            [d for d in decisions if isinstance(d, BatchPlacement)],
            [d for d in decisions if isinstance(d, BatchVisit)],
            home_full=home_full,
        )

    def _record_intents(self, decisions: Sequence[Decision]) -> None:
        desk = self._ledger.desk()
        for decision in decisions:
            record(desk, decision, lambda: new_attempt_id(secrets.choice))
        self._ledger.commit(desk.changes())

    def _patience(self) -> float:
        waits = [LONGEST_SLEEP]
        settling = self.ports.home.arriving()
        if settling is not None:
            waits.append(settling)
        busy = {worker for worker, _ in self._under_way.lanes}
        workers = self.ports.roster.workers()
        watched = {name for name in self.book.placed if name not in busy and name in workers}
        for due in (self._rhythm.next_due(watched), self._clusters.next_due()):
            if due is not None:
                waits.append((due - self._ledger.now()).total_seconds())
        return max(0.0, min(waits))
