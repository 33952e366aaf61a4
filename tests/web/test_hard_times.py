"""A state that is missing, damaged or too new: the page stays, says so, and goes on afterwards."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from hopper.store.follow import SNAPSHOT
from hopper.store.state import StateStore
from tests.web.served import SECONDS, Page, commit, run

HTML = {"Accept": "text/html"}
PAGES = ("/", "/jobs", "/jobs?history=1", "/jobs/j1", "/queue", "/workers", "/events", "/settings")
CALLS = ("/jobs", "/jobs/j1", "/events", "/workers", "/backends", "/runs", "/status")


async def health(client: httpx.AsyncClient, root: str, status: int) -> None:
    """Wait until the server says that it is so well."""
    async with asyncio.timeout(SECONDS):
        while (await client.get(f"{root}/health")).status_code != status:
            await asyncio.sleep(0.05)


async def all_answer(client: httpx.AsyncClient, root: str, *allowed: int) -> None:
    """Every page and call says something that it means to say."""
    for path in (*PAGES, *(f"/api/v1{path}" for path in CALLS)):
        answer = await client.get(f"{root}{path}", headers=HTML)
        assert answer.status_code in allowed, f"{path}: {answer.status_code} {answer.text[:300]}"


def wrong_line(db: Path) -> None:
    """A line of the journal is not what was written."""
    (segment,) = db.glob(f"{SNAPSHOT}.*.log")
    with segment.open("ab") as file:
        file.write(b'00000000 {"n":7}\n')


def replaced(db: Path, change: Callable[[bytes], bytes]) -> None:
    """A snapshot comes that was changed afterwards."""
    other = db.with_name("other")
    shutil.copytree(db, other)
    with StateStore.open(other) as writer:
        commit(writer, "jx")
        writer.compact()
    old = list(db.glob(f"{SNAPSHOT}.*.log"))
    for segment in other.glob(f"{SNAPSHOT}.*.log"):
        shutil.copy(segment, db)
    made = db / "made"
    made.write_bytes(change((other / SNAPSHOT).read_bytes()))
    made.rename(db / SNAPSHOT)
    for segment in old:
        segment.unlink()


def garbage(db: Path) -> None:
    replaced(db, lambda content: content[:100] + b"\0\xff[" * 100)


def folder_instead(db: Path) -> None:
    replaced(db, lambda content: content)
    (db / SNAPSHOT).unlink()
    (db / SNAPSHOT).mkdir()
    for segment in db.glob(f"{SNAPSHOT}.*.log"):
        segment.unlink()


def too_new(db: Path) -> None:
    def change(content: bytes) -> bytes:
        edited = re.sub(rb'"checksum":"[^"]*"', b'"checksum":"edited"', content)
        return edited.replace(b'"schema":1', b'"schema":99', 1)

    replaced(db, change)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (wrong_line, "damaged"),
        (garbage, "damaged"),
        (folder_instead, "directory"),
        (too_new, "schema 99"),
    ],
)
def test_a_state_that_cannot_be_read_any_more(
    tmp_path: Path, harm: Callable[[Path], None], said: str
) -> None:
    (tmp_path / "hopper.yaml").write_text("paths: {db: db}\n", encoding="utf-8")
    db, kept = tmp_path / "db", tmp_path / "kept"
    with StateStore.open(db) as writer:
        commit(writer, "j1")
    shutil.copytree(db, kept)

    async def scene() -> None:
        page = Page(tmp_path)
        async with page.served() as client, page.open(client) as stream:
            root = page.url.removesuffix("/jobs/stream")
            await health(client, root, 200)
            harm(db)
            await health(client, root, 503)
            await stream.next("stale")
            await all_answer(client, root, 200, 503)
            listed = await client.get(f"{root}/jobs", headers=HTML)
            assert (listed.status_code, "j1" in listed.text) == (200, True)
            assert said in listed.text
            shutil.rmtree(db)
            shutil.copytree(kept, db)
            with StateStore.open(db) as writer:
                commit(writer, "j2")
            await health(client, root, 200)
            await stream.next("stale")
            assert "j2" in (await client.get(f"{root}/jobs", headers=HTML)).text

    run(scene())


def test_a_state_that_is_not_there_yet(tmp_path: Path) -> None:
    (tmp_path / "hopper.yaml").write_text("paths: {db: db}\n", encoding="utf-8")

    async def scene() -> None:
        page = Page(tmp_path)
        async with page.served() as client:
            root = page.url.removesuffix("/jobs/stream")
            await health(client, root, 200)
            await all_answer(client, root, 200, 404)
            async with page.open(client) as stream:
                await stream.next("hello")
                with StateStore.open(tmp_path / "db") as writer:
                    commit(writer, "j1")
                    seen = json.loads(await stream.next("changed"))
            assert "j1" in seen["jobs"]
            await all_answer(client, root, 200)

    run(scene())
