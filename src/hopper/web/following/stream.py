"""``/jobs/stream``: what changes, as server-sent events, for one view of one tab."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Header, Query
from sse_starlette import EventSourceResponse
from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from hopper.errors import UsageError
from hopper.web.following.following import Following
from hopper.web.following.hub import VIEWS, is_view

PING = 15
"""Seconds between two comments that keep proxies from ending a quiet stream."""
SEND_PATIENCE = 20
"""Seconds that a client may take over one message."""
RETRY = 2_000
"""Milliseconds after which a browser comes back."""
_LONGEST = 200
"""Characters of a view's name."""

LastEventId = Annotated[str, Header(alias="Last-Event-ID", max_length=_LONGEST)]
LastEventIdAsked = Annotated[str, Query(alias="last_event_id", max_length=_LONGEST)]
ViewName = Annotated[str, Query(max_length=_LONGEST)]


class Stream(EventSourceResponse):
    """A stream that ends quietly for a client who takes nothing any more."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with contextlib.suppress(SendTimeoutError):
            await super().__call__(scope, receive, send)


def stream_of(following: Following, view: str, seen: str) -> Stream:
    """Return the stream of a view from the position that the client has seen, or from now on.

    Raises UsageError where there is no such view.
    """
    if not is_view(view):
        names = ", ".join(VIEWS)
        raise UsageError(f"no view {view!r}", way_out=f"{names}, run:ID or job:ID")
    watcher = following.watch(view, seen)

    async def messages() -> AsyncIterator[bytes]:
        yield f"retry: {RETRY}\n\n".encode()
        async for message in watcher.messages():
            yield message

    return Stream(
        messages(),
        ping=PING,
        ping_message_factory=lambda: ServerSentEvent(comment="still here"),
        send_timeout=SEND_PATIENCE,
    )
