"""What one tick of the dispatcher costs, with many workers and jobs and no Ansible.

Usage: python bench/tick.py [--workers 1000] [--queued 100000] [--repeat 7] [--json]
The store and the files at home are in memory, so the figures are the scheduler's own.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


from hopper.backends.systems import Systems
from hopper.dispatch.loop import Dispatcher, Ports
from hopper.dispatch.ports import OrderSettings, ZipGone
from hopper.dispatch.settings import PolicySettings
from hopper.model.attempt import Attempt
from hopper.model.job import Job, JobSpec
from hopper.model.orders import LaunchResult, Order, Report, Sighting
from hopper.model.resources import Requirements
from hopper.model.states import JobState
from hopper.model.worker import Worker, WorkerRecord
from tests.fakes.clock import FakeClock
from tests.fakes.home import FakeHome
from tests.fakes.small import FakeLog, FakeMailbox, FakeRoster
from tests.fakes.store import FakeStore

AIM_SECONDS, AIM_MB = 0.5, 500


class QuietHome(FakeHome):
    """All zips are always in their places."""

    # ruff: noqa: D102 - the ports say what these are
    def place(self, job: Job) -> None:
        if not job.zip_name:
            raise ZipGone("never")


class HeldFleet:
    """Holds orders until it is told what to report."""

    def __init__(self) -> None:
        self.sent: list[Order] = []
        self.ready: list[Report] = []

    def send(self, orders: Sequence[Order]) -> None:
        self.sent += orders

    def receive(self) -> list[Report]:
        reports, self.ready = self.ready, []
        return reports

    def close(self, patience: float) -> None:
        """Nothing is held, however much ``patience`` there is."""

    def answer(self, clock: FakeClock, phase: str) -> int:
        """Have every order under way reported, its jobs in that phase; return how many."""
        now = clock.now().timestamp()
        self.ready = [_report(order, now, phase) for order in self.sent]
        self.sent = []
        return len(self.ready)


def _report(order: Order, now: float, phase: str) -> Report:
    ended = phase == "ended"
    return Report(
        order=order.id,
        host=order.host,
        at=now,
        boot_id="boot",
        free_bytes=10**12,
        launched=tuple(LaunchResult(attempt=i.attempt, verdict="now") for i in order.launches),
        released=tuple(item.attempt for item in order.releases),
        cleaned=tuple(item.attempt for item in order.cleans),
        sightings=tuple(
            Sighting(
                attempt=item.attempt,
                phase=phase,
                how="exited" if ended else "",
                exit_code=0 if ended else None,
                started_at=now,
            )
            for item in order.follows
        ),
        gathered=tuple(item.attempt for item in order.follows) if ended else (),
    )


def dispatcher(workers: int, queued: int, busy: int) -> tuple[Dispatcher, HeldFleet, FakeClock]:
    """Return a dispatcher with that much to do."""
    clock, store, fleet = FakeClock(), FakeStore(), HeldFleet()
    names = [f"worker{number:04}" for number in range(workers)]
    roster = FakeRoster(*(Worker(name=name, tags=_tags(n)) for n, name in enumerate(names)))
    for name in names:
        store.workers[name] = WorkerRecord(
            name=name, last_contact=clock.now(), free_bytes=10**12, boot_id="boot"
        )
    for number in range(queued):
        job = _job(number, clock, store)
        store.jobs[job.id] = job
    for number in range(busy):
        job = _job(queued + number, clock, store)
        attempt = Attempt(
            id=f"a{number:09}",
            number=1,
            worker=names[number],
            slot=0,
            intended_at=clock.now(),
            started_at=clock.now(),
        )
        store.jobs[job.id] = replace(job, state=JobState.RUNNING, attempts=(attempt,))
    ports = Ports(
        store=store,
        systems=Systems((), Path(), Path()),
        fleet=fleet,
        home=QuietHome(),
        roster=roster,
        mailbox=FakeMailbox(),
        log=FakeLog(),
        clock=clock,
        upkeep=_no_upkeep,
    )
    policy = PolicySettings(keep_failed=timedelta(hours=24))
    made = Dispatcher(ports, policy, OrderSettings(command="sh run_job.sh"))
    return made, fleet, clock


def _no_upkeep(now: datetime) -> Sequence[str]:
    return (f"none at {now}",)[:0]


def _tags(number: int) -> frozenset[str]:
    return frozenset({"big"}) if number % 10 == 0 else frozenset()


def _job(number: int, clock: FakeClock, store: FakeStore) -> Job:
    job_id = f"train-{number:06}"
    # Every fifth needs a tag, every tenth comes after another.
    tags = frozenset({"big"}) if number % 5 == 0 else frozenset()
    after = (f"train-{number - 1:06}",) if number % 10 == 9 and store.jobs else ()
    return Job(
        id=job_id,
        spec=JobSpec(
            name="train",
            priority=number % 3,
            requirements=Requirements(tags=tags),
            env={"LR": "0.1"},
            after=after,
        ),
        state=JobState.PENDING,
        submitted_at=clock.now() - timedelta(seconds=number),
        state_since=clock.now(),
        zip_name=f"{job_id}.zip",
        source_name=f"{job_id}.zip",
        zip_size=100_000,
        zip_sha256=f"{number:064x}",
        unpacked_size=1_000_000,
        remote_name=job_id,
    )


def timed(act: Callable[[], object]) -> float:
    """Return the seconds that it takes."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def measure(workers: int, queued: int, repeat: int) -> dict[str, float]:
    """Return the median seconds of each kind of tick, and the memory in MB."""
    took: dict[str, list[float]] = {}

    def tick(name: str) -> None:
        took.setdefault(name, []).append(timed(it.tick))

    start = time.perf_counter()
    it, fleet, clock = dispatcher(workers, queued, busy=workers * 9 // 10)
    built = time.perf_counter()
    took["start"] = [timed(it.start)]
    it.launching = False
    tick("nothing to do, orders under way")
    it.launching = True
    it.tick()
    fleet.answer(clock, "running")
    it.tick()
    for _ in range(repeat):
        fleet.answer(clock, "running")
        it.tick()
        # Nothing is due: the workers were looked at, the free ones just got their jobs.
        tick("nothing to do")
        clock.advance(11)
        tick("all workers due")
        assert len(fleet.sent) >= workers * 9 // 10
        fleet.answer(clock, "running")
        tick("after reports of all")
        _finish(it, fleet, clock, workers // 10)
        tick(f"{workers // 10} jobs ended, as many placed")
    it, fleet, clock = dispatcher(workers, queued, busy=0)
    took[f"{workers} jobs placed at once"] = [timed(it.tick)]
    gc.collect()
    figures = {name: statistics.median(values) for name, values in took.items()}
    figures["built"] = built - start
    figures["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures


def _finish(it: Dispatcher, fleet: HeldFleet, clock: FakeClock, count: int) -> None:
    """Have so many workers' jobs reported as ended."""
    clock.advance(11)
    it.tick()
    now = clock.now().timestamp()
    fleet.ready = [
        _report(order, now, "ended" if n < count else "running")
        for n, order in enumerate(fleet.sent)
    ]
    fleet.sent = []


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--queued", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.workers, options.queued, options.repeat)
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{options.workers} workers, {options.queued} queued jobs, median of {options.repeat}")
    for name, value in figures.items():
        if name == "memory_mb":
            print(f"  {'memory (peak RSS)':40} {value:8.0f} MB  (aim {AIM_MB})")
        else:
            aim = "" if name in {"start", "built"} else f"  (aim {AIM_SECONDS * 1000:.0f})"
            print(f"  {name:40} {value * 1000:8.1f} ms{aim}")


if __name__ == "__main__":
    main()
