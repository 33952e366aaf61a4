"""A login node and its batch system in memory that behave as ``batch.sh`` and the scripts do.

The cluster is the outside world: it outlives dispatchers. A ``Line`` is one dispatcher's
connection to it. An order is carried out step by step; its shell may be killed or stall at any
step, and go on when others have been there.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hopper.model.batch import (
    BatchOrder,
    BatchReport,
    FollowBatch,
    Said,
    SideSighting,
    Submission,
    SubmitResult,
    Submitted,
    Withdrawal,
)
from hopper.model.orders import Collected
from tests.fakes.clock import FakeClock

LATENCY, FAULT_SECONDS, STALL_SECONDS = 0.2, 10.0, 45.0
QUEUE_SECONDS = 1.5
DIGEST = "ab"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the next attempt of a job does."""

    seconds: float = 4.0
    exit_code: int = 0
    refused: bool = False


@dataclass(frozen=True, kw_only=True)
class Start:
    """A command that started."""

    job: str
    attempt: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Fault:
    """``undelivered``, ``lost`` (its report), ``late``; ``cut`` or ``stall`` at a step from 1."""

    kind: str = ""
    step: int = 0


NOTHING = Said(code=255, stdout="", stderr="")


@dataclass(kw_only=True)
class Side:
    """A side folder."""

    owner: Visit | None = None
    script: str = ""
    tasks: dict[int, str] = field(default_factory=dict)
    tried: bool = False
    submitted: bool = False
    said: Said = NOTHING
    cancel: bool = False
    run: bool = False
    started: float | None = None
    native: str = ""
    code: int | None = None
    ended: float | None = None


@dataclass(kw_only=True)
class Native:
    """A job of the batch system, or one member of a job array."""

    id: str
    name: str
    """The attempt's id, or the array's."""
    index: int
    script: str
    begins: datetime
    ends: datetime | None = None
    attempt: str = ""
    exit_code: int = 0
    over: bool = False


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


