"""Bodies of requests that are read whole into memory are kept small."""

from __future__ import annotations

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST = 8 << 20
"""Bytes; a run of 10,000 tasks that is written out has fewer."""
_KEY = "largest_body"


class Bodies:
    """Refuses what is larger, as it comes: 413."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state: dict[str, object] = scope.setdefault("state", {})
        state[_KEY] = LARGEST
        come = 0

        async def counted() -> Message:
            nonlocal come
            message = await receive()
            come += len(message.get("body", b""))
            most = state[_KEY]
            if isinstance(most, int) and max(come, _said(scope)) > most:
                raise HTTPException(413, f"that is more than {most} bytes")
            return message

        await self._app(scope, counted, send)


def let_come(request: Request) -> None:
    """Let a request's body be of any size: for who counts it, and keeps it on disk."""
    setattr(request.state, _KEY, None)


def _said(scope: Scope) -> int:
    found = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    return int(found[:20]) if found.isdigit() else 0
