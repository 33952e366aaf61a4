"""Files that are sent to the server: to disk as they come, and nothing left of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from hopper.config.load import load
from hopper.config.model import HopperConfig
from hopper.errors import UsageError
from hopper.web import uploads as module
from hopper.web.problems import TooLarge, TooSlow
from hopper.web.uploads import Received, safe_name, uploads
from hopper.web.wishes import submission_of

BOUNDARY = "xyzzy"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


@pytest.fixture
def config(tmp_path: Path) -> HopperConfig:
    path = tmp_path / "hopper.yaml"
    text = "web: {max_upload: 1 MB}\nbackends: [{name: here, type: local}]\n"
    path.write_text(text, encoding="utf-8")
    return load(path)


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    file = f'; filename="{filename}"' if filename is not None else ""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


def request_of(pieces: list[bytes], kind: str, *, breaks: bool = False) -> Request:
    def messages() -> Iterator[Message]:
        for piece in pieces:
            yield {"type": "http.request", "body": piece, "more_body": True}
        if breaks:
            yield {"type": "http.disconnect"}
        yield {"type": "http.request", "body": b"", "more_body": False}

    coming = messages()

    async def receive() -> Message:
        return next(coming)

    headers = [(b"content-type", kind.encode())]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


def taken(
    config: HopperConfig, pieces: list[bytes], kind: str = "application/zip", **more: bool
) -> tuple[list[tuple[str, bytes]], dict[str, tuple[str, ...]]]:
    async def run() -> tuple[Received, list[tuple[str, bytes]]]:
        async with uploads(request_of(pieces, kind, **more), config, name="a.zip") as received:
            return received, [(one.path.name, one.path.read_bytes()) for one in received.files]

    received, files = anyio.run(run)
    return files, dict(received.fields)


def left(config: HopperConfig) -> list[Path]:
    return list((config.paths.db / "uploads").iterdir())


def test_a_plain_body_is_one_file(config: HopperConfig) -> None:
    files, fields = taken(config, [b"PK", b"12"])
    assert (files, fields) == ([("a.zip", b"PK12")], {})
    assert left(config) == []


def test_a_form_brings_files_and_fields_in_any_pieces(config: HopperConfig) -> None:
    body = part("tags", b"a") + part("zip", b"\r\n--xyz", "../x/one.zip") + part("tags", b"b") + END
    for size in (1, 7, len(body)):
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        files, fields = taken(config, pieces, FORM)
        assert files == [("one.zip", b"\r\n--xyz")]
        assert fields == {"tags": ("a", "b")}


def test_files_of_one_name_do_not_meet(config: HopperConfig) -> None:
    body = part("zip", b"1", "x.zip") + part("zip", b"2", "x.zip") + END
    assert taken(config, [body], FORM)[0] == [("x.zip", b"1"), ("x.zip", b"2")]


@pytest.mark.parametrize("kind", ["application/zip", FORM])
def test_what_is_too_large_is_refused_while_it_comes(config: HopperConfig, kind: str) -> None:
    come = 0

    def pieces() -> Iterator[bytes]:
        nonlocal come
        yield part("zip", b"", "x.zip")[:-2]
        while True:
            come += 1
            yield b"x" * 500_000

    with pytest.raises(TooLarge):
        taken(config, pieces(), kind)  # type: ignore[arg-type]
    assert come < 10
    assert left(config) == []


@pytest.mark.parametrize("kind", ["application/zip", FORM])
def test_nothing_is_left_of_a_client_that_goes_away(config: HopperConfig, kind: str) -> None:
    with pytest.raises(ClientDisconnect):
        taken(config, [part("zip", b"xx", "x.zip")], kind, breaks=True)
    assert left(config) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        END,
        part("zip", b"x", "x.zip"),
        part("name", b"x") + END,
        b"rubbish\r\n\r\n",
        part("zip", b"x", "x.zip")[:-4],
    ],
)
def test_a_form_that_is_none_is_refused(config: HopperConfig, body: bytes) -> None:
    with pytest.raises(UsageError):
        taken(config, [body], FORM)
    assert left(config) == []


def test_a_field_is_not_a_way_to_fill_the_memory(config: HopperConfig) -> None:
    with pytest.raises(TooLarge):
        taken(config, [part("name", b"x" * 70_000) + END], FORM)
    with pytest.raises(TooLarge):
        taken(config, [part("name", b"x") * 300 + END], FORM)


def test_a_client_that_sends_nothing_is_not_waited_for(
    config: HopperConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.01)

    async def never() -> AsyncIterator[bytes]:
        await anyio.sleep_forever()
        yield b""

    async def run() -> None:
        request = request_of([], "application/zip")
        monkeypatch.setattr(request, "stream", never)
        async with uploads(request, config):
            pass

    with pytest.raises(TooSlow):
        anyio.run(run)
    assert left(config) == []


@given(st.text())
def test_a_name_is_never_a_path(name: str) -> None:
    safe = safe_name(name)
    assert Path(safe).name == safe
    assert not safe.startswith(".")
    assert safe.endswith(".zip")
    assert len(safe.encode("utf-8", "surrogatepass")) <= 255


def test_fields_say_what_is_wanted() -> None:
    said = {
        "name": ["fit"],
        "priority": ["0"],
        "tags": ["a, b", "c"],
        "after": ["one, two", ""],
        "env": ["A=1\nB=x=y"],
        "hold": ["on"],
        "cpus": [""],
        "csrf_token": ["x"],
    }
    found = submission_of(said, (), by="alice")
    wishes = found.wishes
    assert (wishes.name, wishes.priority, wishes.cpus) == ("fit", 0, None)
    assert wishes.tags == {"a", "b", "c"}
    assert wishes.after == ("one, two",)
    assert wishes.env == {"A": "1", "B": "x=y"}
    assert (found.hold, found.backend, found.by) == (True, None, "alice")


@pytest.mark.parametrize(
    "said",
    [
        {"prority": ["1"]},
        {"priority": ["high"]},
        {"priority": ["1", "2"]},
        {"priority": ["9" * 5000]},
        {"env": ["A"]},
        {"env": ["1A=2"]},
        {"hold": ["perhaps"]},
        {"time_limit": ["soon"]},
        {"results": ["/etc/passwd"]},
    ],
)
def test_a_field_that_says_what_it_cannot_is_refused(said: dict[str, list[str]]) -> None:
    with pytest.raises(UsageError):
        submission_of(said, (), by="alice")
