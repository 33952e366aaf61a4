"""Streams and websockets end when whoever opened them is no longer let in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import Message, Receive

LOOK_EVERY = 5.0
"""Seconds between two looks whether somebody is still let in."""


class LastingReceive:
    """A ``receive`` that says the client has gone once ``holds`` is false."""

    def __init__(
        self, receive: Receive, holds: Callable[[], bool], gone: Message, every: float
    ) -> None:
        self._receive = receive
        self._holds = holds
        self._gone = gone
        self._every = every
        self._pending: asyncio.Future[Message] | None = None
        self._body_first = gone["type"] == "http.disconnect"
        self.ended = False

    async def __call__(self) -> Message:
        """Return the next message."""
        if self._body_first:
            message = await self._receive()
            self._body_first = bool(message.get("more_body", False))
            return message
        # What is under way is kept: a receive that is cancelled might lose a message.
        if self._pending is None:
            self._pending = asyncio.ensure_future(self._receive())
        while True:
            done, _ = await asyncio.wait({self._pending}, timeout=self._every)
            if done:
                message, self._pending = self._pending.result(), None
                return message
            if not self._holds():
                self.ended = True
                return self._gone

    async def close(self) -> None:
        """Let go of what is still awaited."""
        if self._pending is not None:
            self._pending.cancel()
            await asyncio.wait({self._pending})
            self._pending = None
