"""What every request goes through, before anything else sees it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from urllib.parse import quote

from anyio import to_thread
from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hopper.errors import HopperError
from hopper.web.security.forms import token_in_form
from hopper.web.security.guard import Guard
from hopper.web.security.headers import with_security
from hopper.web.security.lasting import LOOK_EVERY, LastingReceive
from hopper.web.security.origins import same_site
from hopper.web.security.refusals import AccessRefused, answer, login_needed
from hopper.web.security.roles import Role, Via, allows
from hopper.web.security.visits import Request, Visit, read_request, recognise

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
PUBLIC = ("/static/", "/login", "/health", "/favicon.ico")
"""What nobody has to log in for: these paths, and below those that end with a slash."""
AGENTS = "/api/agent/"
"""Where agents may go, and nobody else but admins."""
OWN = ("/logout", "/account")
"""What anybody who is logged in may post to."""


class GuardMiddleware:
    """Lets through what may pass, and puts who it is into ``scope["state"]``.

    Refused are requests for other hosts, made by other sites, without a form's token, and by
    nobody we know, unless for a public path. Pages and operations ask for more by ``may``.
    Whatever asks for nothing is still only for viewers, and for operators where it changes
    something. Every answer gets the security headers.
    """

    def __init__(
        self,
        app: ASGIApp,
        guard: Guard,
        *,
        public: Iterable[str] = PUBLIC,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self.app = app
        self.guard = guard
        self.public = tuple(public)
        self.look_every = look_every

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        out = _Out(send, scope)
        try:
            request, visit = self._visit(scope)
            if scope["method"] not in SAFE:
                self._own_pages_only(scope, request)
            self._enough(scope, visit)
            if scope["method"] not in SAFE:
                receive = await self._meant(request, visit, receive)
        except HopperError as error:
            await answer(scope, _as_refusal(error))(scope, receive, out)
            return
        out.visit = visit
        await self._note_use(visit)
        lasting = LastingReceive(receive, visit.holds, {"type": "http.disconnect"}, self.look_every)
        try:
            await self.app(scope, lasting, out)
        except Exception:
            # The next outer layer would answer without our headers.
            if not out.started:
                crash = PlainTextResponse("something went wrong; the log says what\n", 500)
                await crash(scope, receive, out)
            raise
        finally:
            await lasting.close()
        if lasting.ended and out.started and not out.complete:
            await out({"type": "http.response.body", "body": b"", "more_body": False})

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            request, visit = self._visit(scope)
            self._own_pages_only(scope, request)
            if visit.bases and request.header(b"origin") is None:
                raise AccessRefused(403, "a websocket with a cookie and no origin")
            self._enough(scope, visit)
        except HopperError as error:
            await send({"type": "websocket.close", "code": 1008, "reason": str(error)[:120]})
            return
        await self._note_use(visit)
        gone: Message = {"type": "websocket.disconnect", "code": 1008, "reason": "logged out"}
        lasting = LastingReceive(receive, visit.holds, gone, self.look_every)
        try:
            await self.app(scope, lasting, send)
        finally:
            await lasting.close()
        if lasting.ended:
            # The app takes the client for gone; it is not, unless the app closed as well.
            with contextlib.suppress(RuntimeError):
                await send({"type": "websocket.close", "code": 1008, "reason": "logged out"})

    def _visit(self, scope: Scope) -> tuple[Request, Visit]:
        request = read_request(scope)
        if not self.guard.hosts.takes(request.host):
            raise AccessRefused(
                421,
                f"this server does not answer for {request.host.host}",
                way_out="add it to 'web.allowed_hosts' in the config if it should",
            )
        visit = recognise(self.guard, request, scope)
        state = scope.setdefault("state", {})
        state["visit"], state["identity"] = visit, visit.identity
        return request, visit

    async def _meant(self, request: Request, visit: Visit, receive: Receive) -> Receive:
        """Check that a request that changes something was meant; return what gives its body."""
        by_token = visit.identity is not None and visit.identity.via is Via.TOKEN
        if by_token or not request.by_browser:
            return receive
        token = request.header(b"x-csrf-token")
        if token is None and _is_form(request):
            token, receive = await token_in_form(receive)
        if not self.guard.csrf_fits(token or "", visit.bases):
            raise AccessRefused(
                403, "the form's token is missing or old", way_out="reload the page, and try again"
            )
        return receive

    def _own_pages_only(self, scope: Scope, request: Request) -> None:
        if not same_site(
            host=request.host,
            secure=scope.get("scheme") in ("https", "wss"),
            origin=request.header(b"origin"),
            fetch_site=request.header(b"sec-fetch-site"),
        ):
            raise AccessRefused(
                403,
                "the request was made by another site",
                way_out="behind a proxy, see that it keeps the header Host",
            )

    def _enough(self, scope: Scope, visit: Visit) -> None:
        path = own_path(scope)
        if any(path == one or (one.endswith("/") and path.startswith(one)) for one in self.public):
            return
        if visit.identity is None:
            raise login_needed()
        wanted = Role.OPERATOR
        if path.startswith(AGENTS):
            wanted = Role.AGENT
        elif path in OWN or scope.get("method", "GET") in SAFE:
            wanted = Role.VIEWER
        require(visit, wanted)

    async def _note_use(self, visit: Visit) -> None:
        if visit.identity is None:
            return
        note = self.guard.use_to_note(visit.identity, visit.credential)
        if note is not None:
            await to_thread.run_sync(note)


class _Out:
    """A ``send`` that adds the security headers, and the cookie that a form's token needs."""

    def __init__(self, send: Send, scope: Scope) -> None:
        self._send = send
        self._scope = scope
        self.visit: Visit | None = None
        self.started = False
        self.complete = False

    async def __call__(self, message: Message) -> None:
        """Send one message."""
        if message["type"] == "http.response.start":
            self.started = True
            message = {**message, "headers": with_security(message.get("headers", ()))}
            if self.visit is not None and self.visit.new_cookie:
                headers = MutableHeaders(raw=message["headers"])
                guard = self.visit.guard
                headers.append(
                    "set-cookie", cookie(self._scope, guard.visit_cookie, self.visit.new_cookie)
                )
        elif message["type"] == "http.response.body":
            self.complete = not message.get("more_body", False)
        await self._send(message)


