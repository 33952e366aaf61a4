"""A login node and its batch system in memory that behave as ``batch.sh`` and the scripts do.

The cluster is the outside world: it outlives dispatchers. A ``Line`` is one dispatcher's
connection to it. An order is carried out step by step; its shell may be killed or stall at any
step, and go on when others have been there.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hopper.model.batch import (
    BatchOrder,
    BatchReport,
    Said,
)
from tests.fakes.clock import FakeClock
from tests.fakes.cluster_values import (
    FAULT_SECONDS,
    LATENCY,
    QUEUE_SECONDS,
    STALL_SECONDS,
    Fault,
    Native,
    Plan,
    Side,
    Start,
)
from tests.fakes.cluster_visit import Visit


@dataclass(kw_only=True)
class _Call:
    order: BatchOrder
    line: Line
    fault: Fault
    at: datetime
    reply_at: datetime
    resume_at: datetime | None = None
    visit: Visit | None = None
    steps: Iterator[None] | None = None
    report: BatchReport | None = None
    done: bool = False
    replied: bool = False


class Cluster:
    """The world."""

    def __init__(self, clock: FakeClock, write: Callable[[str, bytes], None]) -> None:
        self.clock = clock
        self.write = write
        self.sides: dict[str, Side] = {}
        self.natives: list[Native] = []
        self.plans: dict[str, list[Plan]] = {}
        """By the job's slug: one for each start; the last for more."""
        self.limit = 1000
        self.starts: list[Start] = []
        self.steps = 0
        self.turns: dict[str, tuple[int, int]] = {}
        self.orders = 0
        self.fault: Callable[[BatchOrder, int], Fault] = lambda *_: Fault()
        self.wrong: list[str] = []
        self.on_start: Callable[[Start], None] = lambda _: None
        self._calls: list[_Call] = []

    # --- the world turns

    def alive(self) -> list[Native]:
        return [native for native in self.natives if not native.over]

    def turn(self) -> None:
        now = self.clock.now()
        for call in list(self._calls):
            if call.visit is None and call.at <= now:
                self._begin(call)
            elif call.resume_at is not None and call.resume_at <= now:
                call.resume_at = None
                self._go_on(call, Fault())
            self._settle(now)
            if not call.replied and call.reply_at <= now:
                call.replied = True
                call.line.arrived.append(call.report or self._failed(call.order, "no answer"))
        self._settle(now)
        self._calls = [c for c in self._calls if not (c.replied and c.done)]

    def next_event(self) -> float | None:
        dates = [c.at for c in self._calls if c.visit is None]
        dates += [c.reply_at for c in self._calls if not c.replied]
        dates += [c.resume_at for c in self._calls if c.resume_at is not None]
        dates += [n.ends or n.begins for n in self.alive()]
        now = self.clock.now()
        return max(0.0, (min(dates) - now).total_seconds()) if dates else None

    def submit(self, line: Line, order: BatchOrder) -> None:
        now = self.clock.now()
        self.orders += 1
        fault = self.fault(order, self.orders)
        wait = FAULT_SECONDS if fault.kind else LATENCY
        way = STALL_SECONDS if fault.kind == "late" else LATENCY / 2
        self._calls.append(
            _Call(
                order=order,
                line=line,
                fault=fault,
                at=now + timedelta(seconds=way),
                reply_at=now + timedelta(seconds=wait),
            )
        )

    def _begin(self, call: _Call) -> None:
        call.visit = Visit(self, call.order)
        if call.fault.kind == "undelivered":
            call.report = self._failed(call.order, "connection refused", delivered=False)
            call.done = True
            return
        call.steps = call.visit.carry_out()
        self._go_on(call, call.fault)

    def _go_on(self, call: _Call, fault: Fault) -> None:
        assert call.steps is not None
        assert call.visit is not None
        for step, _ in enumerate(call.steps, 1):
            self.steps = max(self.steps, step)
            if fault.kind == "cut" and step == fault.step:
                break
            if fault.kind == "stall" and step == fault.step:
                call.resume_at = self.clock.now() + timedelta(seconds=STALL_SECONDS)
                return
        else:
            if not call.fault.kind:
                call.report = call.visit.report()
        call.visit.alive = False
        call.done = True

    def _failed(self, order: BatchOrder, error: str, *, delivered: bool = True) -> BatchReport:
        at = self.clock.now().timestamp()
        return BatchReport(order=order.id, host=order.host, at=at, error=error, delivered=delivered)

    # --- the batch system

    def said_to(self, command: str, script: str = "", tasks: dict[int, str] | None = None) -> Said:
        """Carry out one of its commands."""
        _, act, *words = shlex.split(command)
        if act == "submit":
            return self._sbatch(words[0], script, tasks or {})
        self._settle(self.clock.now())
        if act == "lookup":
            found = [n.id for n in self.natives if n.name == words[0]]
            lines = [found[0].partition("_")[0]] if found else []
        elif act == "queue":
            lines = [f"{n.id} {'R' if n.ends else 'Q'}" for n in self.alive()]
        else:
            lines = []
            for native in self.alive():
                if native.id in words:
                    self._end(native, 143)
        return Said(code=0, stdout="".join(f"{line}\n" for line in lines), stderr="")

    def _sbatch(self, name: str, script: str, tasks: dict[int, str]) -> Said:
        if any(n.name == name for n in self.alive()):
            self.wrong.append(f"{name} is submitted twice")
        scripts = tasks or {0: script}
        if any(self.plan(text).refused for text in scripts.values()):
            return Said(code=1, stdout="", stderr="refused: no such partition\n")
        if len(self.alive()) + len(scripts) > self.limit:
            return Said(code=1, stdout="", stderr="limit of jobs\n")
        number = str(len({n.id.partition("_")[0] for n in self.natives}) + 1)
        for index in scripts:
            self.natives.append(
                Native(
                    id=f"{number}_{index}" if tasks else number,
                    name=name,
                    index=index,
                    script=script,
                    begins=self.clock.now() + timedelta(seconds=QUEUE_SECONDS),
                )
            )
        return Said(code=0, stdout=f"{number}\n", stderr="")

    def plan(self, script: str) -> Plan:
        job = script.partition(" ")[0]
        plans = self.plans.get(job.rpartition("-")[0], [Plan()])
        ran = sum(start.job == job for start in self.starts)
        return plans[min(ran, len(plans) - 1)]

    def _settle(self, now: datetime) -> None:
        for native in self.alive():
            if native.ends is None and native.begins <= now:
                self._start(native, native.begins)
            if not native.over and native.ends is not None and native.ends <= now:
                self._end(native, native.exit_code)

    def _start(self, native: Native, at: datetime) -> None:
        """The script runs, up to its command."""
        native.over = True
        script = native.script
        if native.index:
            array = self.sides.get(native.name)
            if array is None or native.index not in array.tasks:
                return
            script = array.tasks[native.index]
        job, attempt = script.split()
        side = self.sides.setdefault(attempt, Side()) if native.index else self.sides.get(attempt)
        if side is None or side.run:
            return
        side.run, side.started, side.native = True, at.timestamp(), native.id
        native.over, native.attempt = False, attempt
        plan = self.plan(script)
        native.ends = at + timedelta(seconds=plan.seconds)
        start = Start(job=job, attempt=attempt, at=at)
        self.on_start(start)
        self.starts.append(start)
        native.exit_code = plan.exit_code

    def _end(self, native: Native, code: int) -> None:
        native.over = True
        side = self.sides.get(native.attempt)
        if side is not None:
            side.code, side.ended = code, self.clock.now().timestamp()

    def running(self, job: str) -> list[str]:
        """Attempts of a job whose command runs."""
        mine = {start.attempt for start in self.starts if start.job == job}
        return [n.attempt for n in self.alive() if n.attempt in mine]


class Line:
    """One dispatcher's connection to the cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.arrived: list[BatchReport] = []

    def send(self, orders: Sequence[BatchOrder]) -> None:
        for order in orders:
            self.cluster.submit(self, order)

    def receive_batch(self) -> list[BatchReport]:
        self.cluster.turn()
        arrived, self.arrived = self.arrived, []
        return arrived
