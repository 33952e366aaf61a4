from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from hopper.store.state import StateStore
from tests.web.served import SECONDS, Page, commit, run


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
