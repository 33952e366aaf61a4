"""A program on a pty of its own, for one who sits before it elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import sys
import termios
from collections.abc import Callable, Mapping, Sequence
from typing import Self

CHUNK = 1 << 16
"""Bytes that are read at a time."""
GRACE = 3.0
"""Seconds that a program has to end after its terminal is gone."""
MOST_CELLS = 1_000
"""Rows or columns, at most."""
# Makes the pty the terminal that the program is controlled by; then it is the program.
_TAKE = """\
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
_KEPT = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "SSH_AUTH_SOCK", "TZ", "USER")


def environment_of(known: Mapping[str, str]) -> dict[str, str]:
    """Return what a terminal's program is told of the server's environment: no secrets."""
    kept = {name: known[name] for name in _KEPT if name in known}
    return {**kept, "TERM": "xterm-256color"}


_Add = Callable[[int, Callable[[], None]], None]


class Program:
    """One program, from its start to its end. Lives in one event loop."""

    def __init__(self, process: asyncio.subprocess.Process, terminal: int) -> None:
        self._process = process
        self._terminal = terminal
        self._loop = asyncio.get_running_loop()
        self._closed = False

    @classmethod
    async def start(cls, words: Sequence[str], environment: Mapping[str, str]) -> Self:
        """Start a program; OSError where that cannot be."""
        ours, its = os.openpty()
        try:
            os.set_blocking(ours, False)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", "-c", _TAKE, *words),
                stdin=its,
                stdout=its,
                stderr=its,
                start_new_session=True,
                env=dict(environment),
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(its)
        return cls(process, ours)

    @property
    def pid(self) -> int:
        """Its process, which leads a group of its own."""
        return self._process.pid

    async def read(self) -> bytes:
        """Return what it says next; nothing once it has ended."""
        while not self._closed:
            try:
                return os.read(self._terminal, CHUNK)
            except BlockingIOError:
                await self._ready(self._loop.add_reader, self._loop.remove_reader)
            except OSError:
                break  # the last who had the terminal open is gone
        return b""

    async def write(self, content: bytes) -> None:
        """Say something to it; what it does not take any more is left."""
        while content and not self._closed:
            try:
                content = content[os.write(self._terminal, content) :]
            except BlockingIOError:
                await self._ready(self._loop.add_writer, self._loop.remove_writer)
            except OSError:
                return

    async def _ready(self, add: _Add, remove: Callable[[int], bool]) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()

        def wake() -> None:
            if not ready.done():
                ready.set_result(None)

        add(self._terminal, wake)
        try:
            await ready
        finally:
            if not self._closed:
                remove(self._terminal)

    def resize(self, columns: int, rows: int) -> None:
        """Tell it how large the window is; nonsense is left aside."""
        if self._closed or not (0 < columns <= MOST_CELLS and 0 < rows <= MOST_CELLS):
            return
        with contextlib.suppress(OSError):
            fcntl.ioctl(
                self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0)
            )

    async def end(self) -> int:
        """Take its terminal away, see that it ends, and return its exit code."""
        if not self._closed:
            self._closed = True
            for remove in (self._loop.remove_reader, self._loop.remove_writer):
                remove(self._terminal)
            os.close(self._terminal)
        for number in (signal.SIGHUP, signal.SIGKILL):
            self._tell(number)
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(self._process.wait(), GRACE)
        return await self._process.wait()

    def _tell(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