class Visit:
    """One order, step by step as ``batch.sh`` takes them."""

    def __init__(self, cluster: Cluster, order: BatchOrder) -> None:
        self.cluster, self.order = cluster, order
        self.alive = True
        self.submitted: list[SubmitResult] = []
        self.withdrawn: list[str] = []
        self.cancelled: list[tuple[str, Said]] = []
        self.cleaned: list[str] = []
        self.answers: list[tuple[str, Said]] = []
        self.sides: list[SideSighting] = []
        self.collected: list[Collected] = []
        self.gathered: list[str] = []

    def report(self) -> BatchReport:
        order = self.order
        return BatchReport(
            order=order.id,
            host=order.host,
            at=self.cluster.clock.now().timestamp(),
            clock_skew=0.0,
            free_bytes=10**12,
            submitted=tuple(self.submitted),
            answers=tuple(self.answers),
            sides=tuple(self.sides),
            cancelled=tuple(self.cancelled),
            withdrawn=tuple(self.withdrawn),
            cleaned=tuple(self.cleaned),
            collected=tuple(self.collected),
            gathered=tuple(self.gathered),
        )

    def carry_out(self) -> Iterator[None]:
        order = self.order
        self._take_turn()
        for cancel in order.cancels:
            self.cancelled.append((cancel.attempt, self.cluster.said_to(cancel.command)))
            yield
        for withdrawal in order.withdrawals:
            yield from self._withdraw(withdrawal)
        yield from self._clean()
        for submission in order.submissions:
            yield from self._submit(submission)
        for query in order.queries:
            self.answers.append((query.name, self.cluster.said_to(query.shell)))
        self.sides += [self._follow(follow) for follow in order.follows]
        yield

    def _take_turn(self) -> None:
        line, life, number = self.order.turn.split()
        self.line, self.turn = line, (int(life), int(number))
        self.cluster.turns[line] = max(self.turn, self.cluster.turns.get(line, (0, 0)))

    def _clean(self) -> Iterator[None]:
        order, sides = self.order, self.cluster.sides
        for attempt in order.cleans:
            sides.pop(attempt, None)
            self.cleaned.append(attempt)
            yield
        for attempt, array, index in order.array_cleans:
            sides.pop(attempt, None)
            if array in sides:
                sides[array].tasks.pop(index, None)
                if not sides[array].tasks:
                    del sides[array]
            self.cleaned.append(attempt)
            yield

    # --- submit

    def _submit(self, item: Submission) -> Iterator[None]:
        sides = self.cluster.sides
        settled = item.attempt not in sides
        if settled:
            sides[item.attempt] = Side(owner=self)
            yield
        else:
            yield from self._submit_again(item)
            if self.submitted and self.submitted[-1].attempt == item.attempt:
                return
        side = sides.get(item.attempt)
        if self.cluster.turns[self.line] > self.turn:
            if settled:
                sides.pop(item.attempt, None)
            self._say(item.attempt, Submitted.UNDERWAY, 0, "a later order has been there")
        elif side is None:
            self._say(item.attempt, Submitted.REFUSED, 1, "no such folder\n")
        else:
            side.script, side.tasks = item.script, dict(item.tasks)
            yield from self._hand_in(item, side)

    def _hand_in(self, item: Submission, side: Side) -> Iterator[None]:
        side.tried = True
        yield
        said = self.cluster.said_to(item.command, side.script, side.tasks)
        yield
        side.said = said
        side.submitted = said.code == 0
        if not side.submitted:
            side.owner = None
        yield
        self.submitted.append(SubmitResult(attempt=item.attempt, verdict=Submitted.NOW, said=said))

    def _submit_again(self, item: Submission) -> Iterator[None]:
        """What is told of a side folder that was there."""
        side = self.cluster.sides[item.attempt]
        if side.submitted:
            self._again(item.attempt, side)
            return
        if side.owner is not None and side.owner is not self and side.owner.alive:
            self._say(item.attempt, Submitted.UNDERWAY, 0, "")
            return
        side.owner = self
        yield
        if side.tried:
            found = self._known_before(item.attempt, item.lookup, side)
            if found is not None:
                self.submitted.append(found)
            yield

    def _again(self, attempt: str, side: Side) -> None:
        self.submitted.append(
            SubmitResult(attempt=attempt, verdict=Submitted.AGAIN, said=side.said)
        )

    def _known_before(self, attempt: str, lookup: str, side: Side) -> SubmitResult | None:
        if side.started is not None:
            said = Said(code=0, stdout=f"{side.native}\n", stderr="")
        else:
            said = self.cluster.said_to(lookup)
            if not said.stdout:
                return None
        side.said, side.submitted = said, True
        return SubmitResult(attempt=attempt, verdict=Submitted.FOUND, said=said)

    def _say(self, attempt: str, verdict: Submitted, code: int, words: str) -> None:
        said = Said(code=code, stdout="", stderr=words)
        self.submitted.append(SubmitResult(attempt=attempt, verdict=verdict, said=said))

    # --- withdraw and follow

    def _withdraw(self, item: Withdrawal) -> Iterator[None]:
        sides = self.cluster.sides
        if self.cluster.turns[self.line] > self.turn:
            return
        side = sides.setdefault(item.attempt, Side())
        side.cancel = side.cancel or side.started is None
        yield
        side.run = True
        yield
        group = item.array or item.attempt
        whole = sides.get(group)
        if whole is None or not (whole.submitted or whole.tried):
            self.withdrawn.append(item.attempt)
        elif whole.submitted:
            self._again(item.attempt, whole)
        elif (found := self._known_before(item.attempt, item.lookup, whole)) is not None:
            self.submitted.append(found)
        else:
            self.withdrawn.append(item.attempt)
        yield

    def _follow(self, item: FollowBatch) -> SideSighting:
        self.cluster._settle(self.cluster.clock.now())
        side = self.cluster.sides.get(item.attempt) or Side()
        if item.collect and (side.code is not None or item.over):
            path = f"{self.order.incoming}/{item.attempt}/0.log"
            self.cluster.write(path, b"a log\n")
            self.collected.append(
                Collected(
                    attempt=item.attempt, kind="log", name="log", path=path, size=6, sha256=DIGEST
                )
            )
            self.gathered.append(item.attempt)
        return SideSighting(
            attempt=item.attempt,
            native=side.native,
            started_at=side.started,
            exit_code=side.code,
            ended_at=side.ended,
        )


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
