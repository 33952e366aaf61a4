"""Hostile uploads and paths, against the whole server."""

from __future__ import annotations

import asyncio
import io
import re
import stat
import subprocess
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute

from hopper.store.state import StateStore
from hopper.web.app import PAGES
from tests.web.served import Page, run

JSON = {"Accept": "application/json"}
CANARY = "canary.txt"
INSIDE = "nobody was to read this"


def a_zip(*members: tuple[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (("run_job.sh", b"true\n"), *members):
            archive.writestr(name, content)
    return made.getvalue()


def a_link() -> bytes:
    made = io.BytesIO()
    link = zipfile.ZipInfo("link")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("run_job.sh", b"true\n")
        archive.writestr(link, b"/etc/passwd")
    return made.getvalue()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A hopper of its own, beside a file that is nobody's business."""
    folder = tmp_path / "hopper"
    folder.mkdir()
    (folder / "hopper.yaml").write_text(
        "paths: {db: db}\nweb: {max_upload: 200 kB}\nzips: {max_unpacked: 1 MB}\n",
        encoding="utf-8",
    )
    (folder / CANARY).write_text(INSIDE, encoding="utf-8")
    (tmp_path / CANARY).write_text(INSIDE, encoding="utf-8")
    return folder


def left(home: Path) -> list[Path]:
    """Return what lies where uploads go."""
    return list((home / "db" / "uploads").glob("*"))


async def post(client: httpx.AsyncClient, page: Page, body: bytes, name: str) -> httpx.Response:
    root = page.url.removesuffix("/jobs/stream")
    client.cookies.clear()  # as a program does, not a browser
    return await client.post(f"{root}/queue", files={"zip": (name, body)}, headers=JSON)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (a_zip(("more", bytes(300_000 * 100))), 422),
        (a_zip(*((f"more{n}", bytes(900_000)) for n in range(30))), 422),
        (a_zip(("../out", b"x")), 422),
        (a_zip(("/etc/out", b"x")), 422),
        (a_zip(("a/../../out", b"x")), 422),
        (a_zip(("a\\..\\..\\out", b"x")), 422),
        (a_link(), 422),
        (b"PK\3\4" + b"\0" * 1000, 422),
        (b"", 422),
        (bytes(1_000_000), 413),
    ],
    # Not by their bytes, in which there is the time.
    ids=[
        "bomb",
        "bombs",
        "up",
        "absolute",
        "inside up",
        "other slashes",
        "link",
        "half",
        "empty",
        "large",
    ],
)
def test_a_hostile_zip_is_refused_and_leaves_nothing(home: Path, body: bytes, status: int) -> None:
    async def scene() -> None:
        page = Page(home)
        async with page.served() as client:
            answer = await post(client, page, body, "job.zip")
            assert answer.status_code == status, answer.text
            assert answer.json()["detail"]
            root = page.url.removesuffix("/jobs/stream")
            put = await client.put(f"{root}/api/v1/uploads/job.zip", content=body)
            assert put.status_code == status, put.text
        assert left(home) == []
        with StateStore.open(home / "db", readonly=True) as store:
            assert not store.jobs

    run(scene())


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/cron.d/job.zip",
        "..\\..\\job.zip",
        "/abs/job.zip",
        "a\0b.zip",
        "a\nSet-Cookie: x=1.zip",
        "a" * 10_000 + ".zip",
        "\u202epiz.exe.zip",
        "<script>alert(1)</script>.zip",
        "\ud7ff\U0010ffff.zip",
        ".",
        "....zip",
    ],
)
def test_a_name_is_only_a_name(home: Path, name: str) -> None:
    async def scene() -> None:
        page = Page(home)
        async with page.served() as client:
            answer = await post(client, page, a_zip(), name)
            assert answer.status_code in {201, 422}, answer.text
            root = page.url.removesuffix("/jobs/stream")
            for path in ("/", "/jobs", "/queue", "/events"):
                shown = await client.get(f"{root}{path}", headers={"Accept": "text/html"})
                assert shown.status_code == 200
                assert "<script>alert" not in shown.text
            if answer.status_code == 201:
                (queued,) = answer.json()["queued"]
                one = await client.get(f"{root}/jobs/{queued['job']}")
                assert one.status_code == 200
        assert left(home) == []

    run(scene())


def test_uploads_of_one_name_at_once_are_two_jobs(home: Path) -> None:
    async def scene() -> None:
        page = Page(home)
        async with page.served() as client:
            both = await asyncio.gather(*(post(client, page, a_zip(), "a.zip") for _ in range(4)))
            jobs = {answer.json()["queued"][0]["job"] for answer in both}
            assert len(jobs) == 4
            page.following.look()
            assert jobs == set(page.following.index.rows)
        assert left(home) == []

    run(scene())


