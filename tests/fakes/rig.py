"""A dispatcher over fakes (or some real adapters), with a clock that a test turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from hopper.backends.systems import Systems
from hopper.dispatch.generated import Generated, NothingGenerated
from hopper.dispatch.loop import Dispatcher, Ports
from hopper.dispatch.ports import Home, Mailbox, OrderSettings, Store
from hopper.dispatch.settings import BackOff, PolicySettings
from hopper.dispatch.shelf import NoShelf, Shelf
from hopper.model.event import Event, EventKind
from hopper.model.job import Job, JobSpec
from hopper.model.resources import Requirements
from hopper.model.states import LEGAL_MOVES, JobState
from hopper.model.worker import Worker
from tests.fakes.clock import FakeClock
from tests.fakes.farm import FakeFleet, Farm
from tests.fakes.home import FakeHome
from tests.fakes.small import FakeLog, FakeMailbox, FakeRoster
from tests.fakes.store import FakeStore

POLICY = PolicySettings(
    retry=BackOff(first=timedelta(seconds=5), longest=timedelta(minutes=1), jitter=0.2)
)
ORDERS = OrderSettings(command="sh run_job.sh", home_low=1_000)


def spec(name: str = "job", **parts: object) -> JobSpec:
    """A spec; ``tags``, ``gpus`` and ``time_limit`` (seconds) are its requirements."""
    limit = parts.pop("time_limit", None)
    tags = parts.pop("tags", ())
    needs = Requirements(
        tags=frozenset(tags),  # type: ignore[call-overload]
        gpus=parts.pop("gpus", 0),  # type: ignore[arg-type]
        time_limit=timedelta(seconds=limit) if isinstance(limit, int | float) else None,
    )
    return JobSpec(name=name, requirements=needs, **parts)  # type: ignore[arg-type]


@dataclass(kw_only=True)
class Rig:
    """A world and one dispatcher in it at a time."""

    clock: FakeClock = field(default_factory=FakeClock)
    store: FakeStore = field(default_factory=FakeStore)
    home: FakeHome = field(default_factory=FakeHome)
    workers: Sequence[Worker] = (Worker(name="w1"), Worker(name="w2"))
    policy: PolicySettings = POLICY
    orders: OrderSettings = ORDERS
    mailbox: FakeMailbox = field(default_factory=FakeMailbox)
    upkeeps: int = 0
    problems: tuple[str, ...] = ()
    shelf: Shelf = field(default_factory=NoShelf)
    generated: Generated = field(default_factory=NothingGenerated)

    def __post_init__(self) -> None:
        self.farm = Farm(self.clock, [worker.name for worker in self.workers], self.home)
        self.roster = FakeRoster(*self.workers)
        self.dispatcher = self.start()

    def start(self) -> Dispatcher:
        """A new dispatcher, as after a ``kill -9`` of the one before."""
        self.mailbox = FakeMailbox(self.mailbox.letters)
        self.fleet = FakeFleet(self.farm)
        ports = Ports(
            store=self.store,
            systems=Systems((), Path(), Path()),
            fleet=self.fleet,
            home=self.home,
            roster=self.roster,
            mailbox=self.mailbox,
            log=FakeLog(),
            clock=self.clock,
            upkeep=self._upkeep,
            shelf=self.shelf,
            generated=self.generated,
        )
        self.dispatcher = Dispatcher(ports, self.policy, self.orders)
        self.dispatcher.start()
        return self.dispatcher

    def _upkeep(self, now: datetime) -> Sequence[str]:  # noqa: ARG002 - the port's own name
        self.upkeeps += 1
        return self.problems

    def tick(self) -> float:
        return self.dispatcher.tick()

    def run(self, until: Callable[[], object], *, within: float = 600.0, step: float = 1.0) -> None:
        """Tick until the condition holds, at most so many seconds of the clock."""
        turn(self.dispatcher, self.clock, self.farm, until, within=within, step=step)

    def seconds(self, seconds: float) -> None:
        """Tick for so long."""
        end = self.clock.monotonic() + seconds
        self.run(lambda: self.clock.monotonic() >= end, within=seconds + 60)

    def job(self, job_id: str) -> Job:
        return self.store.jobs[job_id]

    def state(self, job_id: str) -> JobState:
        return self.store.jobs[job_id].state

    def ends(self, *job_ids: str, within: float = 600.0) -> list[JobState]:
        """Tick until these jobs are at their ends, and return the ends."""
        names = job_ids or tuple(self.store.jobs)
        self.run(
            lambda: all(name in self.store.jobs and self.state(name).terminal for name in names),
            within=within,
        )
        return [self.state(name) for name in names]

    def kinds(self, kind: EventKind) -> list[Event]:
        return [event for event in self.store.told if event.kind is kind]


def turn(
    dispatcher: Dispatcher,
    clock: FakeClock,
    farm: Farm,
    until: Callable[[], object],
    *,
    within: float,
    step: float = 1.0,
) -> None:
    """Tick a dispatcher until something holds; fails when it takes too long or spins."""
    deadline = clock.monotonic() + within
    idle_turns = 0
    while not until():
        before = clock.monotonic()
        assert before < deadline, f"not within {within:g} s of the clock"
        patience = min(dispatcher.tick(), step)
        event = farm.next_event()
        # A report rings the bell, so it ends the sleep.
        clock.advance(patience if event is None else min(patience, event))
        idle_turns = idle_turns + 1 if clock.monotonic() == before else 0
        assert idle_turns < 20, "it spins without sleeping"


def check_moves(events: Sequence[Event]) -> None:
    """Every move is a legal one and starts where the last one ended."""
    states: dict[str, JobState] = {}
    for event in events:
        if event.kind is EventKind.JOB_SUBMITTED and event.job:
            states[event.job] = JobState.PENDING
        if event.kind is not EventKind.JOB_STATE or event.job is None:
            continue
        before, after = JobState(str(event.data["from"])), JobState(str(event.data["to"]))
        assert states.get(event.job, before) is before, event
        assert after in LEGAL_MOVES[before], event
        states[event.job] = after


__all__ = ["Home", "Mailbox", "Rig", "Store", "check_moves", "spec", "turn"]
