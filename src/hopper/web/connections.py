"""Connections that cost the server no more than a share: bounded heads, times and numbers.

uvicorn waits for ever for a request's head, for a body that has stopped, and for a client who
takes nothing of its answer; and a head may be of any size. What is allowed here is enough for
every browser on a poor line.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

PER_HEADER = 32
"""What a header counts besides its text: many empty ones cost memory too."""
LOOK_EVERY = 1.0
"""Seconds between two looks at all connections."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one connection may take, and all of them."""

    head_bytes: int = 65_536
    """Of a request's first line and headers."""
    head_seconds: float = 20.0
    """For the whole head, from the connection or the last answer on."""
    body_seconds: float = 90.0
    """For a body, besides the time that its bytes take at ``body_rate``."""
    body_rate: float = 1_000.0
    """Bytes a second that come at least."""
    stuck_seconds: float = 60.0
    """For which a client may take nothing of what waits for it."""
    queued: int = 50
    """Requests that may wait behind one that is not answered yet."""
    connections: int = 2_000
    of_address: int = 500
    """Connections of one address that is no trusted proxy's."""


class Over(StrEnum):
    """What makes a connection end."""

    NO_HEAD = "no head in time"
    NO_BODY = "no body in time"
    STUCK = "nothing is taken"


class Connections:
    """All that are open."""

    def __init__(self, limits: Limits, *, trusted: Sequence[str] = ()) -> None:
        """``trusted`` are the networks of reverse proxies, who connect for many."""
        self.limits = limits
        self.open: set[Bounded] = set()
        self._trusted = [ipaddress.ip_network(one) for one in trusted]
        self._of: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def protocol(self) -> type[HttpToolsProtocol]:
        """Return the protocol of connections that are counted here."""
        ours = self

        class Ours(Bounded):
            connections_of = ours

        return Ours

    def enter(self, one: Bounded) -> bool:
        """Take a connection in; False where there are too many."""
        address = one.address
        if self._of[address] >= self.limits.of_address and not self._is_proxy(address):
            return False
        if len(self.open) >= self.limits.connections and not self._make_room():
            return False
        self.open.add(one)
        self._of[address] += 1
        if self._timer is None:
            self._timer = one.loop.call_later(LOOK_EVERY, self._look, one.loop)
        return True

    def leave(self, one: Bounded) -> None:
        """Forget a connection."""
        if one in self.open:
            self.open.discard(one)
            self._of[one.address] -= 1
            self._of += Counter()  # those of nobody go

    def _is_proxy(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._trusted)

    def _make_room(self) -> bool:
        """End the connection that has asked for nothing for longest; False where there is none."""
        idle = [one for one in self.open if one.answered]
        if not idle:
            return False
        longest = min(idle, key=lambda one: one.since)
        self.leave(longest)
        longest.transport.abort()
        return True

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for one in list(self.open):
            over = one.over(now)
            if over is not None:
                one.end(over)
        self._timer = loop.call_later(LOOK_EVERY, self._look, loop) if self.open else None


class Bounded(HttpToolsProtocol):
    """One connection."""

    connections_of: Connections

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.limits = self.connections_of.limits
        self.address = ""
        self.since = self.loop.time()
        """When what it is waited for began: a head, or a body."""
        self._looked = self.since
        self._head = 0
        """Bytes of a head that is not whole; those that callbacks have told of."""
        self._fed = 0
        """Bytes that have come for it."""
        self._in_head = True
        self._newest: RequestResponseCycle | None = None
        self._under_way: RequestResponseCycle | None = None
        self._too_large = False
        self._body = 0
        self._left = 0
        """Bytes that waited to be sent, at the last look."""
        self._moved = self.since
        """When the client last took some."""

    @property
    def answered(self) -> bool:
        """True when no request is under way."""
        return self._newest is None or self._newest.response_complete

    # --- what it is asked for by all of them

    def over(self, now: float) -> Over | None:
        """Return why it is to end now; None where it may go on. Asked again and again."""
        passed, self._looked = now - self._looked, now
        if self._stuck(now):
            return Over.STUCK
        if self.answered:
            return Over.NO_HEAD if now > self.since + self.limits.head_seconds else None
        if not self.cycle.more_body:
            return None
        if self.flow.read_paused or self.cycle.waiting_for_100_continue:
            self.since += passed  # it is us who hold it up
        allowed = self.limits.body_seconds + self._body / self.limits.body_rate
        return Over.NO_BODY if now > self.since + allowed else None

    def end(self, over: Over) -> None:
        """End it: with a word to a client who has begun to ask, else at once."""
        begun = over is Over.NO_HEAD and self._fed and self._newest is None
        if begun and not self.transport.is_closing():
            self._say(408, over)
        else:
            self.transport.abort()

    def _stuck(self, now: float) -> bool:
        left = self.transport.get_write_buffer_size()
        if not left or left < self._left:
            self._moved = now
        self._left = left
        return now > self._moved + self.limits.stuck_seconds

    # --- the protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; or end again at once where there are too many."""
        super().connection_made(transport)
        self.address = str(self.client[0]) if self.client else ""
        if not self.connections_of.enter(self):
            self._say(503, "too many connections")

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.connections_of.leave(self)
        self.pipeline.clear()
        super().connection_lost(exc)
        # uvicorn tells the newest request only, and an answer that never ends would go on.
        if self._under_way is not None and not self._under_way.response_complete:
            self._under_way.disconnected = True
            self._under_way.message_event.set()

    def handle_websocket_upgrade(self) -> None:
        """Become a websocket, whose own pings tell whether somebody is there."""
        self.connections_of.leave(self)
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        """Take in bytes."""
        if self.transport.is_closing():
            return
        if self._in_head:
            self._fed += len(data)
        super().data_received(data)
        if self._in_head and self._fed > self.limits.head_bytes:
            self._too_large = True
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._head = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take in a piece of the address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take in a header."""
        self._count(len(name) + len(value) + PER_HEADER)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        if len(self.pipeline) >= self.limits.queued:
            raise ValueError("too many requests at once")
        self._in_head, self._body = False, 0
        self.since = self.loop.time()
        super().on_headers_complete()
        self._newest = self.cycle

    def on_body(self, body: bytes) -> None:
        """Take in a piece of a body."""
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Have a request whole."""
        self._in_head, self._fed = True, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self.since = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, or too large for one."""
        if self.transport.is_closing():
            return
        if self._too_large:
            self._say(431, "the address or the headers are too large")
        elif self.answered:
            super().send_400_response(msg)
        else:  # in the middle of an answer
            self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._under_way = cycle
        super()._start_asgi_task(cycle, app)

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > self.limits.head_bytes:
            self._too_large = True
            raise ValueError("too large a head")

    def _say(self, status: int, what: str) -> None:
        text = f"{what}\n".encode()
        head = f"HTTP/1.1 {status} \r\ncontent-type: text/plain\r\nconnection: close\r\n"
        length = f"content-length: {len(text)}\r\n\r\n"
        self.transport.write((head + length).encode() + text)
        self.transport.close()