def own_path(scope: Scope) -> str:
    """Return a request's path below the prefix that a proxy may have put before it."""
    path, prefix = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    if prefix and (path == prefix or path.startswith(f"{prefix}/")):
        return path[len(prefix) :] or "/"
    return path


def cookie(scope: Scope, name: str, value: str, *, max_age: int | None = None) -> str:
    """Return a ``Set-Cookie`` that no script reads and no other site sends along."""
    path = quote(str(scope.get("root_path", "")).rstrip("/") or "/")
    parts = [f"{name}={value}", f"Path={path}", "HttpOnly", "SameSite=Lax"]
    if max_age is not None:
        parts.append(f"Max-Age={max_age}")
    if scope.get("scheme") == "https":
        parts.append("Secure")
    return "; ".join(parts)


def require(visit: Visit, role: Role) -> None:
    """Raise AccessRefused unless a visit's identity may do what the role is needed for."""
    if visit.identity is None:
        raise login_needed()
    if not allows(visit.identity.role, role):
        raise AccessRefused(
            403,
            f"{visit.identity.name} is {visit.identity.role}, this needs {role}",
            way_out="an admin can change that: 'hopper web user role'",
        )


def _is_form(request: Request) -> bool:
    kind = (request.header(b"content-type") or "").partition(";")[0].strip().lower()
    return kind == "application/x-www-form-urlencoded"


def _as_refusal(error: HopperError) -> AccessRefused:
    return error if isinstance(error, AccessRefused) else AccessRefused(503, str(error))
