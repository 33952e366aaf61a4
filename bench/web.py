"""The web page of a busy lab: `python bench/web.py [--scripthut] [--json]`.

Start, pages, updates, memory, and what 100 clients do to the ticks of the dispatcher; with
--scripthut beside ScriptHut on as many runs and tasks, installed in a venv of its own (it has no
history of 100,000 jobs to carry). Times are those of a client on the same machine, connection
kept, answer read to its end.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.tick import QuietHome
from bench.web_state import make_state
from hopper.bootstrap.adapters import LetterBox, SystemClock
from hopper.bootstrap.backends import systems
from hopper.bootstrap.settings import order_settings, policy_settings
from hopper.config.load import load
from hopper.dispatch.changes import Changes
from hopper.dispatch.loop import Dispatcher, Ports
from hopper.model.batch import BatchReport
from hopper.model.event import Event, EventKind
from hopper.model.orders import Report
from hopper.model.states import JobState
from hopper.store.state import StateStore
from tests.fakes.small import FakeLog, FakeRoster

AIMS = {
    "start to ready, s": 2.0,
    "ms": 50.0,
    "kB": 300.0,
    "update, s": 1.0,
    "memory, MB": 200.0,
    "tick beside 100 clients": 2.0,
}
REPEAT = 15
CLIENTS = 100
PATIENCE = 120.0
HEADERS = {"Accept": "text/html", "Accept-Encoding": "identity"}


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that runs."""

    process: subprocess.Popen[bytes]
    port: int
    started: float
    """Seconds from the start of its process to its first answer."""

    def memory(self) -> float:
        """Return what of it is in memory, in MB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        line = next(line for line in text.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024


@contextmanager
def serving(words: Sequence[str], port: int, ready: str, folder: Path) -> Iterator[Server]:
    """Run a server until the block ends; ``ready`` is a path that it answers."""
    began = time.monotonic()
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, cwd=folder)
    try:
        deadline = time.monotonic() + PATIENCE
        while not _answers(port, ready):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit((folder / "server.log").read_text(errors="replace"))
            time.sleep(0.02)
        yield Server(process=process, port=port, started=time.monotonic() - began)
    finally:
        process.terminate()
        process.wait(60)


def _answers(port: int, path: str) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", path, headers=HEADERS)
        answer = connection.getresponse()
        answer.read()
        connection.close()
    except OSError:
        return False
    return answer.status == 200


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What getting a page again and again showed."""

    median_ms: float
    kilobytes: float


def fetch(port: int, path: str, repeat: int = REPEAT) -> Fetched:
    """Get a page again and again over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    times, size = [], 0
    for _ in range(repeat + 1):
        began = time.perf_counter()
        connection.request("GET", path, headers=HEADERS)
        answer = connection.getresponse()
        size = len(answer.read())
        times.append(time.perf_counter() - began)
        assert answer.status == 200, (path, answer.status)
    connection.close()
    # The first compiles templates.
    return Fetched(median_ms=1000 * statistics.median(times[1:]), kilobytes=size / 1000)


# --- hopper


def measure_hopper(config: Path, folder: Path) -> dict[str, float]:
    """Return hopper's figures."""
    figures: dict[str, float] = {}
    port = free_port()
    words = [sys.executable, "-m", "hopper", "--config", str(config), "web", "--port", str(port)]
    with serving(words, port, "/", folder) as server:
        figures["start to ready, s"] = server.started
        run = _newest_run(config)
        for name, path in (
            ("/", "/"),
            ("/jobs", "/jobs"),
            ("run", f"/runs/{run}"),
            ("its tasks", f"/runs/{run}/items?group=fit"),
            ("with history", "/jobs?history=1"),
        ):
            got = fetch(port, path)
            figures[f"{name}, ms"] = got.median_ms
            figures[f"{name}, kB"] = got.kilobytes
        figures["update, s"] = statistics.median(updates(config, port))
        figures["memory, MB"] = server.memory()
        idle, beside = ticks(config, port)
        figures["tick, ms"] = 1000 * idle
        figures["tick beside 100 clients"] = beside / idle
        figures["memory after that, MB"] = server.memory()
    return figures


