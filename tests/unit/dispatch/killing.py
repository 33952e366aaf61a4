"""A scenario that is killed at its n-th call of a port, and goes on in a new dispatcher.

The store and the files at home are the real ones; the workers are simulated and live on.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hopper.backends.systems import Systems
from hopper.config.model import HopperConfig, Paths, Poll
from hopper.dispatch.changes import Changes
from hopper.dispatch.commands import arrival_to_json
from hopper.dispatch.loop import Dispatcher, Ports
from hopper.dispatch.run_acts import NewRun, NewTask, run_body
from hopper.home.at_home import FilesAtHome, arrival
from hopper.home.task_zips import PackedTasks
from hopper.model.event import Event
from hopper.model.job import Job, JobSpec
from hopper.model.orders import Order
from hopper.model.run import Run
from hopper.model.states import JobState
from hopper.model.task import Task
from hopper.model.worker import Worker
from hopper.store.lock import StateLock
from hopper.store.state import StateStore
from tests.fakes.clock import FakeClock
from tests.fakes.farm import FakeFleet, Farm
from tests.fakes.farm_worker import Plan
from tests.fakes.rig import ORDERS, POLICY, check_moves, turn
from tests.fakes.small import FakeLog, FakeMailbox, FakeRoster

EXPECTED = {
    "fine": JobState.COMPLETED,
    "lost": JobState.COMPLETED,
    "again": JobState.COMPLETED,
    "bad": JobState.FAILED,
    "long": JobState.CANCELLED,
    "later": JobState.COMPLETED,
    "never": JobState.DEP_FAILED,
    "handed": JobState.COMPLETED,
    "first": JobState.COMPLETED,
    "second": JobState.COMPLETED,
}
ATTEMPTS = {
    "first": 1,
    "second": 1,
    "fine": 1,
    "lost": 1,
    "again": 2,
    "bad": 1,
    "later": 1,
    "never": 0,
    "handed": 1,
}
TASKS = {"first": "first-abcdef", "second": "second-abcdef"}
"""The tasks of a run, of which the second comes after the first, and their jobs."""
HANDED = "handed-abcdef"


class Killed(BaseException):
    """The process is gone; nothing of it is left but what others hold."""


class Death:
    """Comes at the n-th call that changes something outside, before or after it took effect."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.left = at
        self.after = after
        self.struck = False

    def call(self, act: Callable[[], Any]) -> Any:
        self.left -= 1
        if self.left or self.struck:
            return act()
        self.struck = True
        if self.after:
            act()
        raise Killed


class Mortal:
    """A port whose calls may be the last."""

    def __init__(self, port: object, death: Death, *names: str) -> None:
        self._port, self._death, self._names = port, death, names

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._port, name)
        if name not in self._names:
            return value
        return lambda *args: self._death.call(lambda: value(*args))


class FilesOnDisk:
    """What the simulated workers see of the files at home."""

    def has_zip(self, path: str) -> bool:
        return Path(path).exists()

    def write(self, path: str, content: bytes) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content)


