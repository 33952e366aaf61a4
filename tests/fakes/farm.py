"""Workers in memory that behave as ``src/hopper/remote/scripts`` make real ones behave.

The farm is the outside world: it outlives dispatchers. A ``FakeFleet`` is one dispatcher's
connection to it; what is under way in it is lost with it, what has arrived goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from hopper.model.orders import (
    Collected,
    ExternalSighting,
    Follow,
    Launch,
    LaunchResult,
    Order,
    Report,
    Sighting,
)
from tests.fakes.clock import FakeClock

LATENCY = 0.2
"""Seconds from the sending of an order to its report."""
FAULT_SECONDS = 10.0
"""What a connection that fails takes to do so."""
SLOW_SECONDS = 30.0
"""What a slow worker takes to unpack."""


class Files(Protocol):
    """The files at home, as the workers' side sees them."""

    def has_zip(self, path: str) -> bool: ...

    def write(self, path: str, content: bytes) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a job does when it runs."""

    seconds: float = 5.0
    exit_code: int = 0
    results: tuple[str, ...] = ("",)
    """Ends of the result names, between the job's id and ``.zip``."""
    immortal: bool = False
    """No signal ends it."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """A job that started, as the worker tells."""

    worker: str
    job_id: str
    attempt: str
    at: datetime


@dataclass(kw_only=True)
class Side:
    """An attempt's side folder."""

    launch: Launch | None = None
    begins: datetime | None = None
    """Claimed, still unpacking until then."""
    run: bool = False
    started: datetime | None = None
    ends: datetime | None = None
    boot: int = 0
    cancelled: bool = False
    how: str = ""
    code: int = 0
    ended: datetime | None = None
    immortal: bool = False


@dataclass(kw_only=True)
class FakeWorker:
    """One worker."""

    name: str
    zips: dict[str, str] = field(default_factory=dict)
    """What is in the Inbox: name without ``.zip``, and whose it is (empty: a stranger's)."""
    sides: dict[str, Side] = field(default_factory=dict)
    outbox: dict[str, bytes] = field(default_factory=dict)
    boot: int = 1
    up: bool = True
    set_up: bool = True
    stuck_remains: bool = False
    """Nothing can be cleaned away."""
    refuses: str = ""
    """Why every launch is refused."""


@dataclass(kw_only=True)
class _Call:
    """An order on its way."""

    order: Order
    at: datetime
    """When the worker gets it."""
    reply_at: datetime
    fleet: FakeFleet
    fault: str
    report: Report | None = None


Fault = Callable[[Order], str]
"""Says what goes wrong with an order: nothing (empty), ``undelivered``, ``cut`` (not carried
out, and that is not known), ``lost`` (carried out, the report lost) or ``slow`` (the launch
goes on after the report was lost)."""


