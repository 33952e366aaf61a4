"""Answers made smaller for those who take gzip."""

from __future__ import annotations

import gzip
import re

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SMALLEST = 1_000
"""Bytes below which it is not worth it."""
LARGE = 64 << 10
"""Bytes from which on it is done in a thread."""
LEVEL = 4
"""More takes twice the time for a tenth less."""
KINDS = frozenset(
    {
        "text/html",
        "text/css",
        "text/javascript",
        "application/javascript",
        "application/json",
        "application/problem+json",
        "image/svg+xml",
    }
)
_REFUSED = re.compile(r"gzip\s*;\s*q=0(\.0*)?\s*(,|$)")


class Compressed:
    """Compresses what an app sends in one piece: pages, JSON, small files.

    What is streamed goes as it is: server-sent events, logs, downloads. That pages are compressed
    tells who watches the wire how long they are, and so whether what an address reflects is like
    something secret in them. The only such thing is the token of forms, which is therefore masked
    anew in each answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and _takes_gzip(Headers(scope=scope)):
            send = _Out(send)
        await self.app(scope, receive, send)


class _Out:
    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _fits(message):
            # Only its body tells whether it comes in one piece.
            self._start = message
            return
        start, self._start = self._start, None
        if start is not None:
            headers = MutableHeaders(raw=list(start["headers"]))
            headers.add_vary_header("Accept-Encoding")
            body = message.get("body", b"")
            if not message.get("more_body", False) and len(body) >= SMALLEST:
                smaller = await _gzipped(body)
                headers["Content-Encoding"] = "gzip"
                headers["Content-Length"] = str(len(smaller))
                message = {**message, "body": smaller}
            await self._send({**start, "headers": headers.raw})
        await self._send(message)


def _takes_gzip(headers: Headers) -> bool:
    said = headers.get("accept-encoding", "").lower()
    return "gzip" in said and _REFUSED.search(said) is None


def _fits(message: Message) -> bool:
    headers = Headers(raw=message["headers"])
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    whole = message["status"] not in {204, 206, 304}
    return whole and kind in KINDS and "content-encoding" not in headers


async def _gzipped(body: bytes) -> bytes:
    def work() -> bytes:
        return gzip.compress(body, LEVEL, mtime=0)

    return await to_thread.run_sync(work) if len(body) >= LARGE else work()
