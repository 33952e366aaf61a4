"""Clients who are slow, silent, greedy or broken, against a server with the connections of ours."""

from __future__ import annotations

import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from hopper.web.connections import Connections, Limits
from hopper.web.serve import affordable
from tests.conftest import Eventually

SECONDS = 60
ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class App:
    """Answers by path, and remembers."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.over: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope["path"]
        self.begun.append(path)
        try:
            if path == "/wait":
                while (await receive())["type"] != "http.disconnect":
                    pass
                return
            size = await _read(receive) if path == "/read" else 0
            if size < 0:
                return
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(200 if path == "/much" else 0):
                more = b"x" * 100_000
                await send({"type": "http.response.body", "body": more, "more_body": True})
            await send({"type": "http.response.body", "body": f"read {size}".encode()})
        finally:
            self.over.append(path)


async def _read(receive: Receive) -> int:
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return -1
        size += len(message["body"])
        if not message["more_body"]:
            return size


@dataclass
class Running:
    """A server that runs."""

    port: int
    connections: Connections
    app: App = field(default_factory=App)

    def connect(self) -> socket.socket:
        """Connect."""
        there = socket.socket()
        there.settimeout(SECONDS)
        there.connect(("127.0.0.1", self.port))
        return there

    def ask(self, said: bytes) -> bytes:
        """Send something and return all that comes until the server closes."""
        with closing(self.connect()) as there:
            there.sendall(said)
            return everything(there)


def everything(there: socket.socket) -> bytes:
    """Return what comes until the other side closes or breaks off."""
    found = b""
    try:
        while piece := there.recv(65536):
            found += piece
    except ConnectionResetError:
        pass
    return found


@contextmanager
def running(limits: Limits, *, trusted: tuple[str, ...] = ("127.0.0.1",)) -> Iterator[Running]:
    app, connections = App(), Connections(limits, trusted=trusted)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            port=0,
            http=connections.protocol(),
            loop="uvloop",
            lifespan="off",
            log_level="critical",
            timeout_graceful_shutdown=1,
            timeout_keep_alive=SECONDS,
        )
    )
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield Running(listening.getsockname()[1], connections, app)
    finally:
        server.should_exit = True
        thread.join(SECONDS)
        listening.close()
    assert not thread.is_alive()


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHo", ASK + b"GET /"])
def test_a_head_that_does_not_come_is_not_waited_for(said: bytes) -> None:
    with running(Limits(head_seconds=1)) as server:
        answer = server.ask(said)
    assert (b"408" in answer) == (said[-2:] == b"Ho")


def test_a_head_that_comes_by_bytes_is_not_waited_for(eventually: Eventually) -> None:
    with running(Limits(head_seconds=1)) as server, closing(server.connect()) as there:
        assert eventually(lambda: not dribbles(there, b"x"), within=SECONDS)


def dribbles(there: socket.socket, more: bytes) -> bool:
    """Send some more; return False once the other side takes no more."""
    try:
        there.sendall(more)
    except OSError:
        return False
    return True


def test_a_body_that_stops_is_not_waited_for(eventually: Eventually) -> None:
    head = b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nsome"
    with running(Limits(body_seconds=1)) as server:
        assert server.ask(head) == b""
        eventually(lambda: server.app.over == ["/read"], within=SECONDS)


def test_a_body_without_end_that_nobody_reads_is_ended(eventually: Eventually) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with running(Limits(head_seconds=1)) as server, closing(server.connect()) as there:
        there.sendall(head)
        assert eventually(lambda: not dribbles(there, b"1\r\nx\r\n"), within=SECONDS)


def test_a_body_that_is_slow_but_steady_is_taken() -> None:
    limits = Limits(body_seconds=0, body_rate=0.001, head_seconds=1)
    with running(limits) as server, closing(server.connect()) as there:
        head = b"POST /read HTTP/1.0\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
        there.sendall(head + b"x")
        assert server.ask(b"") == b""  # by now all have been looked at
        there.sendall(b"xx")
        assert b"read 3" in everything(there)


def test_who_takes_nothing_of_an_answer_is_let_go(eventually: Eventually) -> None:
    with running(Limits(stuck_seconds=1)) as server, closing(server.connect()) as there:
        there.sendall(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: server.app.over == ["/much"], within=SECONDS)
        eventually(lambda: not server.connections.open, within=SECONDS)
    with running(Limits()) as server:
        ask = b"GET /much HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert len(server.ask(ask)) > 20_000_000


@pytest.mark.parametrize(
    "said",
    [
        b"GET /" + b"a" * 100_000,
        b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"a" * 100_000,
        b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a:\r\n" * 3_000 + b"\r\n",
        b"G" * 3_000_000,
    ],
)
def test_a_head_that_is_too_large_is_refused(said: bytes) -> None:
    with running(Limits()) as server:
        with closing(server.connect()) as there:
            dribbles(there, said)
            answer = everything(there)
        assert answer.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400")) or not answer
        assert server.app.begun == []
        assert b"200 OK" in server.ask(ASK.replace(b"1.1", b"1.0"))


def test_a_head_without_end_behind_an_answer_without_end(eventually: Eventually) -> None:
    with running(Limits()) as server, closing(server.connect()) as there:
        there.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nX: ")
        assert eventually(lambda: not dribbles(there, b"a" * 10_000), within=SECONDS)
        eventually(lambda: server.app.over == ["/wait"], within=SECONDS)


def test_requests_that_wait_end_with_their_connection(eventually: Eventually) -> None:
    with running(Limits()) as server:
        with closing(server.connect()) as there:
            there.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n" + ASK)
            eventually(lambda: server.app.begun == ["/wait"], within=SECONDS)
        eventually(lambda: server.app.over == ["/wait"], within=SECONDS)
        assert server.app.begun == ["/wait"]


def test_requests_behind_each_other_are_answered_up_to_a_number() -> None:
    last = ASK.replace(b"Host", b"Connection: close\r\nHost")
    with running(Limits(queued=20)) as server:
        assert server.ask(ASK * 10 + last).count(b"read 0") == 11
        assert server.ask(ASK * 1_000 + last).count(b"read 0") <= 21


def test_too_many_connections_of_one_address(eventually: Eventually) -> None:
    with running(Limits(of_address=3), trusted=()) as server:
        held = [server.connect() for _ in range(3)]
        eventually(lambda: len(server.connections.open) == 3, within=SECONDS)
        assert b"503" in server.ask(b"")
        held.pop().close()
        eventually(lambda: len(server.connections.open) == 2, within=SECONDS)
        assert b"200 OK" in server.ask(ASK.replace(b"1.1", b"1.0"))
        for one in held:
            one.close()


def test_the_idle_make_room_and_the_busy_do_not(eventually: Eventually) -> None:
    busy = b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"

    def fill(server: Running, said: bytes) -> list[socket.socket]:
        held = [server.connect() for _ in range(3)]
        for one in held:
            one.sendall(said)
        return held

    with running(Limits(connections=3)) as server:
        held = fill(server, b"GET /")
        eventually(lambda: len(server.connections.open) == 3, within=SECONDS)
        assert b"200 OK" in server.ask(ASK.replace(b"1.1", b"1.0"))
        for one in held:
            one.close()
        eventually(lambda: not server.connections.open, within=SECONDS)
        held = fill(server, busy)
        eventually(lambda: server.app.begun.count("/wait") == 3, within=SECONDS)
        assert b"503" in server.ask(b"")
        for one in held:
            one.close()


ODD: tuple[tuple[bytes, Callable[[bytes], bool]], ...] = (
    (b"\x16\x03\x01\x02\x00\x01\x00", lambda said: said.startswith(b"HTTP/1.1 400")),
    (b"GET * HTTP/1.0\r\nHost: x\r\n\r\n", lambda said: said.startswith(b"HTTP/1.1")),
    (b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", lambda said: said.startswith(b"HTTP/1.1 400")),
    (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", lambda said: said.startswith(b"HTTP/1.1 400")),
    (
        b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        lambda said: said.startswith(b"HTTP/1.1 400"),
    ),
    (
        b"POST /read HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        lambda said: said.startswith(b"HTTP/1.1 400"),
    ),
    (
        b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        lambda said: said.startswith(b"HTTP/1.1 400"),
    ),
    (
        b"POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        lambda said: b"200" not in said,
    ),
)


@pytest.mark.parametrize(("said", "fits"), ODD)
def test_what_is_no_request(said: bytes, fits: Callable[[bytes], bool]) -> None:
    with running(Limits(head_seconds=2)) as server:
        answer = server.ask(said)
        assert fits(answer), answer
        assert b"200 OK" in server.ask(ASK.replace(b"1.1", b"1.0"))


@pytest.mark.parametrize(
    ("soft", "hard", "had"),
    [
        (1024, 4096, 2000),
        (1024, resource.RLIM_INFINITY, 2000),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 2000),
        (1024, 1024, 524),
        (256, 256, 128),
    ],
)
def test_there_are_no_more_connections_than_files_may_be_open(
    soft: int, hard: int, had: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [(soft, hard)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: now[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: now.append(limits))
    assert affordable(Limits(connections=2000)).connections == had
