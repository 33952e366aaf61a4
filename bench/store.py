"""The store's speed beside stock TinyDB's, in the same run on the same disk.

    python bench/store.py [--json FILE] [--jobs 100 10000 100000] [--events 1000000]

Jobs have one attempt and are about as large as real ones. A durable update is one commit of
one job and the event that tells of it, synced. Stock TinyDB rewrites its file for each update
(with its own fsync), so only a few are made there. Files go to --folder, a temporary one
otherwise; ``TMPDIR`` should be on the disk that is meant.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tinydb import TinyDB

from hopper.dispatch.changes import Changes
from hopper.model.attempt import Attempt
from hopper.model.event import Event, EventKind
from hopper.model.job import Job, JobSpec
from hopper.model.states import JobState
from hopper.store import codec
from hopper.store.state import StateStore
from hopper.store.values import to_bytes, to_json

T0 = datetime(2026, 1, 1, tzinfo=UTC)
Figures = dict[str, object]


def make_job(number: int) -> Job:
    """Return a job like those that a lab has."""
    attempt = Attempt(
        id=f"a{number:09d}",
        number=1,
        worker=f"box-{number % 50}",
        slot=0,
        intended_at=T0,
        started_at=T0,
        boot_id="0c1d2e3f-4a5b-6c7d-8e9f-0a1b2c3d4e5f",
    )
    return Job(
        id=f"train-lr-{number:06d}",
        spec=JobSpec(name=f"train lr {number}", priority=number % 5, env={"LR": "0.1"}),
        state=JobState.RUNNING,
        submitted_at=T0 + timedelta(seconds=number),
        zip_name=f"train-lr-{number:06d}.zip",
        zip_size=100_000,
        zip_sha256="ab" * 32,
        attempts=(attempt,),
    )


def make_event(number: int) -> Event:
    """Return the event of a state's change."""
    return Event(
        kind=EventKind.JOB_STATE,
        at=T0 + timedelta(seconds=number),
        job=f"train-lr-{number % 10_000:06d}",
        worker=f"box-{number % 50}",
        reason="seen running",
        data={"from": "submitted", "to": "running", "attempt": "abcdefghij"},
    )


@contextmanager
def timed(figures: Figures, name: str) -> Iterator[None]:
    """Note how many seconds the block takes."""
    begun = time.perf_counter()
    yield
    figures[name] = round(time.perf_counter() - begun, 4)


def milliseconds(act: Callable[[int], object], times: int) -> list[float]:
    """Return how long each of so many calls takes."""
    took = []
    for number in range(times):
        begun = time.perf_counter()
        act(number)
        took.append((time.perf_counter() - begun) * 1000)
    return took


def fill(folder: Path, jobs: int) -> None:
    """Make a store with so many live jobs."""
    with StateStore.open(folder) as store:
        for first in range(0, jobs, 1000):
            batch = range(first, min(first + 1000, jobs))
            store.commit(Changes(jobs=tuple(make_job(number) for number in batch)))


def hopper_jobs(folder: Path, jobs: int) -> Figures:
    """Measure hopper's store with so many live jobs."""
    figures: Figures = {}
    fill(folder, jobs)
    with StateStore.open(folder) as store:
        one = milliseconds(
            lambda n: store.commit(
                Changes(
                    jobs=(replace(make_job(n * 7919 % jobs), reason=f"update {n}"),),
                    events=(make_event(n),),
                )
            ),
            500,
        )
        figures["update_ms"] = round(statistics.median(one), 3)
        figures["update_p99_ms"] = round(statistics.quantiles(one, n=100)[98], 3)
        many = milliseconds(
            lambda n: store.commit(
                Changes(
                    jobs=tuple(
                        replace(make_job(number), reason=f"round {n}")
                        for number in range(min(100, jobs))
                    )
                )
            ),
            30,
        )
        figures["update_in_100_ms"] = round(statistics.median(many) / min(100, jobs), 3)
        with timed(figures, "fold_s"):
            store.compact()
    figures.update(opened(folder, "for name in store.jobs: store.jobs[name]"))
    figures["file_mb"] = megabytes((folder / "jobs.json").stat().st_size)
    return figures


def stock_jobs(folder: Path, jobs: int) -> Figures:
    """Measure TinyDB with its own storage with so many jobs."""
    folder.mkdir(parents=True)
    path = folder / "stock.json"
    figures: Figures = {}
    with TinyDB(path) as database:
        table = database.table("jobs")
        table.insert_multiple([to_json(make_job(number)) for number in range(jobs)])
        times = {100: 50, 10_000: 5}.get(jobs, 2)
        took = milliseconds(
            lambda n: table.update({"reason": f"update {n}"}, doc_ids=[n + 1]), times
        )
    figures["update_ms"] = round(statistics.median(took), 3)
    with timed(figures, "open_s"), TinyDB(path) as database:
        len(database.table("jobs"))
    return figures


