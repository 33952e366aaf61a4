"""The page served in the test's own event loop, and streams of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import uvicorn

from hopper.config.load import load
from hopper.dispatch.changes import Changes
from hopper.store.state import StateStore
from hopper.web.app import create_app
from hopper.web.opening import open_site
from tests.unit.web.following.states import a_job, told

SECONDS = 60


class Stream:
    """An open stream: its messages by name and data."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines
        self.last = ""
        """The id of the last message."""

    async def next(self, event: str) -> str:
        """Return the data of the next message of that name."""
        name, data = "", list[str]()
        async for line in self._lines:
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                self.last = value
            elif not line:
                if name == event:
                    return "\n".join(data)
                name, data = "", []
        raise AssertionError(f"the stream ended without {event}")


class Page:
    """A server of the stream alone."""

    def __init__(self, folder: Path, *, port: int = 0) -> None:
        self.site = open_site(load(folder / "hopper.yaml"))
        self.following = self.site.following
        app = create_app(self.site)
        # Not how the pages make rows, which is their own.
        self.following.hub.render = lambda _, ids: "".join(f"<tr id=job-{one}>" for one in ids)
        self.server = uvicorn.Server(
            uvicorn.Config(
                app,
                port=port,
                log_level="error",
                # So long that a test whose streams hold up the end does not pass.
                timeout_graceful_shutdown=10 * SECONDS,
            )
        )

    @property
    def port(self) -> int:
        """The port that it is served on."""
        return int(self.server.servers[0].sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        """Where the stream is."""
        return f"http://127.0.0.1:{self.port}/jobs/stream"

    @asynccontextmanager
    async def served(self) -> AsyncIterator[httpx.AsyncClient]:
        """Serve until the block ends, open streams or not."""
        serving = asyncio.create_task(self.server.serve())
        while not self.server.started:
            await asyncio.sleep(0.01)
        async with httpx.AsyncClient(timeout=SECONDS) as client:
            try:
                yield client
            finally:
                self.server.should_exit = True
                await serving

    @asynccontextmanager
    async def open(
        self, client: httpx.AsyncClient, view: str = "jobs", last: str = ""
    ) -> AsyncIterator[Stream]:
        """Open a stream, from where one had come."""
        headers = {"Last-Event-ID": last} if last else {}
        async with client.stream("GET", self.url, params={"view": view}, headers=headers) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield Stream(answer.aiter_lines())


def run(scene: Coroutine[None, None, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(3 * SECONDS):
            await scene

    asyncio.run(limited())


def commit(writer: StateStore, *ids: str) -> None:
    jobs = tuple(map(a_job, ids))
    writer.commit(Changes(jobs=jobs, events=tuple(map(told, jobs))))
