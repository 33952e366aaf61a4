"""Workers in memory that behave as ``src/hopper/remote/scripts`` make real ones behave.

The farm is the outside world: it outlives dispatchers. A ``FakeFleet`` is one dispatcher's
connection to it; what is under way in it is lost with it, what has arrived goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hopper.model.orders import (
    Order,
    Report,
)
from tests.fakes.clock import FakeClock
from tests.fakes.farm_visit import Visit
from tests.fakes.farm_worker import FakeWorker, Files, Plan, Side, Start, is_result_of

LATENCY = 0.2
"""Seconds from the sending of an order to its report."""
FAULT_SECONDS = 10.0
"""What a connection that fails takes to do so."""
SLOW_SECONDS = 30.0
"""What a slow worker takes to unpack."""


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
            self.settle(worker, self.clock.now())
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
        self.settle(worker, self.clock.now())
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

    def settle(self, worker: FakeWorker, now: datetime) -> None:
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
        for name in [n for n in worker.outbox if is_result_of(n, launch.name)]:
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