class World:
    """All that outlives a dispatcher: folders, workers, letters, the clock."""

    def __init__(self, folder: Path, death: Death) -> None:
        names = ("inbox", "queue", "running", "done", "failed", "db")
        paths = Paths(**{name: folder / name for name in names}, log=folder / "hopper.log")
        self.config = HopperConfig(paths=paths, poll=Poll(interval_seconds=10, settle_seconds=0))
        self.paths = paths
        self.death = death
        self.clock = FakeClock()
        workers = [Worker(name="w1"), Worker(name="w2")]
        self.roster = FakeRoster(*workers)
        self.farm = Farm(self.clock, ["w1", "w2"], FilesOnDisk())
        self.farm.plans = {
            "again": [Plan(exit_code=1), Plan()],
            "bad": Plan(exit_code=7),
            "long": Plan(seconds=5000),
            **{name: Plan(results=()) for name in TASKS},
        }
        self.farm.fault = self._fault
        self.letters = FakeMailbox()
        self.acknowledged: list[Event] = []
        self.deaths = 0

    def _fault(self, order: Order) -> str:
        """The first report on the launch of ``lost`` is lost."""
        mine = [item for item in order.launches if item.job_id.startswith("lost-")]
        return "lost" if mine and not self.farm.starts_of(mine[0].job_id) else ""

    # --- what people do

    def drop(self, name: str, after: str = "") -> None:
        lines = [f"name: {name}", "retries: 1" if name == "again" else "retries: 0"]
        if after:
            lines.append(f"after: [{after}]")
        path = self.paths.queue / f"{name}.zip"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(zip_of(name, "\n".join(lines)))
        os.utime(path, (1, 1))

    def hand_in(self) -> None:
        home = FilesAtHome(self.config)
        source = self.paths.db / "source.zip"
        source.write_bytes(zip_of("handed", "name: handed"))
        facts = home.inspect(home.hand_in(source, HANDED))
        spec = JobSpec(name="handed")
        body = arrival_to_json(arrival(HANDED, spec, "handed.zip", facts))
        self.letters.leave(do="submit", **body)
        source.unlink()

    def start_run(self) -> None:
        run = Run(
            id="run-abcdef",
            workflow="w",
            backend="farm",
            on_workers=True,
            created_at=self.clock.now(),
            max_concurrent=1,
        )
        tasks = [
            NewTask(
                job=job_id,
                spec=JobSpec(name=name, after=(TASKS["first"],) if name == "second" else ()),
                task=Task(id=name, command="true", working_dir="."),
            )
            for name, job_id in TASKS.items()
        ]
        self.letters.leave(**run_body(NewRun(run=run, tasks=tuple(tasks))))

    # --- a life

    def live(self) -> None:
        """Run dispatchers, one after the other, until the scenario is at its end."""
        for name in ("fine", "lost", "again", "bad", "long"):
            self.drop(name)
        self.hand_in()
        self.start_run()
        for _ in range(3):
            try:
                self._life()
            except Killed:
                self.deaths += 1
            else:
                return
        raise AssertionError("it died more often than it was killed")

    def _life(self) -> None:
        lock = StateLock.acquire(self.paths.db)
        store = StateStore.open(self.paths.db, lock=lock)
        home = FilesAtHome(self.config)
        packed = PackedTasks(self.paths, lambda job, _: f"echo {job.id}\n")
        try:
            self._dispatch(store, home, packed)
            store.compact()
        finally:
            home._pool.shutdown()
            packed.close()
            store._source.abandon()  # type: ignore[union-attr]
            lock.release()

    def _dispatch(self, store: StateStore, home: FilesAtHome, packed: PackedTasks) -> None:
        box = FakeMailbox(self.letters.letters)
        box.answers = self.letters.answers
        death = self.death
        ports = Ports(
            store=_Acknowledging(store, self),
            systems=Systems((), Path(), Path()),
            fleet=Mortal(FakeFleet(self.farm), death, "send", "receive"),
            home=Mortal(home, death, "arrivals", "accept", "place", "land", "write_reason"),
            roster=self.roster,
            mailbox=Mortal(box, death, "answer"),
            log=FakeLog(),
            clock=self.clock,
            upkeep=lambda now: death.call(lambda: _keep_up(store, home, now)),
            task_zips=Mortal(packed, death, "zip_of"),
        )
        policy = replace(POLICY, quarantine_after=0)
        dispatcher = Dispatcher(ports, policy, ORDERS)
        dispatcher.start()
        turn(dispatcher, self.clock, self.farm, lambda: self._end(dispatcher), within=1200)

    def _end(self, dispatcher: Dispatcher) -> bool:
        """What people do meanwhile; True when all is over."""
        jobs = {job.name: job for job in dispatcher.book.jobs.values()}
        asked = {str(letter.body.get("do")) for letter in self.letters.letters.values()}
        running = jobs.get("long")
        if (
            running is not None
            and running.state is JobState.RUNNING
            and "cancel" not in asked
            and not running.cancel_requested
        ):
            self.letters.leave(do="cancel", jobs=[running.id])
        if "fine" in jobs and "bad" in jobs and not self._dropped:
            self._dropped = True
            self.drop("later", after="fine")
            self.drop("never", after="bad")
        return len(jobs) == len(EXPECTED) and dispatcher.idle and not self.letters.letters

    _dropped = False