class Farm:
    """All workers, and a record of what they really did."""

    def __init__(self, clock: FakeClock, names: Sequence[str], files: Files) -> None:
        self.clock = clock
        self.files = files
        self.workers = {name: FakeWorker(name=name) for name in names}
        self.plans: dict[str, Plan | list[Plan]] = {}
        """By job id, or its slug: one for all attempts, or one for each, the last for more."""
        self.fault: Fault = lambda _: ""
        self.starts: list[Start] = []
        self.orders: list[Order] = []
        self.most_at_once: dict[str, int] = dict.fromkeys(names, 0)
        self.collisions: list[str] = []
        """Hosts that had two orders at once in one lane."""
        self._calls: list[_Call] = []

    # --- the world turns

    def turn(self) -> None:
        """Let everything happen that is due by now."""
        for call in sorted(self._calls, key=lambda call: call.at):
            if call.report is None and call.at <= self.clock.now():
                call.report = self._deliver(call)
        for worker in self.workers.values():
            self._settle(worker, self.clock.now())
        for call in [c for c in self._calls if c.reply_at <= self.clock.now()]:
            self._calls.remove(call)
            call.fleet.arrived.append(call.report or self._failed(call.order, "no answer"))

    def next_event(self) -> float | None:
        """Seconds until something happens by itself; None when nothing will."""
        now = self.clock.now()
        dates = [call.at if call.report is None else call.reply_at for call in self._calls]
        for worker in self.workers.values():
            for side in worker.sides.values():
                due = side.begins if not side.run else side.ends
                if due is not None and not side.how and side.boot == worker.boot:
                    dates.append(due)
        return max(0.0, (min(dates) - now).total_seconds()) if dates else None

    def reboot(self, name: str) -> None:
        worker = self.workers[name]
        self._settle(worker, self.clock.now())
        worker.boot += 1

    def running(self, name: str) -> list[str]:
        """Attempts that run on a worker now."""
        worker = self.workers[name]
        return [
            attempt
            for attempt, side in worker.sides.items()
            if side.run and not side.how and side.boot == worker.boot
        ]

    def starts_of(self, job_id: str) -> list[Start]:
        return [start for start in self.starts if start.job_id == job_id]

    def plan(self, job_id: str) -> Plan:
        """What the next attempt of a job does."""
        plan = self._plans(job_id)
        return plan[min(len(self.starts_of(job_id)), len(plan) - 1)]

    def _plans(self, job_id: str) -> list[Plan]:
        slug = job_id.rpartition("-")[0]
        plan = self.plans.get(job_id) or self.plans.get(slug) or Plan()
        return [plan] if isinstance(plan, Plan) else plan

    def submit(self, fleet: FakeFleet, orders: Sequence[Order]) -> None:
        now = self.clock.now()
        for order in orders:
            lane = (order.host, order.deadline is None)
            if any(
                (c.order.host, c.order.deadline is None) == lane and c.fleet is fleet
                for c in self._calls
            ):
                self.collisions.append(order.host)
            fault = self.fault(order) if self.workers[order.host].up else "undelivered"
            wait = FAULT_SECONDS if fault else LATENCY
            self._calls.append(
                _Call(
                    order=order,
                    at=now + timedelta(seconds=LATENCY / 2),
                    reply_at=now + timedelta(seconds=wait),
                    fleet=fleet,
                    fault=fault,
                )
            )
            self.orders.append(order)

    def _failed(self, order: Order, error: str, *, delivered: bool = True) -> Report:
        at = self.clock.now().timestamp()
        return Report(order=order.id, host=order.host, at=at, error=error, delivered=delivered)

    def _deliver(self, call: _Call) -> Report:
        if call.fault == "undelivered" or not self.workers[call.order.host].up:
            return self._failed(call.order, "connection refused", delivered=False)
        if call.fault == "cut":
            return self._failed(call.order, "connection lost")
        slow = SLOW_SECONDS if call.fault == "slow" else 0.0
        report = Visit(self, self.workers[call.order.host], call.order, slow).carry_out()
        if call.fault:
            return self._failed(call.order, "connection lost")
        return report

    def _settle(self, worker: FakeWorker, now: datetime) -> None:
        for attempt, side in worker.sides.items():
            if side.how or side.boot != worker.boot:
                continue
            if not side.run and side.begins is not None and side.begins <= now:
                self.start(worker, attempt, side, side.begins)
            if side.run and side.ends is not None and side.ends <= now:
                self._end(worker, attempt, side)

    def start(self, worker: FakeWorker, attempt: str, side: Side, at: datetime) -> None:
        """The launcher runs."""
        launch = side.launch
        assert launch is not None
        side.run = True
        plan = self.plan(launch.job_id)
        for name in [n for n in worker.outbox if _is_result_of(n, launch.name)]:
            del worker.outbox[name]  # set aside
        worker.zips[launch.name] = attempt
        side.started, side.immortal, side.code = at, plan.immortal, plan.exit_code
        side.ends = at + timedelta(seconds=plan.seconds)
        if launch.time_limit and plan.seconds > launch.time_limit:
            side.ends, side.code = at + timedelta(seconds=launch.time_limit), -1
        self.starts.append(Start(worker=worker.name, job_id=launch.job_id, attempt=attempt, at=at))
        busy = len(self.running(worker.name))
        self.most_at_once[worker.name] = max(self.most_at_once[worker.name], busy)

    def _end(self, worker: FakeWorker, attempt: str, side: Side) -> None:
        launch = side.launch
        assert launch is not None
        assert side.ends is not None
        side.how, side.ended = ("timeout" if side.code == -1 else "exited"), side.ends
        side.code = 143 if side.code == -1 else side.code
        if worker.zips.get(launch.name) == attempt:
            del worker.zips[launch.name]
        for tail in self._plans(launch.job_id)[0].results:
            worker.outbox[f"{launch.name}{tail}.zip"] = f"{launch.job_id} {attempt}".encode()


