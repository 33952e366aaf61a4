"""A crowd of clients while jobs are done: nobody is turned away, and nothing is lost."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import socket
import time
import zipfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import httpx
import pytest

from tests.acceptance.person import SECONDS
from tests.web.crowd import PageReader, StreamReader
from tests.web.lab import Lab, Served
from tests.web.test_serving import QUICK, dispatcher_of

PATHS = ("/", "/jobs", "/jobs?state=completed", "/workers", "/queue", "/events", "/health")
JOBS = 8


def a_zip() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("run_job.sh", QUICK)
    return made.getvalue()


async def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.05)


async def hand_in(url: str, names: list[str]) -> list[str]:
    """Hand zips in by the page, all at once; return the ids of their jobs."""
    async with httpx.AsyncClient(timeout=SECONDS) as client:

        async def one(name: str) -> str:
            answer = await client.post(
                f"{url}/queue",
                files={"zip": (f"{name}.zip", a_zip())},
                headers={"Accept": "application/json"},
            )
            assert answer.status_code == 201, answer.text
            (queued,) = answer.json()["queued"]
            return str(queued["job"])

        return list(await asyncio.gather(*map(one, names)))


@asynccontextmanager
async def following(readers: list[StreamReader]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(reader.run()) for reader in readers]
    try:
        await until(lambda: all(reader.hellos for reader in readers), "all follow")
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def resident(pid: int) -> int:
    """Return the bytes of memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def check_nothing_lost(lab: Lab, page: Served, jobs: list[str]) -> None:
    """What the page tells is what the command line tells, and all has ended."""
    by_command = {job["id"]: job["state"] for job in lab.json("jobs", "--all")}
    told = httpx.get(
        f"{page.url}/jobs", headers={"Accept": "application/json"}, timeout=SECONDS
    ).json()
    assert {job["id"]: job["state"] for job in told["jobs"]} == by_command
    assert by_command == dict.fromkeys(jobs, "completed")
    events = [
        json.loads(line) for line in lab.hopper("events", "--json", "--limit", "0").splitlines()
    ]
    numbers = [event["seq"] for event in events]
    assert numbers == list(range(1, len(numbers) + 1))
    ended = Counter(e["job"] for e in events if e["data"].get("to") == "completed")
    assert ended == dict.fromkeys(jobs, 1)


@pytest.mark.soak
def test_a_crowd_while_jobs_are_done(lab: Lab) -> None:
    async def scene(page: Served) -> list[str]:
        at = (page.url, "jobs")
        readers = [StreamReader(*at) for _ in range(200)]
        pages = [PageReader(page.url, PATHS) for _ in range(100)]
        with closing(mute(page, "jobs")):
            async with following(readers):
                reading = [asyncio.create_task(one.run(6)) for one in pages]
                jobs = await hand_in(page.url, [f"crowd-{n}" for n in range(JOBS)])
                await asyncio.gather(*reading)
                await until(lambda: all(reader.jobs >= set(jobs) for reader in readers), "told")
                for job in jobs:
                    await asyncio.to_thread(lab.wait_for, job, "completed")
        assert not [wrong for one in pages for wrong in one.wrong]
        assert not [refusal for reader in readers for refusal in reader.refusals]
        assert {reader.hellos for reader in readers} == {1}
        return jobs

    with lab.serving() as page:
        jobs = asyncio.run(scene(page))
        check_nothing_lost(lab, page, jobs)
        assert page.get("/health", headers={"X-Large": "x" * 100_000}).status_code == 431


def alone(lab: Lab) -> None:
    """Wait until the dispatcher has ended, as it does with the server that started it."""
    deadline = time.monotonic() + SECONDS
    while dispatcher_of(lab) is not None:
        assert time.monotonic() < deadline


def mute(page: Served, view: str) -> socket.socket:
    """Open a stream of which nothing is ever taken."""
    at = httpx.URL(page.url)
    there = socket.socket()
    there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    there.connect((at.host, at.port))
    there.sendall(f"GET /jobs/stream?view={view} HTTP/1.1\r\nHost: {at.host}\r\n\r\n".encode())
    return there


def test_who_follows_misses_nothing_when_the_server_is_killed(lab: Lab) -> None:
    async def scene() -> list[str]:
        readers: list[StreamReader] = []
        with lab.serving() as first:
            port = httpx.URL(first.url).port
            readers += [StreamReader(first.url) for _ in range(20)]
            async with following(readers):
                jobs = await hand_in(first.url, ["before"])
                await until(lambda: all(r.jobs >= set(jobs) for r in readers), "told before")
                os.kill(first.process.pid, signal.SIGKILL)
                first.process.wait(SECONDS)
                await asyncio.to_thread(alone, lab)
                # While there is no server, a job comes and a dispatcher ends it.
                jobs.append(await asyncio.to_thread(lab.submit_folder, "between", QUICK))
                await asyncio.to_thread(lambda: lab.hopper("dispatch", "--until-idle", "--quiet"))
                with lab.serving("--port", str(port)) as second:
                    await until(lambda: all(r.hellos > 1 for r in readers), "back")
                    await until(
                        lambda: all(r.jobs >= set(jobs) or r.stale for r in readers), "caught up"
                    )
                    jobs += await hand_in(second.url, ["after"])
                    await until(lambda: all(jobs[-1] in r.jobs for r in readers), "told after")
                    await asyncio.to_thread(lab.wait_for, jobs[-1], "completed")
                    await asyncio.to_thread(check_nothing_lost, lab, second, jobs)
        assert not [refusal for reader in readers for refusal in reader.refusals]
        return jobs

    asyncio.run(scene())
