from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio

from hopper.web.security.middleware import GuardMiddleware
from tests.unit.web.security.site import (
    HERE,
    guard_of,
    scope_of,
    with_user,
)

# --- what stays open


class Streaming:
    """An app that waits for its client to go, while the session is ended elsewhere."""

    def __init__(self, end: Callable[[], None]) -> None:
        self.end = end
        self.seen = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await receive()
            await send({"type": "http.response.start", "status": 200, "headers": []})
        self.end()
        self.seen = (await receive())["type"]


class Patient:
    """A client that sends its request and then only waits."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = list(messages)
        self.got: list[Any] = []

    async def receive(self) -> Any:
        if not self.messages:
            await anyio.sleep_forever()
        return self.messages.pop(0)

    async def send(self, message: Any) -> None:
        self.got.append(message)


def stay(tmp_path: Path, kind: str, client: Patient) -> Streaming:
    guard = guard_of(tmp_path)
    cookie = with_user(guard)
    scope = scope_of("GET", "/", {"cookie": cookie, **HERE}) | {"type": kind}
    session_id = cookie.partition("=")[2]
    app = Streaming(lambda: guard_of(tmp_path).sessions.end(session_id))

    async def run() -> None:
        with anyio.fail_after(60):
            await GuardMiddleware(app, guard, look_every=0.01)(scope, client.receive, client.send)

    anyio.run(run)
    return app


def test_a_stream_ends_with_the_session(tmp_path: Path) -> None:
    client = Patient({"type": "http.request", "body": b"", "more_body": False})
    assert stay(tmp_path, "http", client).seen == "http.disconnect"
    assert client.got[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


def test_a_websocket_ends_with_the_session(tmp_path: Path) -> None:
    client = Patient()
    assert stay(tmp_path, "websocket", client).seen == "websocket.disconnect"
    assert (client.got[-1]["type"], client.got[-1]["code"]) == ("websocket.close", 1008)