class Visit:
    """One order on one worker, act by act as ``order.sh`` does them."""

    def __init__(self, farm: Farm, worker: FakeWorker, order: Order, slow: float) -> None:
        self.farm, self.worker, self.order = farm, worker, order
        self.now = farm.clock.now()
        self.slow = slow
        self.collected: list[Collected] = []
        self.gathered: list[str] = []
        self.too_large: list[str] = []

    def carry_out(self) -> Report:
        self.farm._settle(self.worker, self.now)
        order, worker = self.order, self.worker
        missing = () if worker.set_up else ("inbox /home/w/Inbox",)
        zips = tuple(f"{name}.zip" for name in worker.zips) if worker.set_up else ()
        cancelled = tuple((t.attempt, *self._cancel(t.attempt, t.name)) for t in order.cancels)
        discarded = tuple((t.attempt, self._discard(t.attempt, t.name)) for t in order.discards)
        for release in order.releases:
            for name in release.files:
                worker.outbox.pop(name, None)
        cleaned = tuple(t.attempt for t in order.cleans if self._clean(t.attempt))
        launched = tuple(self._launch(launch) for launch in order.launches)
        sightings = tuple(self._follow(follow) for follow in order.follows)
        externals = tuple(
            self._external(item.attempt, item.name, item.collect) for item in order.externals
        )
        return Report(
            order=order.id,
            host=order.host,
            at=self.now.timestamp(),
            boot_id=str(worker.boot),
            clock_skew=0.0,
            free_bytes=10**12,
            inbox="/home/w/Inbox",
            outbox="/home/w/Outbox",
            missing=missing,
            zips=zips,
            sightings=sightings,
            externals=externals,
            launched=launched,
            cancelled=cancelled,
            discarded=discarded,
            released=tuple(release.attempt for release in order.releases),
            cleaned=cleaned,
            collected=tuple(self.collected),
            gathered=tuple(self.gathered),
            too_large=tuple(self.too_large),
        )

    def _cancel(self, attempt: str, name: str) -> tuple[str, str]:
        side = self.worker.sides.setdefault(attempt, Side(boot=self.worker.boot))
        side.cancelled = True
        if not side.run:
            side.run = True
            side.how, side.code, side.ended = "cancelled", 143, self.now
            return "dead", ""
        if side.how:
            return "dead", ""
        if side.immortal and side.boot == self.worker.boot:
            return "alive", "4711"
        side.how, side.code, side.ended = "cancelled", 143, self.now
        if self.worker.zips.get(name) == attempt:
            del self.worker.zips[name]
        return "dead", ""

    def _discard(self, attempt: str, name: str) -> str:
        verdict, _ = self._cancel(attempt, name)
        for result in [r for r in self.worker.outbox if _is_result_of(r, name)]:
            del self.worker.outbox[result]
        return verdict

    def _clean(self, attempt: str) -> bool:
        if self.worker.stuck_remains:
            return False
        self.worker.sides.pop(attempt, None)
        return True

    def _launch(self, launch: Launch) -> LaunchResult:
        side = self.worker.sides.get(launch.attempt)
        if side is not None and side.run:
            return LaunchResult(attempt=launch.attempt, verdict="again")
        refusal = self._refusal(launch)
        if refusal is not None:
            return LaunchResult(
                attempt=launch.attempt, verdict="refused", why=refusal, text=f"is {refusal}"
            )
        if side is not None and side.begins is not None and side.begins > self.now:
            return LaunchResult(attempt=launch.attempt, verdict="underway")
        if self.worker.refuses:
            return LaunchResult(
                attempt=launch.attempt, verdict="refused", why=self.worker.refuses, text="no"
            )
        begins = self.now + timedelta(seconds=self.slow)
        side = Side(launch=launch, begins=begins, boot=self.worker.boot)
        self.worker.sides[launch.attempt] = side
        if not self.slow:
            self.farm.start(self.worker, launch.attempt, side, self.now)
        return LaunchResult(attempt=launch.attempt, verdict="now")

    def _refusal(self, launch: Launch) -> str | None:
        if not self.worker.set_up:
            return "setup"
        others = [name for name in self.worker.zips if name != launch.name]
        if len(others) >= launch.slots:
            return "busy"
        return None if self.farm.files.has_zip(launch.zip_path) else "torn"

    def _follow(self, follow: Follow) -> Sighting:
        side = self.worker.sides.get(follow.attempt) if self.worker.set_up else None
        phase = _phase(side, self.worker.boot)
        if side is None or phase in {"absent", "staged"}:
            return Sighting(attempt=follow.attempt, phase=phase)
        if phase != "running" and follow.collect:
            self._collect(follow.attempt, follow.name, phase)
        return Sighting(
            attempt=follow.attempt,
            phase=phase,
            how=side.how,
            exit_code=side.code if side.how else None,
            started_at=side.started.timestamp() if side.started else None,
            ended_at=side.ended.timestamp() if side.ended else None,
            group="4711" if phase == "running" else "",
        )

    def _collect(self, attempt: str, name: str, phase: str) -> None:
        if phase != "ended" and self.worker.zips.get(name) == attempt:
            del self.worker.zips[name]
        results = {r: c for r, c in self.worker.outbox.items() if _is_result_of(r, name)}
        limit = self.order.fetch_limit
        if limit is not None and any(len(content) > limit for content in results.values()):
            self.too_large.append(attempt)
            return
        for number, (result, content) in enumerate(results.items()):
            self._bring(attempt, "result", result, content, number)
        self._bring(attempt, "log", "log.home", b"a log\n", len(results))
        self.gathered.append(attempt)

    def _bring(self, attempt: str, kind: str, name: str, content: bytes, number: int) -> None:
        path = f"{self.order.incoming}/{attempt}/{number}.{kind}"
        self.farm.files.write(path, content)
        self.collected.append(
            Collected(
                attempt=attempt,
                kind=kind,
                name=name,
                path=path,
                size=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
            )
        )

    def _external(self, attempt: str, name: str, collect: bool) -> ExternalSighting:
        results = {r: c for r, c in self.worker.outbox.items() if _is_result_of(r, name)}
        if collect:
            for number, (result, content) in enumerate(results.items()):
                self._bring(attempt, "result", result, content, number)
            self.gathered.append(attempt)
        return ExternalSighting(
            name=name,
            in_inbox=name in self.worker.zips and self.worker.set_up,
            results=tuple((result, len(content)) for result, content in results.items()),
        )


def _phase(side: Side | None, boot: int) -> str:
    if side is None:
        return "absent"
    if side.how:
        return "ended"
    if not side.run:
        return "staged" if side.boot == boot else "absent"
    return "running" if side.boot == boot else "rebooted"


def _is_result_of(result: str, name: str) -> bool:
    return result == f"{name}.zip" or (result.startswith(f"{name}.") and result.endswith(".zip"))


class FakeFleet:
    """One dispatcher's connection to the farm."""

    def __init__(self, farm: Farm) -> None:
        self.farm = farm
        self.arrived: list[Report] = []
        self.closed = False

    def send(self, orders: Sequence[Order]) -> None:
        self.farm.submit(self, orders)

    def receive(self) -> list[Report]:
        self.farm.turn()
        arrived, self.arrived = self.arrived, []
        return arrived

    def close(self, patience: float) -> None:  # noqa: ARG002 - the port's own name
        self.closed = True


def by_job(starts: Sequence[Start]) -> Mapping[str, int]:
    """How often each job started."""
    counts: dict[str, int] = {}
    for start in starts:
        counts[start.job_id] = counts.get(start.job_id, 0) + 1
    return counts
