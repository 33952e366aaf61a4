"""An hour of events in a minute, while two hundred tabs are open and some of them are dead."""

from __future__ import annotations

import asyncio
import itertools
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from hopper.dispatch.changes import Changes
from hopper.model.states import JobState
from hopper.store.state import StateStore
from hopper.web.following.hub import GATHER, MOST_ROWS
from tests.acceptance.person import SECONDS
from tests.conftest import Eventually
from tests.unit.web.following.states import a_job, told
from tests.web.crowd import PageReader, StreamReader
from tests.web.lab import Served
from tests.web.test_crowd import following, mute, resident, until

pytestmark = pytest.mark.soak

LIVE = 500
STORM = 60.0
"""Seconds."""
A_SECOND = 60
"""Changes a second: an hour of a busy lab in each."""
TABS = 200
DEAD = 8
MUCH = 30
ALLOWED = 60 << 20
"""Bytes that the server may grow by while it is stormed."""
VIEWS = ("jobs", "overview", "events", "workers", "job:j1")
PATHS = ("/", "/jobs", "/jobs?q=j1&sort=name", "/queue", "/events", "/api/v1/jobs?limit=100")
STATES = (JobState.PENDING, JobState.RUNNING, JobState.COMPLETED)


@contextmanager
def served(folder: Path, eventually: Eventually) -> Iterator[Served]:
    said = folder / "web.log"
    with said.open("w") as log:
        process = subprocess.Popen(
            (sys.executable, "-m", "hopper", "web", "--port", "0"),
            cwd=folder,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        try:
            found = eventually(
                lambda: re.search(r"the page is at (\S+)/\n", said.read_text()), within=SECONDS
            )
            assert found is not None
            yield Served(url=found[1], process=process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(SECONDS)
    assert "Traceback" not in said.read_text(), said.read_text()
    assert process.returncode == 0


def test_an_hour_of_events_in_a_minute(tmp_path: Path, eventually: Eventually) -> None:
    (tmp_path / "hopper.yaml").write_text("paths: {db: db}\n", encoding="utf-8")
    with StateStore.open(tmp_path / "db") as writer:
        first = tuple(a_job(f"j{n}") for n in range(LIVE))
        writer.commit(Changes(jobs=first, events=tuple(map(told, first))))
        with served(tmp_path, eventually) as page:
            asyncio.run(storm(page, writer))


async def storm(page: Served, writer: StateStore) -> None:
    readers = [StreamReader(page.url, VIEWS[n % len(VIEWS)]) for n in range(TABS)]
    pages = [PageReader(page.url, PATHS) for _ in range(4)]
    dead = [mute(page, "jobs") for _ in range(DEAD)]
    numbers = itertools.count()
    async with following(readers):
        await change(writer, numbers, seconds=STORM / 6)
        before = resident(page.process.pid)
        reading = [asyncio.create_task(one.run(100)) for one in pages]
        await change(writer, numbers, seconds=STORM)
        grown = resident(page.process.pid) - before
        await asyncio.gather(*reading)
        await much(writer)
        last = a_job("the-last")
        writer.commit(Changes(jobs=(last,), events=(told(last),)))
        await told_of_all(page, readers, writer.last_seq)
        print("grown", grown >> 20, before >> 20, writer.last_seq, flush=True)
        await let_go(page)
    for one in dead:
        one.close()
    assert not [wrong for one in pages for wrong in one.wrong]
    assert not [refusal for reader in readers for refusal in reader.refusals]
    assert grown < ALLOWED, f"grown by {grown >> 20} MB"


async def change(writer: StateStore, numbers: Iterator[int], *, seconds: float) -> None:
    """Change jobs, one after the other, for some time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        number = next(numbers)
        job = a_job(f"j{number % LIVE}", state=STATES[number // LIVE % len(STATES)], worker="w")
        writer.commit(Changes(jobs=(job,), events=(told(job),)))
        writer.maintain(job.submitted_at)
        await asyncio.sleep(1 / A_SECOND)


async def much(writer: StateStore) -> None:
    """Change so many jobs so often that no buffer holds it."""
    for number in range(MUCH):
        state = STATES[number % len(STATES)]
        jobs = tuple(a_job(f"j{n}", state=state, worker="w") for n in range(MOST_ROWS - 1))
        writer.commit(Changes(jobs=jobs, events=tuple(map(told, jobs))))
        await asyncio.sleep(2 * GATHER)


async def told_of_all(page: Served, readers: list[StreamReader], seq: int) -> None:
    """Wait until all whom it concerns have heard of the newest event."""
    concerned = [reader for reader in readers if reader.view in {"jobs", "overview", "events"}]

    def heard(reader: StreamReader) -> bool:
        return int(reader.last.partition(".")[0] or 0) >= seq

    await until(lambda: all(map(heard, concerned)), "all have heard of the last")
    assert all(reader.jobs or reader.stale for reader in concerned)


async def let_go(page: Served) -> None:
    """Wait until those who take nothing are let go, and hold nothing any more."""
    deadline = time.monotonic() + SECONDS
    async with httpx.AsyncClient(timeout=SECONDS) as client:
        while True:
            told = (await client.get(f"{page.url}/metrics")).text
            found = re.search(r"^hopper_stream_clients (\S+)", told, re.MULTILINE)
            assert found is not None
            if float(found[1]) <= TABS and connections(page.process.pid) <= TABS + 20:
                return
            assert time.monotonic() < deadline, (found[1], connections(page.process.pid))
            await asyncio.sleep(1)


def connections(pid: int) -> int:
    """Return how many sockets a process has open."""
    count = 0
    for one in Path(f"/proc/{pid}/fd").iterdir():
        try:
            count += str(one.readlink()).startswith("socket:")
        except FileNotFoundError:
            continue
    return count
