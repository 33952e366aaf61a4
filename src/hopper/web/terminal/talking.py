"""One terminal of a browser: what is typed goes to the program, what it says comes back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time

from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from hopper.web.terminal.program import Program

IDLE = 30 * 60.0
"""Seconds after which a terminal that nobody types into is ended."""
LOOK_EVERY = 5.0
LARGEST = 1 << 20
"""Bytes of one message that are taken."""


class Talk:
    """A program and the one who sits before it."""

    def __init__(self, socket: WebSocket, program: Program, *, idle: float = IDLE) -> None:
        self._socket = socket
        self._program = program
        self._idle = idle
        self._typed = time.monotonic()

    async def run(self) -> str:
        """Go on until either is gone, or nothing was typed for long; return why it ended."""
        tasks = [
            asyncio.create_task(self._listen(), name="the tab was closed"),
            asyncio.create_task(self._tell(), name="the shell has ended"),
            asyncio.create_task(self._watch(), name="nothing was typed for long"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            try:
                await asyncio.gather(*tasks, return_exceptions=True)
            finally:
                await self._program.end()
        return next(iter(done)).get_name()

    async def close(self, why: str) -> None:
        """Tell the browser that it is over."""
        if self._socket.client_state is WebSocketState.CONNECTED:
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await self._socket.close(1000, why)

    async def _listen(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            content, text = message.get("bytes"), message.get("text")
            if content and len(content) <= LARGEST:
                self._typed = time.monotonic()
                await self._program.write(content)
            elif text:
                self._resize(text)

    def _resize(self, text: str) -> None:
        try:
            columns, rows = json.loads(text[:200])["size"]
        except (ValueError, TypeError, KeyError):
            return
        if type(columns) is int and type(rows) is int:
            self._program.resize(columns, rows)

    async def _tell(self) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while said := await self._program.read():
                await self._socket.send_bytes(said)

    async def _watch(self) -> None:
        while time.monotonic() - self._typed < self._idle:
            await asyncio.sleep(min(LOOK_EVERY, self._idle))
