"""``/jobs/stream``: what changes, as server-sent events, for one view of one tab."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from sse_starlette import EventSourceResponse
from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from hopper.errors import UsageError
from hopper.web.following.hub import VIEWS, is_view
from hopper.web.following.state import Following
from hopper.web.security.access import may
from hopper.web.security.roles import Role
from hopper.web.security.visits import visit_of
from hopper.web.site import OfSite

PING = 15
"""Seconds between two comments that keep proxies from ending a quiet stream."""
SEND_PATIENCE = 20
"""Seconds that a client may take over one message."""
RETRY = 2_000
"""Milliseconds after which a browser comes back."""
_LONGEST = 200
"""Characters of a view's name."""

LastEventId = Annotated[str, Header(alias="Last-Event-ID", max_length=_LONGEST)]
Since = Annotated[str, Query(alias="last_event_id", max_length=_LONGEST)]
ViewName = Annotated[str, Query(max_length=_LONGEST)]


router = APIRouter()


class Stream(EventSourceResponse):
    """A stream that ends quietly for a client who takes nothing any more."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with contextlib.suppress(SendTimeoutError):
            await super().__call__(scope, receive, send)


def stream_of(
    following: Following, view: str, seen: str, *, may_stay: Callable[[], bool] = lambda: True
) -> Stream:
    """Return the stream of a view from the position that the client has seen, or from now on.

    ``may_stay`` is asked now and then: a stream is open for long, and its reader may have been
    put out meanwhile. Raises UsageError where there is no such view.
    """
    if not is_view(view):
        names = ", ".join(VIEWS)
        raise UsageError(f"no view {view!r}", way_out=f"{names}, run:ID or job:ID")

    async def messages() -> AsyncIterator[bytes]:
        yield f"retry: {RETRY}\n\n".encode()
        # Not before: nobody would end a watcher whose client has never come to here.
        async with contextlib.aclosing(following.watch(view, seen).messages()) as found:
            asked = time.monotonic()
            async for message in found:
                if time.monotonic() - asked > PING:
                    asked = time.monotonic()
                    if not may_stay():
                        return
                yield message

    return Stream(
        messages(),
        ping=PING,
        ping_message_factory=lambda: ServerSentEvent(comment="still here"),
        send_timeout=SEND_PATIENCE,
    )


@router.get("/jobs/stream", name="stream", dependencies=[Depends(may(Role.VIEWER))])
async def stream(
    request: Request,
    site: OfSite,
    view: ViewName,
    seen: LastEventId = "",
    since: Since = "",
) -> Stream:
    """Send what changes in a view, until the client goes."""
    # A browser that comes back knows better than the page's address how far it had come.
    may_stay = visit_of(request.scope).holds
    return stream_of(site.following, view, seen or since, may_stay=may_stay)