async def half(piece: bytes, sent: asyncio.Event, go_on: asyncio.Event) -> AsyncIterator[bytes]:
    yield piece
    sent.set()
    await go_on.wait()
    yield piece


async def filled(home: Path) -> None:
    """Wait until a file has begun to come."""
    async with asyncio.timeout(60):
        while not left(home):
            await asyncio.sleep(0.02)


def test_a_client_that_goes_half_way_leaves_nothing(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        page = Page(home)
        async with page.served() as client:
            address = page.url.replace("/jobs/stream", "/queue")
            sent, never = asyncio.Event(), asyncio.Event()
            body = half(a_zip(), sent, never)
            asking = asyncio.create_task(client.post(address, content=body))
            await sent.wait()
            await filled(home)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            async with asyncio.timeout(60):
                while left(home):
                    await asyncio.sleep(0.02)

    run(scene())
    assert "Traceback" not in caplog.text


def test_what_a_dead_server_left_is_cleared(home: Path) -> None:
    async def scene() -> None:
        first, second = Page(home), Page(home)
        (home / "db" / "uploads" / "tmpdead").mkdir(parents=True)
        (home / "db" / "uploads" / "tmpdead" / "a.zip").write_bytes(b"half")
        async with first.served() as client:
            assert left(home) == []
            sent, go_on = asyncio.Event(), asyncio.Event()
            address = first.url.replace("/jobs/stream", "/queue")
            body = half(b"x", sent, go_on)
            asking = asyncio.create_task(client.post(address, content=body, headers=JSON))
            await filled(home)
            # Another server of the same state takes nothing away that is in use.
            async with second.served():
                assert len(left(home)) == 1
                go_on.set()
                answer = await asking
            assert answer.status_code == 422
            assert "zip" in answer.json()["detail"]
        assert left(home) == []

    run(scene())


@contextmanager
def a_small_disk(at: Path) -> Iterator[None]:
    at.mkdir(parents=True)
    words = ("mount", "-t", "tmpfs", "-o", "size=1m", "none", str(at))
    try:
        made = subprocess.run(words, check=False, capture_output=True, timeout=60).returncode == 0
    except FileNotFoundError:
        made = False
    if not made:
        pytest.skip("no disk of a size of its own can be mounted here")
    try:
        yield
    finally:
        subprocess.run(("umount", "-l", str(at)), check=True, timeout=60)


def test_a_disk_that_is_full_is_told(home: Path) -> None:
    text = "paths: {db: db}\nweb: {max_upload: 20 MB}\n"
    (home / "hopper.yaml").write_text(text, encoding="utf-8")

    async def scene() -> None:
        page = Page(home)
        async with page.served() as client:
            answer = await post(client, page, bytes(8_000_000), "job.zip")
            assert answer.status_code == 507, answer.text
            assert left(home) == []
            root = page.url.removesuffix("/jobs/stream")
            assert (await client.get(f"{root}/jobs")).status_code == 200
            assert (await post(client, page, a_zip(), "job.zip")).status_code == 201

    with a_small_disk(home / "db"):
        run(scene())


def test_a_disk_that_may_only_be_read_is_shown(home: Path) -> None:
    async def scene() -> None:
        page = Page(home)
        async with page.served() as client:
            root = page.url.removesuffix("/jobs/stream")
            (queued,) = (await post(client, page, a_zip(), "a.zip")).json()["queued"]
            words = ("mount", "-o", "remount,ro", str(home / "db"))
            subprocess.run(words, check=True, timeout=60)
            page.following.look()
            for path in ("/", "/jobs", "/jobs?history=1", "/queue", "/events", "/workers", "/runs"):
                answer = await client.get(f"{root}{path}", headers={"Accept": "text/html"})
                assert answer.status_code == 200, f"{path}: {answer.text}"
            assert queued["job"] in (await client.get(f"{root}/jobs")).text
            assert (await post(client, page, a_zip(), "b.zip")).status_code == 503
            cancelled = await client.post(f"{root}/api/v1/jobs/{queued['job']}/cancel")
            assert cancelled.status_code == 503, cancelled.text

    with a_small_disk(home / "db"):
        run(scene())


@pytest.mark.parametrize(
    "ranges",
    [
        "bytes=" + ",".join(f"{n}-" for n in range(5_000)),
        "bytes=" + ",".join(f"0-{n}" for n in range(5_000)),
        "bytes=5-2",
        "bytes=-0",
        "bytes=999999999999999999999-",
        "shoes=1-2",
        "bytes=a-b",
    ],
)
def test_odd_ranges_bring_no_more_than_the_file(home: Path, ranges: str) -> None:
    async def scene() -> None:
        page = Page(home)
        async with page.served() as client:
            address = page.url.replace("/jobs/stream", "/static/app.css")
            whole = await client.get(address)
            answer = await client.get(address, headers={"Range": ranges})
            assert answer.status_code in {200, 206, 400, 416}
            assert len(answer.content) <= len(whole.content) + 1_000

    run(scene())


CLIMBS = (
    f"../{CANARY}",
    f"..%2F{CANARY}",
    f"..%2f..%2f{CANARY}",
    f"..%2F..%2F..%2F{CANARY}",
    f"%2e%2e%2f%2e%2e%2f{CANARY}",
    f"..%5c..%5c{CANARY}",
    f"..%252f..%252f{CANARY}",
    "%2Fetc%2Fpasswd",
    "..%2fdb%2fweb%2fsecret",
    "..%2fhopper.yaml",
    "%00",
    "a%00.zip",
    "a%0d%0aSet-Cookie:%20x=1",
    "%ff%fe",
    "%E2%80%AE",
    "'%22%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    "a" * 5_000,
    "*",
    "-",
    "%7B%7B7*7%7D%7D",
    "/evil.example",
    "%2F%2Fevil.example",
    "%5C%5Cevil.example",
)


BIG = {
    "/api/v1/job-changes": "application/json",
    "/api/v1/runs": "application/json",
    "/api/v1/scans": "application/json",
    "/jobs/changes": "multipart/form-data; boundary=x",
    "/login": "application/x-www-form-urlencoded",
    "/nothing/here": "application/json",
}


def test_a_body_without_end_is_no_way_to_fill_the_memory(home: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n'
        for _ in range(1_000):
            yield bytes(100_000)

    async def scene() -> None:
        page = Page(home)
        async with page.served() as client:
            root = page.url.removesuffix("/jobs/stream")
            for path, kind in BIG.items():
                headers = {"Content-Type": kind}
                client.cookies.clear()
                try:
                    answer = await client.post(f"{root}{path}", content=endless(), headers=headers)
                except (httpx.WriteError, httpx.ReadError):
                    continue  # it did not listen to the end
                assert answer.status_code in {404, 413}, f"{path}: {answer.text}"

    run(scene())


def page_paths() -> list[str]:
    """Return the paths of pages that have something in them."""
    routes = [one for page in PAGES for one in page.router.routes if isinstance(one, APIRoute)]
    return [one.path for one in routes if "{" in one.path and "GET" in (one.methods or ())]


def climbing(path: str, known: dict[str, str]) -> Iterator[str]:
    """Yield a path with each of its parts hostile in turn, the others as known."""
    names = [(name, name.partition(":")[0]) for name in re.findall(r"{([^}]*)}", path)]
    for _, hostile in names:
        for climb in CLIMBS:
            filled = path
            for whole, name in names:
                value = climb if name == hostile else known.get(name, "a")
                filled = filled.replace(f"{{{whole}}}", value)
            yield filled


def test_no_path_leads_out(home: Path) -> None:
    async def scene() -> None:
        page = Page(home)
        async with page.served() as client:
            root = page.url.removesuffix("/jobs/stream")
            (queued,) = (await post(client, page, a_zip(), "a.zip")).json()["queued"]
            known = {"job": queued["job"], "job_id": queued["job"]}
            api = (await client.get(f"{root}/api/v1/openapi.json")).json()["paths"]
            paths = [*page_paths(), "/static/{file}", "/static/vendor/{file}"]
            paths += [path for path, ways in api.items() if "{" in path and "get" in ways]
            assert len(paths) > 15
            for path in paths:
                for one in climbing(path, known):
                    answer = await client.get(f"{root}{one}", headers={"Accept": "text/html"})
                    assert answer.status_code in {200, 303, 308, 404, 405, 422}, (
                        f"{one}: {answer.text}"
                    )
                    assert INSIDE not in answer.text
                    assert "root:x:0" not in answer.text
                    html = answer.headers.get("content-type", "").startswith("text/html")
                    assert not html or "<script>alert" not in answer.text
                    onward = answer.headers.get("location", "/").removeprefix(root)
                    assert re.match(r"/[^/\\]|/\Z", onward), onward
                    assert "x=1" not in answer.headers.get("set-cookie", "")

    run(scene())