class _Acknowledging:
    """The store, which may die at a commit; notes the events that it has acknowledged."""

    def __init__(self, store: StateStore, world: World) -> None:
        self._store, self._world = store, world

    @property
    def jobs(self) -> Mapping[str, Job]:
        return self._store.jobs

    @property
    def workers(self) -> Mapping[str, Any]:
        return self._store.workers

    @property
    def runs(self) -> Mapping[str, Any]:
        return self._store.runs

    @property
    def clusters(self) -> Mapping[str, Any]:
        return self._store.clusters

    @property
    def externals(self) -> Mapping[str, Any]:
        return self._store.externals

    @property
    def stored(self) -> Mapping[str, Any]:
        return self._store.stored

    @property
    def settings(self) -> Mapping[str, object]:
        return self._store.settings

    def commit(self, changes: Changes) -> None:
        def act() -> None:
            self._store.commit(changes)
            self._world.acknowledged += changes.events

        self._world.death.call(act)


def _keep_up(store: StateStore, home: FilesAtHome, now: datetime) -> Sequence[str]:
    attempts = [job.open_attempt for job in store.jobs.values()]
    home.purge({attempt.id for attempt in attempts if attempt is not None})
    return store.maintain(now, keep=timedelta(days=30)).problems


def zip_of(name: str, job_file: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("run_job.sh", f"echo {name}\n")
        archive.writestr("hopper-job.yaml", job_file + "\n")
    return buffer.getvalue()


def check(world: World) -> None:
    """Nothing lost, nothing twice, everything in its place."""
    store = StateStore.open(world.paths.db, readonly=True)
    try:
        jobs = {job.name: job for job in store.jobs.values()}
        events = list(store.events())
        assert len(store.jobs) == len(jobs)
    finally:
        store.close()
    assert {name: job.state for name, job in jobs.items()} == EXPECTED
    _check_runs(world, jobs)
    _check_files(world, jobs)
    check_moves(events)
    _check_events(world, events)


def _check_runs(world: World, jobs: Mapping[str, Job]) -> None:
    attempts = Counter(start.attempt for start in world.farm.starts)
    assert not [attempt for attempt, count in attempts.items() if count > 1]
    ran = Counter(start.job_id for start in world.farm.starts)
    for name, count in ATTEMPTS.items():
        assert ran[jobs[name].id] == count, name
    assert ran[jobs["long"].id] <= 1
    assert max(world.farm.most_at_once.values()) == 1
    assert not world.farm.collisions
    for worker in world.farm.workers.values():
        assert not worker.outbox, "results left behind"
        assert not worker.zips, "zips left behind"


def _check_files(world: World, jobs: Mapping[str, Job]) -> None:
    paths = world.paths
    places = {
        "done": {name for name, state in EXPECTED.items() if state is JobState.COMPLETED},
        "failed": {name for name, state in EXPECTED.items() if state is not JobState.COMPLETED},
        "queue": set(),
        "running": set(),
    }
    assert not [*(paths.db / "packed").iterdir()]
    for folder, names in places.items():
        found = {path.name for path in getattr(paths, folder).glob("*.zip")}
        assert found == {jobs[name].zip_name for name in names - TASKS.keys()}, folder
        assert not [p for p in getattr(paths, folder).iterdir() if p.name.startswith(".")]
    contents = Counter(
        path.read_bytes().decode() for path in paths.inbox.iterdir() if path.is_file()
    )
    others = {jobs["long"].id, *TASKS.values()}
    ended = [start for start in world.farm.starts if start.job_id not in others]
    for name in TASKS:
        assert (paths.inbox / "run-abcdef" / name / "stdout.log").is_file()
    assert contents == Counter(f"{start.job_id} {start.attempt}" for start in ended)


def _check_events(world: World, events: Sequence[Event]) -> None:
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    there = iter(events)
    for event in world.acknowledged:
        # In their order, each of them.
        assert any(_same(event, other) for other in there), event


def _same(one: Event, other: Event) -> bool:
    plain = replace(one, seq=0), replace(other, seq=0)
    return all(
        getattr(plain[0], name) == getattr(plain[1], name)
        for name in ("kind", "at", "job", "worker", "reason")
    )