def free_port() -> int:
    """Return a port that nobody listens on."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _newest_run(config: Path) -> str:
    with StateStore.open(config.parent / "db", readonly=True) as store:
        return max(store.runs)


def updates(config: Path, port: int, count: int = 7) -> list[float]:
    """Return how long after a commit an open page is told of it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/jobs/stream?view=jobs", headers={"Accept": "text/event-stream"})
    stream = connection.getresponse()
    assert stream.status == 200
    times = []
    with StateStore.open(config.parent / "db") as store:
        pending = [job for job in store.jobs.values() if job.state is JobState.PENDING]
        for job in pending[:count]:
            now = datetime.now(UTC)
            held = replace(job, held=not job.held)
            event = Event(kind=EventKind.JOB_HELD, at=now, job=job.id)
            store.commit(Changes(jobs=(held,), events=(event,)))
            began = time.perf_counter()
            while job.id.encode() not in stream.readline():
                assert time.perf_counter() - began < PATIENCE
            times.append(time.perf_counter() - began)
    connection.close()
    return times


def ticks(config: Path, port: int) -> tuple[float, float]:
    """Return the median seconds of a dispatcher's tick, alone and beside clients that poll.

    The dispatcher is a process of its own over the same state: each tick takes a command that
    holds or releases a job, and commits it.
    """
    words = [sys.executable, str(Path(__file__).resolve()), "--ticks", str(config)]
    alone = float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    crowd = subprocess.Popen([sys.executable, __file__, "--load", str(port)])
    try:
        beside = float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    finally:
        crowd.terminate()
        crowd.wait(30)
    return alone, beside


class SilentFleet:
    """Takes orders and never answers, as workers and login nodes that take their time."""

    # ruff: noqa: D102 - the ports say what these are
    def send(self, orders: Sequence[object]) -> None: ...

    def receive(self) -> list[Report]:
        return []

    def receive_batch(self) -> list[BatchReport]:
        return []

    def close(self, patience: float) -> None: ...


def tick_alone(config_file: Path, count: int = 300) -> float:
    """Return the median seconds of ticks of a dispatcher that nobody answers."""
    config = load(config_file)
    fleet, times = SilentFleet(), []
    with StateStore.open(config.paths.db) as store:
        ports = Ports(
            store=store,
            fleet=fleet,
            home=QuietHome(),
            roster=FakeRoster(),
            mailbox=LetterBox(config.paths.db),
            log=FakeLog(),
            clock=SystemClock(),
            upkeep=lambda _: (),
            systems=systems(config),
            clusters=fleet,
        )
        dispatcher = Dispatcher(ports, policy_settings(config), order_settings(config))
        dispatcher.start()
        jobs = [job for job in store.jobs.values() if job.state is JobState.PENDING]
        for number in range(count):
            job = jobs[number // 2 % len(jobs)]
            began = time.perf_counter()
            dispatcher.carry_out({"do": ("hold", "release")[number % 2], "jobs": [job.id]})
            dispatcher.tick()
            times.append(time.perf_counter() - began)
            # As a dispatcher does: it sleeps until something is due.
            time.sleep(0.02)
    return statistics.median(times)


def load_pages(port: int) -> None:
    """Be 100 clients, each of which gets a page every two seconds, until killed."""
    import asyncio

    import httpx

    async def client(number: int, http_client: httpx.AsyncClient) -> None:
        paths = ("/", "/jobs", "/jobs?state=failed", "/runs", "/health")
        await asyncio.sleep(number / CLIENTS * 2)
        while True:
            answer = await http_client.get(paths[number % len(paths)])
            answer.raise_for_status()
            await asyncio.sleep(2)

    async def all_of_them() -> None:
        limits = httpx.Limits(max_connections=CLIENTS)
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=60, headers=HEADERS
        ) as http_client:
            await asyncio.gather(*(client(number, http_client) for number in range(CLIENTS)))

    asyncio.run(all_of_them())


