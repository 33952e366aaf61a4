from __future__ import annotations

import anyio
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from hopper.web.bodies import LARGEST, Bodies, let_come

PIECE = bytes(1 << 20)


def read(headers: list[tuple[bytes, bytes]], pieces: int, *, large: bool = False) -> int:
    """Return how many pieces an application gets of a body."""
    found = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal found
        request = Request(scope, receive)
        if large:
            let_come(request)
        async for piece in request.stream():
            found += bool(piece)

    async def receive() -> Message:
        more = found < pieces
        return {"type": "http.request", "body": PIECE if more else b"", "more_body": more}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    scope: Scope = {"type": "http", "headers": headers}
    try:
        anyio.run(Bodies(app), scope, receive, send)
    except HTTPException as refusal:
        return -found if refusal.status_code == 413 else 0
    return found


def test_a_small_body_comes_whole() -> None:
    assert read([], LARGEST // len(PIECE)) == LARGEST // len(PIECE)


def test_a_large_one_is_refused_while_it_comes() -> None:
    assert read([], 100) == -LARGEST // len(PIECE)


@pytest.mark.parametrize("said", [b"999999999", b"9" * 30])
def test_one_that_says_so_is_refused_at_once(said: bytes) -> None:
    assert read([(b"content-length", said)], 100) == 0


def test_who_keeps_it_on_disk_may_have_it() -> None:
    assert read([(b"content-length", b"104857600")], 100, large=True) == 100
