"""A terminal in the browser: who may, what it talks to, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hopper.config.load import load
from hopper.dispatch.changes import Changes
from hopper.model.states import JobState
from hopper.operations.terminals import Terminal
from hopper.store.state import StateStore
from hopper.web.app import create_app
from hopper.web.opening import open_site
from hopper.web.security.roles import Role
from tests.unit.web.following.states import a_job
from tests.unit.web.pages.browsing import BASE, a_home, browser

SOCKET = "/jobs/live-aaaaaa/terminal/socket"
HERE = {"Origin": BASE}


def a_home_with(tmp_path: Path, *, terminal: bool) -> Path:
    jobs = (
        a_job("live-aaaaaa", state=JobState.RUNNING, worker="w1"),
        a_job("wait-aaaaaa"),
    )
    return a_home(tmp_path, Changes(jobs=jobs), web={"port": 0, "terminal": terminal})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def opened(config: object, job: object, number: object) -> Terminal:
        del config, job, number
        return Terminal(words=("/bin/sh",), place="w1", attempt=1)

    monkeypatch.setattr("hopper.web.pages.terminal.terminal_for", opened)
    return a_home_with(tmp_path, terminal=True)


class Refused(Exception):
    """The server has closed the socket; ``str`` says why."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


class Socket:
    """A browser's end of a websocket, with the application called as a server calls it."""

    def __init__(self, app: Any, headers: dict[str, str]) -> None:
        said = {"host": "localhost:8000", **headers}
        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": SOCKET,
            "raw_path": SOCKET.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(k.lower().encode(), v.encode()) for k, v in said.items()],
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 8000),
            "subprotocols": [],
            "state": {},
        }
        self._to: asyncio.Queue[Any] = asyncio.Queue()
        self._from: asyncio.Queue[Any] = asyncio.Queue()
        self._to.put_nowait({"type": "websocket.connect"})
        self.talk = asyncio.create_task(app(scope, self._to.get, self._from.put))

    def type(self, content: bytes) -> None:
        self._to.put_nowait({"type": "websocket.receive", "bytes": content})

    def say(self, text: str) -> None:
        self._to.put_nowait({"type": "websocket.receive", "text": text})

    async def until(self, words: bytes) -> bytes:
        said = b""
        while words not in said:
            message = await asyncio.wait_for(self._from.get(), 60)
            if message["type"] == "websocket.close":
                raise Refused(message["code"], message.get("reason") or "")
            said += message.get("bytes") or b""
        return said

    async def leave(self) -> None:
        self._to.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await asyncio.wait_for(self.talk, 60)


Act = Callable[[Callable[[dict[str, str]], Socket]], Awaitable[None]]


def scene(home: Path, act: Act) -> None:
    """Play a scene; all sockets are left at its end."""

    async def play() -> None:
        site = open_site(load(home))
        app = create_app(site)
        sockets: list[Socket] = []

        def connect(headers: dict[str, str]) -> Socket:
            sockets.append(Socket(app, headers))
            return sockets[-1]

        try:
            await act(connect)
        finally:
            for socket in sockets:
                await socket.leave()
            site.following.close()

    asyncio.run(play())


def refusal(home: Path, headers: dict[str, str]) -> Refused:
    found: list[Refused] = []

    async def act(connect: Callable[[dict[str, str]], Socket]) -> None:
        with pytest.raises(Refused) as caught:
            await connect(headers).until(b"never said")
        found.append(caught.value)

    scene(home, act)
    return found[0]


def test_what_is_typed_comes_to_a_shell_and_is_on_record(home: Path) -> None:
    async def act(connect: Callable[[dict[str, str]], Socket]) -> None:
        socket = connect(HERE)
        socket.say('{"size": [91, 33]}')
        socket.say("no json at all")
        socket.type(b"stty size\n")
        assert b"33 91" in await socket.until(b"33 91")

    scene(home, act)
    with StateStore.open(load(home).paths.db, readonly=True) as store:
        (event,) = [event for event in store.events() if event.kind == "terminal_opened"]
    assert event.job == "live-aaaaaa"
    assert event.data["by"]
    assert event.reason == "attempt 1 on w1"


def test_a_shell_that_ends_ends_the_talk(home: Path) -> None:
    async def act(connect: Callable[[dict[str, str]], Socket]) -> None:
        socket = connect(HERE)
        socket.type(b"exit\n")
        with pytest.raises(Refused, match="the shell has ended"):
            await socket.until(b"never said")

    scene(home, act)


def test_a_tab_that_is_closed_ends_its_shell(home: Path) -> None:
    async def act(connect: Callable[[dict[str, str]], Socket]) -> None:
        socket = connect(HERE)
        socket.type(b"echo its-pid-$$-\n")
        said = await socket.until(b"-\r\n")
        while (found := re.search(rb"its-pid-(\d+)-", said)) is None:
            said += await socket.until(b"\n")
        await socket.leave()
        with pytest.raises(ProcessLookupError):
            os.kill(int(found[1]), 0)

    scene(home, act)


def test_another_site_gets_no_terminal(home: Path) -> None:
    assert refusal(home, {"Origin": "http://evil.example"}).code == 1008
    assert refusal(home, {"Origin": BASE, "Host": "evil.example"}).code == 1008


def test_only_so_many_at_a_time(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hopper.web.pages.terminal.MOST", 1)

    async def act(connect: Callable[[dict[str, str]], Socket]) -> None:
        socket = connect(HERE)
        socket.type(b"echo be''gun\n")
        await socket.until(b"begun")
        with pytest.raises(Refused, match="open already"):
            await connect(HERE).until(b"never said")
        await socket.leave()
        again = connect(HERE)
        again.type(b"echo be''gun\n")
        await again.until(b"begun")

    scene(home, act)


def test_there_is_none_where_the_config_does_not_say_so(tmp_path: Path) -> None:
    path = a_home_with(tmp_path, terminal=False)
    assert "no terminals" in str(refusal(path, HERE))
    with browser(path) as person:
        assert person.get("/jobs/live-aaaaaa/terminal").status_code == 404


def test_the_page_has_a_policy_of_its_own_and_others_the_strict_one(home: Path) -> None:
    with browser(home) as person:
        page = person.get("/jobs/live-aaaaaa/terminal")
        assert page.status_code == 200
        assert "style-src 'self' 'unsafe-inline'" in page.headers["content-security-policy"]
        assert "script-src 'self';" in page.headers["content-security-policy"]
        strict = person.get("/runs").headers["content-security-policy"]
        assert "unsafe" not in strict
        assert person.get("/jobs/wait-aaaaaa/terminal").status_code == 422
        assert person.get("/jobs/none-aaaaaa/terminal").status_code == 404


def test_a_viewer_gets_no_terminal(home: Path) -> None:
    with browser(home) as person:
        guard = person.site.guard
        account = guard.accounts.add("vera", Role.VIEWER, "x")
        cookie = f"{guard.session_cookie}={guard.sessions.begin(account, guard.now())}"
        assert person.get("/jobs/live-aaaaaa/terminal", {"Cookie": cookie}).status_code == 403