# --- ScriptHut

SCRIPTHUT = "scripthut==0.12.23"
FILL = """
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from scripthut.runs.models import Run, RunItem, RunItemStatus, TaskDefinition
from scripthut.runs.storage import RunStorageManager
base, runs, tasks = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
now = datetime.now(timezone.utc)
store = RunStorageManager(base)
for n in range(runs):
    items = []
    for t in range(tasks):
        task = TaskDefinition(id=f"fit.{t // 25}.{t % 25}", name=f"fit {t}",
                              command=f"python fit.py --seed {t}", cpus=4, memory="8G")
        items.append(RunItem(task=task, status=RunItemStatus.COMPLETED, job_id=str(10000 + t),
                             submitted_at=now, started_at=now, finished_at=now, exit_code=0,
                             cpu_efficiency=85.0, max_rss="3G"))
    store.save_run(Run(id=f"run{n:05d}", workflow_name=f"sweep-{n % 4}", backend_name="here",
                       created_at=now - timedelta(hours=7 * n), items=items, max_concurrent=200))
"""
ITS_CONFIG = """\
backends:
  - {{name: here, type: local}}
settings:
  data_dir: {0}
  server_port: {1}
"""


def measure_scripthut(folder: Path, runs: int, tasks: int) -> dict[str, float]:
    """Return ScriptHut's figures on as many runs and tasks."""
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    pip = [str(venv / "bin/pip"), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, SCRIPTHUT], check=True, stderr=subprocess.DEVNULL)
    port, data = free_port(), folder / "data"
    python = str(venv / "bin/python")
    subprocess.run([python, "-c", FILL, str(data / "workflows"), str(runs), str(tasks)], check=True)
    (folder / "scripthut.yaml").write_text(ITS_CONFIG.format(data, port), encoding="utf-8")
    figures: dict[str, float] = {}
    words = [str(venv / "bin/scripthut"), "--config", "scripthut.yaml"]
    with serving(words, port, "/", folder) as server:
        figures["start to ready, s"] = server.started
        pages = (("/", "/"), ("/jobs", "/jobs"), ("run", "/runs/run00000"))
        for name, path in pages:
            got = fetch(port, path, 5)
            figures[f"{name}, ms"] = got.median_ms
            figures[f"{name}, kB"] = got.kilobytes
        figures["memory, MB"] = server.memory()
    return figures


# --- both


def show(figures: Mapping[str, Mapping[str, float]]) -> None:
    """Print the figures of all beside each other, with the aims."""
    names = list(figures)
    rows = list(dict.fromkeys(row for values in figures.values() for row in values))
    print(f"{'':28}" + "".join(f"{name:>12}" for name in names) + f"{'aim':>8}")
    for row in rows:
        cells = [figures[name].get(row) for name in names]
        shown = "".join(f"{'-' if cell is None else format(cell, '.4g'):>12}" for cell in cells)
        aim = AIMS.get(row, AIMS.get(row.rpartition(" ")[2], ""))
        print(f"{row:28}{shown}{aim:>8}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--history", type=int, default=100_000)
    parser.add_argument("--scripthut", action="store_true", help="measure ScriptHut as well")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--ticks", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--load", type=int, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.ticks is not None:
        print(tick_alone(said.ticks))
        return
    if said.load is not None:
        load_pages(said.load)
        return
    with tempfile.TemporaryDirectory(prefix="hopper-bench-") as name:
        folder = Path(name)
        (folder / "theirs").mkdir()
        config = make_state(folder / "ours", runs=said.runs, tasks=said.tasks, history=said.history)
        figures = {"hopper": measure_hopper(config, folder / "ours")}
        if said.scripthut:
            figures["ScriptHut"] = measure_scripthut(folder / "theirs", said.runs, said.tasks)
    print(json.dumps(figures, indent=1)) if said.json else show(figures)


if __name__ == "__main__":
    os.environ.pop("HOPPER_CONFIG", None)
    main()
