"""Hundreds of jobs under random faults and commands, from a seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from hopper.dispatch.settings import BackOff
from hopper.errors import HopperError
from hopper.model.attempt import Outcome
from hopper.model.event import EventKind
from hopper.model.orders import Order
from hopper.model.states import JobState
from hopper.model.worker import Worker
from tests.fakes.farm_worker import FakeWorker, Plan
from tests.fakes.rig import POLICY, Rig, check_moves, spec

STORM_POLICY = replace(
    POLICY,
    retry=BackOff(first=timedelta(seconds=5), longest=timedelta(seconds=30), jitter=0.2),
    quarantine=BackOff(first=timedelta(seconds=60), longest=timedelta(minutes=5)),
    max_concurrent=7,
)
FAULTS = ("undelivered", "cut", "lost", "slow")


class Storm:
    """A rig, and all that goes wrong in it."""

    def __init__(self, seed: int, jobs: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - repeatable
        workers = [
            Worker(name="w1"),
            Worker(name="w2", slots=2),
            Worker(name="w3", slots=3, tags=frozenset({"big"})),
            Worker(name="w4", slots=2, gpus=2),
        ]
        self.rig = Rig(workers=workers, policy=STORM_POLICY)
        self.rig.farm.fault = self._fault
        self.to_come = [f"job{number:04}-x" for number in range(jobs)]
        self.abandoned: set[str] = set()
        self.requeued: Counter[str] = Counter()
        self.calm = False

    def _fault(self, _: Order) -> str:
        return "" if self.calm or self.chance.random() > 0.15 else self.chance.choice(FAULTS)

    def _plan(self) -> Plan:
        return Plan(
            seconds=self.chance.choice([0.0, 0.5, 3, 10, 40]),
            exit_code=self.chance.choice([0, 0, 0, 1]),
            results=self.chance.choice([("",), (".a", ".b"), ()]),
        )

    def drop(self) -> None:
        """Drop a few more jobs."""
        for name in self.to_come[: self.chance.randrange(6)]:
            needs: dict[str, object] = {"retries": self.chance.choice([0, 0, 2])}
            needs["priority"] = self.chance.choice([0, 0, 5])
            if self.chance.random() < 0.2:
                needs["tags"] = ("big",)
            elif self.chance.random() < 0.1:
                needs["gpus"] = 1
            if self.rig.store.jobs and self.chance.random() < 0.2:
                needs["after"] = (self.chance.choice(sorted(self.rig.store.jobs)),)
            self.rig.farm.plans[name] = [self._plan() for _ in range(4)]
            self.rig.home.drop(name, spec(name, **needs))
            self.to_come.remove(name)

    def strike(self) -> None:
        """Let something happen."""
        acts: dict[Callable[[], object], int] = {
            self._cut_off: 15,
            lambda: self.rig.farm.reboot(self._worker().name): 5,
            self._unmount: 4,
            self._fill_home: 11,
            self._fill_store: 7,
            self._restart: 8,
            lambda: self.rig.mailbox.leave(do=self.chance.choice(["pause", "resume", "look"])): 5,
            self._command: 45,
        }
        [act] = self.chance.choices(list(acts), list(acts.values()))
        act()

    def _worker(self) -> FakeWorker:
        return self.chance.choice(list(self.rig.farm.workers.values()))

    def _cut_off(self) -> None:
        worker = self._worker()
        worker.up = not worker.up

    def _unmount(self) -> None:
        worker = self._worker()
        worker.set_up = not worker.set_up

    def _fill_home(self) -> None:
        home = self.rig.home
        if self.chance.random() < 0.5:
            home.full = not home.full
        else:
            home.free = 10 if home.free > 10 else 10**12

    def _fill_store(self) -> None:
        self.rig.store.full = not self.rig.store.full

    def _restart(self) -> None:
        if not self.rig.store.full:
            self.rig.start()

    def _command(self) -> None:
        if not self.rig.store.jobs:
            return
        job = self.chance.choice(list(self.rig.store.jobs.values()))
        do = self.chance.choice(["cancel", "requeue", "abandon", "hold", "release", "priority"])
        body: dict[str, object] = {"do": do, "jobs": [job.id]}
        if do == "abandon":
            body |= {"do": "requeue", "abandon": True}
        if do == "priority":
            body["priority"] = self.chance.randrange(9)
        self.rig.mailbox.leave(**body)

    def rage(self, steps: int) -> None:
        """Turn the world; things happen."""
        for _ in range(steps):
            self.drop()
            if self.chance.random() < 0.3:
                self.strike()
            self._some_seconds(self.chance.choice([0.1, 1, 5]))
            self.check_always()

    def _some_seconds(self, seconds: float) -> None:
        """Tick as ``drive`` does, which goes on after a tick that broke off."""
        rig = self.rig
        end = rig.clock.monotonic() + seconds
        spins = 0
        while rig.clock.monotonic() < end:
            try:
                patience = rig.tick()
            except HopperError:
                patience = 2.0
            event = rig.farm.next_event()
            patience = patience if event is None else min(patience, event)
            spins = spins + 1 if not patience else 0
            assert spins < 50, "it spins without sleeping"
            rig.clock.advance(patience)

    def settle(self) -> None:
        """All is well again: everything comes to its end."""
        rig = self.rig
        self.calm = True
        for worker in rig.farm.workers.values():
            worker.up = worker.set_up = True
        rig.home.full = rig.store.full = False
        rig.home.free = 10**12
        while self.to_come:
            self.drop()
        rig.mailbox.leave(do="resume")
        rig.tick()
        rig.mailbox.leave(do="look")
        rig.mailbox.leave(do="release", jobs=sorted(rig.store.jobs))
        rig.run(lambda: rig.dispatcher.idle, within=20_000)

    # --- what must hold

    def check_always(self) -> None:
        rig = self.rig
        starts = Counter(start.attempt for start in rig.farm.starts)
        assert not [attempt for attempt, count in starts.items() if count > 1]
        assert not rig.farm.collisions
        held: Counter[tuple[str, int]] = Counter()
        for job in rig.store.jobs.values():
            attempt = job.open_attempt
            if attempt is not None:
                held[attempt.worker, attempt.slot] += 1
        assert not [slot for slot, count in held.items() if count > 1], held
        assert sum(held.values()) <= (STORM_POLICY.max_concurrent or 0)
        for name, worker in rig.roster.known.items():
            assert all(slot < worker.slots for host, slot in held if host == name)

    def check_end(self) -> None:
        rig = self.rig
        jobs = rig.store.jobs
        assert all(job.state.terminal for job in jobs.values())
        check_moves(rig.store.told)
        self._check_runs()
        for job in jobs.values():
            folders = [name for name, zips in rig.home.zips.items() if job.zip_name in zips]
            wanted = "done" if job.state is JobState.COMPLETED else "failed"
            assert folders == [wanted], (job.id, job.state, folders)
        for worker in rig.farm.workers.values():
            assert not worker.outbox
            assert not worker.zips
            assert not rig.farm.running(worker.name)

    def _check_runs(self) -> None:
        """A job runs again only where that was said: a retry, a requeue, an abandonment."""
        rig = self.rig
        starts = Counter(start.job_id for start in rig.farm.starts)
        again = Counter(
            event.job
            for event in rig.store.told
            if event.kind is EventKind.JOB_STATE
            and event.data["to"] == "pending"
            and "was not reached" not in event.reason
        )
        home = Counter(rig.home.results.values())
        for job in rig.store.jobs.values():
            assert starts[job.id] <= 1 + again[job.id], job.id
            if job.state is JobState.COMPLETED:
                assert starts[job.id] >= 1
            for attempt in job.attempts:
                for result in attempt.results:
                    content = rig.home.results[result.name]
                    assert content == f"{job.id} {attempt.id}".encode()
                    assert home[content] == len(attempt.results)
                plans = rig.farm.plans[job.id]
                wanted = plans[0].results if isinstance(plans, list) else plans.results
                if attempt.outcome is Outcome.COMPLETED:
                    assert len(attempt.results) == len(wanted)


def storm(seed: int, jobs: int, steps: int) -> Storm:
    """Let one rage, and check."""
    it = Storm(seed, jobs)
    it.rage(steps)
    it.settle()
    it.check_end()
    return it
