"""A guarded app of a few routes, and requests put to it byte by byte."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import anyio
from argon2 import PasswordHasher
from fastapi import APIRouter, Depends, FastAPI, Request, WebSocket
from starlette.responses import PlainTextResponse, Response

from hopper.web.security.access import csrf_token, may, protect
from hopper.web.security.guard import Guard, GuardRules
from hopper.web.security.passwords import Passwords
from hopper.web.security.roles import Identity, Role

CHEAP = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
ANY_ADDRESS = ".".join("0000")
PASSWORD = "correct horse 7"
Headers = dict[str, str] | list[tuple[str, str]]
HTML = {"accept": "text/html"}
HERE = {"origin": "http://localhost:8000"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
App = Callable[..., Awaitable[None]]


@dataclass
class Clock:
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def later(self, **span: float) -> None:
        self.at += timedelta(**span)


@dataclass
class Answer:
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    @property
    def text(self) -> str:
        return self.body.decode()

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key == name]
        assert len(found) <= 1, found
        return found[0] if found else None

    @property
    def cookie(self) -> str:
        return (self.header("set-cookie") or "").partition(";")[0]


def guard_of(folder: Path, *, clock: Clock | None = None, **rules: Any) -> Guard:
    return Guard(folder / "web", GuardRules(**rules), passwords=CHEAP, now=clock or Clock())


def with_user(guard: Guard, name: str = "alice", role: Role = Role.ADMIN) -> str:
    """Make a user and return the cookie of a login."""
    account = guard.accounts.add(name, role, CHEAP.hashed(PASSWORD))
    return f"{guard.session_cookie}={guard.sessions.begin(account, guard.now())}"


def csrf_of(guard: Guard, cookie: str) -> str:
    return guard.csrf_token(cookie.partition("=")[2])


ROUTES = APIRouter()


@ROUTES.get("/")
async def page(request: Request) -> Response:
    return PlainTextResponse(csrf_token(request))


@ROUTES.get("/static/x.css")
async def static() -> Response:
    return PlainTextResponse("x", headers={"Cache-Control": "max-age=9"})


@ROUTES.get("/own-policy")
async def own_policy() -> Response:
    return PlainTextResponse("x", headers={"Content-Security-Policy": "default-src 'self'"})


@ROUTES.post("/act")
async def act(who: Annotated[Identity, Depends(may(Role.OPERATOR))]) -> str:
    return who.by


@ROUTES.post("/bare")
async def bare(request: Request) -> int:
    return len(await request.body())


@ROUTES.post("/login")
async def login(request: Request) -> str:
    return str((await request.form()).get("name"))


@ROUTES.get("/settings")
async def settings(who: Annotated[Identity, Depends(may(Role.ADMIN))]) -> str:
    return who.by


@ROUTES.get("/api/agent/next")
async def agent(who: Annotated[Identity, Depends(may(Role.AGENT))]) -> str:
    return who.by


@ROUTES.get("/crash")
async def crash() -> str:
    raise ZeroDivisionError


@ROUTES.websocket("/ws")
async def ws(websocket: WebSocket, who: Annotated[Identity, Depends(may(Role.OPERATOR))]) -> None:
    await websocket.accept()
    await websocket.send_text(who.by)
    await websocket.close()


def app_of(guard: Guard) -> FastAPI:
    """A page, an operation, a form, an admin's page, and what agents and uploads call."""
    app = FastAPI()
    protect(app, guard)
    app.include_router(ROUTES)
    return app


def scope_of(
    method: str, path: str, headers: Headers, *, client: str = "127.0.0.1", **more: Any
) -> dict[str, Any]:
    pairs = list(headers.items()) if isinstance(headers, dict) else headers
    names = {name for name, _ in pairs}
    if "host" not in names and not more.pop("hostless", False):
        pairs = [("host", "localhost:8000"), *pairs]
    path, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs],
        "client": (client, 50000),
        "server": ("127.0.0.1", 8000),
        "state": {},
        **more,
    }


def ask(
    app: App,
    method: str = "GET",
    path: str = "/",
    headers: Headers | None = None,
    *,
    body: bytes = b"",
    **more: Any,
) -> Answer:
    """Put a request to the app and return the answer."""
    return anyio.run(_ask, app, scope_of(method, path, headers or {}, **more), body)


async def _ask(app: App, scope: dict[str, Any], body: bytes) -> Answer:
    answer = Answer()
    halves = [body[: len(body) // 2], body[len(body) // 2 :]]
    messages = [
        {"type": "http.request", "body": half, "more_body": last}
        for half, last in zip(halves, (True, False), strict=True)
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = [(k.decode(), v.decode()) for k, v in message["headers"]]
        else:
            answer.body += message.get("body", b"")

    await app(scope, receive, send)
    return answer


def connect(app: App, headers: Headers | None = None, **more: Any) -> list[dict[str, Any]]:
    """Open a websocket and return what the app sent."""
    scope = scope_of("GET", "/ws", headers or {}, **more)
    scope |= {"type": "websocket", "scheme": "ws", "subprotocols": []}
    del scope["method"]
    return anyio.run(_connect, app, scope)


async def _connect(app: App, scope: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent
