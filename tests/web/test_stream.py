from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
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

    def __init__(self, folder: Path) -> None:
        self.site = open_site(load(folder / "hopper.yaml"))
        self.following = self.site.following
        self.following.hub.render = lambda _, ids: "".join(f"<tr id=job-{one}>" for one in ids)
        self.server = uvicorn.Server(
            uvicorn.Config(
                create_app(self.site),
                port=0,
                log_level="error",
                # So long that a test whose streams hold up the end does not pass.
                timeout_graceful_shutdown=10 * SECONDS,
            )
        )

    @property
    def url(self) -> str:
        """Where the stream is."""
        port = self.server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}/jobs/stream"

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


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[StateStore]:
    (tmp_path / "hopper.yaml").write_text("paths: {db: db}\n", encoding="utf-8")
    with StateStore.open(tmp_path / "db") as store:
        yield store


def run(scene: Coroutine[None, None, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(3 * SECONDS):
            await scene

    asyncio.run(limited())


def commit(writer: StateStore, *ids: str) -> None:
    jobs = tuple(map(a_job, ids))
    writer.commit(Changes(jobs=jobs, events=tuple(map(told, jobs))))


async def drained(page: Page) -> None:
    """Wait until nobody watches any more."""
    while len(page.following.hub):
        await asyncio.sleep(0.01)


def test_a_stream_tells_what_changes_and_goes_on_where_it_was(
    tmp_path: Path, writer: StateStore
) -> None:
    async def scene() -> None:
        page = Page(tmp_path)
        async with page.served() as client:
            async with page.open(client) as stream:
                await stream.next("hello")
                commit(writer, "j1")
                assert await stream.next("rows") == "<tr id=job-j1>"
                changed = json.loads(await stream.next("changed"))
                assert (changed["new"], changed["seq"]) == (["j1"], 1)
            await drained(page)
            commit(writer, "j2")
            commit(writer, "j3")
            async with page.open(client, last=stream.last) as again:
                found = await again.next("rows")
                while "job-j3" not in found:
                    found += await again.next("rows")
                assert found == "<tr id=job-j2><tr id=job-j3>"
            last = again.last
        # The server has ended; the next one knows nothing of what the first had told.
        commit(writer, "j4")
        later = Page(tmp_path)
        async with later.served() as client, later.open(client, last=last) as stream:
            assert await stream.next("rows") == "<tr id=job-j4>"

    run(scene())


def test_a_server_that_ends_waits_for_no_stream(tmp_path: Path, writer: StateStore) -> None:
    async def scene() -> None:
        page = Page(tmp_path)
        ended = asyncio.Event()

        async def watch(client: httpx.AsyncClient) -> None:
            async with page.open(client, "overview") as stream:
                await stream.next("hello")
                ended.set()
                with suppress(AssertionError, httpx.HTTPError):
                    await stream.next("never")

        async with page.served() as client:
            watching = asyncio.create_task(watch(client))
            await ended.wait()
            page.server.should_exit = True
            await watching
        assert not len(page.following.hub)

    run(scene())


def test_many_watch_at_once(tmp_path: Path, writer: StateStore) -> None:
    async def scene() -> None:
        page = Page(tmp_path)
        limits = httpx.Limits(max_connections=None)
        ready = 0

        async def watch(client: httpx.AsyncClient) -> str:
            nonlocal ready
            async with page.open(client) as stream:
                await stream.next("hello")
                ready += 1
                return await stream.next("rows")

        async with page.served(), httpx.AsyncClient(timeout=SECONDS, limits=limits) as client:
            watching = [asyncio.create_task(watch(client)) for _ in range(60)]
            while ready < len(watching):
                await asyncio.sleep(0.01)
            commit(writer, "j1")
            assert set(await asyncio.gather(*watching)) == {"<tr id=job-j1>"}
            await drained(page)

    run(scene())


@pytest.mark.parametrize(
    ("query", "said"), [("view=shoes", "no view"), ("view=run:", "no view"), ("", "view")]
)
def test_a_view_that_is_none_is_refused(
    tmp_path: Path, writer: StateStore, query: str, said: str
) -> None:
    async def scene() -> None:
        page = Page(tmp_path)
        async with page.served() as client:
            answer = await client.get(f"{page.url}?{query}", headers={"Accept": "application/json"})
        assert answer.status_code == 422
        assert said in answer.text

    run(scene())


def test_a_page_tells_its_stream_where_it_is(tmp_path: Path, writer: StateStore) -> None:
    async def scene() -> None:
        page = Page(tmp_path)
        async with page.served() as client:
            answer = await client.get(page.url.removesuffix("/jobs/stream") + "/")
        assert f'data-position="{page.following.position}"' in answer.text

    run(scene())
