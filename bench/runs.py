"""A run of many tasks with wildcard dependencies: `python bench/runs.py [N] [--json]`.

How long it takes to read and expand them, and what the ticks of the dispatcher cost while they
are submitted to a Slurm, followed and ended. No Ansible; the store and the files are in memory.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import poll
from bench.tick import HeldFleet
from hopper.backends.systems import Systems
from hopper.config.backends import Backend
from hopper.dispatch.loop import Dispatcher, Ports
from hopper.dispatch.ports import OrderSettings
from hopper.dispatch.run_acts import run_body
from hopper.dispatch.settings import PolicySettings
from hopper.model.batch import (
    BatchOrder,
    BatchReport,
    Said,
    SideSighting,
    SubmitResult,
    Submitted,
)
from hopper.model.run import Run
from hopper.model.states import JobState
from hopper.workflows.documents import parse
from hopper.workflows.expand import expand
from hopper.workflows.planning import plan_run
from tests.fakes.clock import FakeClock
from tests.fakes.home import FakeHome
from tests.fakes.small import FakeLog, FakeMailbox, FakeRoster
from tests.fakes.store import FakeStore

TEMPLATES = Path(__file__).resolve().parent.parent / "roles" / "batch_submit" / "templates"
AIM_SECONDS = 1.0
GROUPS = 100


def document(count: int) -> str:
    """Return a workflow: groups of tasks, for each one that waits for all of it, and a last."""
    size = count // GROUPS - 1
    tasks: list[dict[str, object]] = []
    for group in range(GROUPS):
        tasks += [
            {"id": f"fit.g{group}.t{n}", "name": f"t{n}", "command": f"./fit {n}", "cpus": 2}
            for n in range(size)
        ]
        tasks.append(
            {"id": f"sum.g{group}", "name": "sum", "command": "./sum", "deps": [f"fit.g{group}.*"]}
        )
    tasks.append({"id": "report", "name": "report", "command": "./report", "deps": ["sum.*"]})
    return json.dumps({"tasks": tasks})


class Cluster:
    """A Slurm that takes every job, and shows as running what is not told to have ended."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._orders: list[BatchOrder] = []
        self._reports: list[BatchReport] = []
        self.native: dict[str, str] = {}
        self.ended: set[str] = set()

    # ruff: noqa: D102 - the port says what these are
    def send(self, orders: Sequence[BatchOrder]) -> None:
        self._orders += orders

    def receive_batch(self) -> list[BatchReport]:
        reports, self._reports = self._reports, []
        return reports

    def answer(self) -> None:
        """Have all orders answered, which is not the dispatcher's own work."""
        self._reports = [self._answer(order) for order in self._orders]
        self._orders = []

    def _answer(self, order: BatchOrder) -> BatchReport:
        now = self._clock.now().timestamp()
        submitted = []
        for item in order.submissions:
            native = self.native.setdefault(item.attempt, str(1000 + len(self.native)))
            words = Said(code=0, stdout=f"{native}\n", stderr="")
            submitted.append(SubmitResult(attempt=item.attempt, verdict=Submitted.NOW, said=words))
        live = [native for name, native in self.native.items() if name not in self.ended]
        text = poll.slurm(live)
        collected = [item.attempt for item in order.follows if item.attempt in self.ended]
        return BatchReport(
            order=order.id,
            host=order.host,
            at=now,
            submitted=tuple(submitted),
            answers=tuple((q.name, Said(code=0, stdout=text, stderr="")) for q in order.queries),
            sides=tuple(self._sides((item.attempt for item in order.follows), now)),
            gathered=tuple(collected),
            cleaned=tuple(order.cleans),
        )

    def _sides(self, attempts: Iterable[str], now: float) -> Iterator[SideSighting]:
        for attempt in attempts:
            over = attempt in self.ended
            yield SideSighting(
                attempt=attempt,
                native=self.native.get(attempt, ""),
                started_at=now,
                exit_code=0 if over else None,
                ended_at=now if over else None,
                out_bytes=10,
            )


def timed(act: Callable[[], object]) -> float:
    """Return the seconds that it takes."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def measure(count: int, folder: Path) -> dict[str, float]:
    """Return the median seconds of each step, and the memory in MB."""
    took: dict[str, list[float]] = {}
    text = document(count)
    clock, store, mailbox = FakeClock(), FakeStore(), FakeMailbox()
    cluster = Cluster(clock)
    config = Backend.model_validate(
        {"name": "cl", "type": "slurm", "ssh": {"host": "cl"}, "max_concurrent": count}
    )
    took["read the file"] = [timed(lambda: parse(text, "workflow.json"))]
    read = parse(text, "workflow.json")
    took["expand the dependencies"] = [timed(lambda: expand(read))]
    run = Run(id="r1", workflow="big", backend="cl", created_at=clock.now())
    start = time.perf_counter()
    new = plan_run(read, run, config)
    took["plan the whole run"] = [time.perf_counter() - start]
    it = Dispatcher(
        Ports(
            store=store,
            systems=Systems((config,), TEMPLATES, folder),
            fleet=HeldFleet(),
            clusters=cluster,
            home=FakeHome(),
            roster=FakeRoster(),
            mailbox=mailbox,
            log=FakeLog(),
            clock=clock,
            upkeep=lambda _: (),
        ),
        PolicySettings(keep_failed=timedelta(hours=24)),
        OrderSettings(command="sh run_job.sh"),
    )
    it.start()

    def tick(name: str) -> None:
        cluster.answer()
        took.setdefault(name, []).append(timed(it.tick))

    mailbox.leave(**run_body(new))
    it.launching = False
    tick("tick: the run is entered")
    tick("tick: nothing to do, all waiting")
    it.launching = True
    while True:
        before = len(cluster.native)
        tick("tick: 500 are submitted")
        clock.advance(2)
        if len(cluster.native) == before and before:
            break
    running = len(cluster.native)
    for _ in range(5):
        clock.advance(30)
        tick(f"tick: a look at {running} on the cluster")
        tick(f"tick: what it told of {running}")
        tick(f"tick: nothing to do, {running} on the cluster")
    cluster.ended |= set(list(cluster.native)[: count // 20])
    for _ in range(4):
        clock.advance(30)
        tick("tick: a twentieth has ended")
    states = [job.state for job in store.jobs.values()]
    assert states.count(JobState.COMPLETED) == count // 20, states.count(JobState.COMPLETED)
    gc.collect()
    figures = {name: statistics.median(values) for name, values in took.items()}
    figures.update({f"{name} (worst)": max(v) for name, v in took.items() if len(v) > 1})
    figures["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", type=int, metavar="N", nargs="?", default=20_000)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hopb") as folder:
        figures = measure(options.tasks, Path(folder))
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"a run of {options.tasks} tasks (aim {AIM_SECONDS:g} s each)")
    for name, value in figures.items():
        unit = f"{value:8.0f} MB" if name == "memory_mb" else f"{value * 1000:8.1f} ms"
        print(f"  {name:48} {unit}")


if __name__ == "__main__":
    main()