OPEN = """
import os, sys, time
from pathlib import Path
from hopper.store import codec
from hopper.store.state import StateStore
if sys.argv[2] == "json":
    codec.orjson = None
def memory():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
before = memory()
begun = time.perf_counter()
store = StateStore.open(Path(sys.argv[1]), readonly=True)
opened = time.perf_counter() - begun
{use}
used = time.perf_counter() - begun
print(opened, used, (memory() - before) / 1e6)
"""


def opened(folder: Path, use: str) -> Figures:
    """Open the store in a process of its own, and use it; seconds and megabytes of each."""
    runs = []
    for _ in range(3):
        library = "orjson" if codec.orjson else "json"
        command = [sys.executable, "-c", OPEN.format(use=use), str(folder), library]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        runs.append([float(word) for word in out.split()])
    best = min(runs)
    return {
        "open_s": round(best[0], 3),
        "open_and_use_s": round(best[1], 3),
        "memory_mb": round(best[2], 1),
    }


def megabytes(size: int) -> float:
    """Return bytes as megabytes."""
    return round(size / 1e6, 1)


def hopper_events(folder: Path, events: int, live: int) -> Figures:
    """Measure so many events in batches of 500, with so many live jobs beside."""
    fill(folder, live)
    figures: Figures = {}
    made = [make_event(number) for number in range(500)]
    rates = []
    with StateStore.open(folder) as store:
        part = max(500, events // 10)
        for _ in range(0, events, part):
            begun = time.perf_counter()
            for batch in range(part // 500):
                store.commit(Changes(events=tuple(made)))
                if batch % 20 == 19:
                    store.maintain(T0)
            rates.append(part / (time.perf_counter() - begun))
        figures["events_per_s"] = round(statistics.median(rates))
        figures["first_tenth_per_s"], figures["last_tenth_per_s"] = (
            round(rates[0]),
            round(rates[-1]),
        )
        single = milliseconds(lambda n: store.commit(Changes(events=(make_event(n),))), 500)
        figures["one_at_a_time_per_s"] = round(1000 / statistics.mean(single))
        last = store.last_seq
        with timed(figures, "last_20_s"):
            assert len(list(store.events(after=last - 20))) == 20
        with timed(figures, "of_one_job_s"):
            assert list(store.events(job="train-lr-000007"))
    figures.update(opened(folder, "len(store.jobs), store.last_seq"))
    files = list((folder / "events").iterdir())
    figures["segments"] = len(files)
    figures["file_mb"] = megabytes(sum(path.stat().st_size for path in files))
    return figures


def synced_write(folder: Path) -> float:
    """Return what the disk itself takes to sync a short append, in milliseconds."""
    descriptor = os.open(folder / "probe", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(_number: int) -> None:
        os.write(descriptor, b"x" * 1500)
        os.fdatasync(descriptor)

    try:
        return round(statistics.median(milliseconds(write, 300)), 3)
    finally:
        os.close(descriptor)


def measure(folder: Path, jobs: list[int], events: int) -> Figures:
    """Measure everything, with orjson where there is one, and without."""
    figures: Figures = {
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
        "job_bytes": len(to_bytes(make_job(1))),
        "synced_append_ms": synced_write(folder),
    }
    libraries = {"orjson": codec.orjson, "json": None} if codec.orjson else {"json": None}
    for count in jobs:
        for name, library in libraries.items():
            codec.orjson = library
            figures[f"{count} jobs, {name}"] = fresh(folder, hopper_jobs, count)
        figures[f"{count} jobs, stock TinyDB"] = fresh(
            folder, lambda at, n=count: stock_jobs(at, n)
        )
    for name, library in libraries.items():
        codec.orjson = library
        found = fresh(folder, hopper_events, events, 10_000)
        figures[f"{events} events, 10000 jobs, {name}"] = found
    return figures


def fresh(folder: Path, act: Callable[..., Figures], *amounts: int) -> Figures:
    """Measure in a folder of its own, which is removed."""
    scratch = folder / "db"
    try:
        return act(scratch, *amounts)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def table(figures: Figures) -> Iterator[str]:
    """Yield the lines that a person reads."""
    for name, value in figures.items():
        if isinstance(value, dict):
            yield f"\n{name}"
            yield from (f"  {key:22} {figure}" for key, figure in value.items())
        else:
            yield f"{name:24} {value}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, nargs="*", default=[100, 10_000, 100_000])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path, help="write the figures there as JSON")
    parser.add_argument("--folder", type=Path, help="where to put the files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        figures = measure(Path(scratch), options.jobs, options.events)
    print("\n".join(table(figures)))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
