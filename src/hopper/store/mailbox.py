"""The control mailbox: how other commands ask the running dispatcher to change something.

A client leaves ``control/<id>.command.json`` and waits for ``control/<id>.answer.json``; both
appear by rename. The dispatcher takes commands in the order of their arrival. A command stays
in the box until its answer is there, so after a crash it is handed out again, under the same
id. ``wake`` is a FIFO beside the box: a byte in it ends the dispatcher's sleep.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hopper.store.codec import decode_object, encode
from hopper.store.errors import NoAnswer, StoreError, as_store_error
from hopper.store.files import FILE_MODE, make_folder, write_whole

CONTROL = "control"
WAKE = "wake"
ANSWER_SECONDS = 10.0
_POLL_SECONDS = 0.02
_COMMAND = re.compile(r"(?P<id>[0-9]{20}-[0-9]+-[0-9a-f]{8})\.command\.json\Z")
_COMMAND_END, _ANSWER_END, _BAD_END = ".command.json", ".answer.json", ".bad"
_SIZE_LIMIT = 4 << 20
_ANSWER_STALE = 3600.0
_STALE = 24 * 3600.0

Json = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command that somebody left in the box."""

    id: str
    body: Json


def ask(
    folder: Path,
    body: Json,
    *,
    timeout: float = ANSWER_SECONDS,
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, object]:
    """Leave a command for the dispatcher of a state folder, and return its answer.

    Raises NoAnswer after ``timeout`` seconds; the command is withdrawn then, though the
    dispatcher may have begun with it.
    """
    box = folder / CONTROL
    make_folder(box)
    name = f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(4)}"
    command, answer = box / (name + _COMMAND_END), box / (name + _ANSWER_END)
    write_whole(command, [encode(body)])
    try:
        ring(folder)
        deadline = time.monotonic() + timeout
        while not answer.exists() and time.monotonic() < deadline:
            pause(_POLL_SECONDS)
    finally:
        command.unlink(missing_ok=True)
    try:
        content = decode_object(answer.read_bytes())
    except FileNotFoundError:
        raise NoAnswer(folder, timeout) from None
    except ValueError as refusal:
        raise StoreError(f"{answer} is no answer: {refusal}") from refusal
    answer.unlink(missing_ok=True)
    return content


def ring(folder: Path) -> None:
    """Wake the dispatcher of a state folder, if one sleeps there. Never fails, never waits."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder / WAKE, os.O_WRONLY | os.O_NONBLOCK)
        try:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                os.write(descriptor, b"\n")
        finally:
            os.close(descriptor)


class Mailbox:
    """The dispatcher's side of the box. Only one process has one: the lock's holder."""

    def __init__(self, folder: Path) -> None:
        self._box = folder / CONTROL
        self._taken: set[str] = set()

    def take(self) -> list[Command]:
        """Return the commands that came since the last look, in order of arrival.

        What is no command is renamed to ``*.bad``; what is wrong with it stops nothing.
        """
        found = []
        paths = list(self._commands())
        self._taken &= {path.name.removesuffix(_COMMAND_END) for path in paths}
        for path in paths:
            name = path.name.removesuffix(_COMMAND_END)
            if name in self._taken:
                continue
            if self._answer_path(name).exists():
                path.unlink(missing_ok=True)  # answered, then we died before taking it out
            elif (body := self._read(path)) is not None:
                self._taken.add(name)
                found.append(Command(id=name, body=body))
        return found

    def answer(self, command: Command, body: Json) -> None:
        """Give a command's answer, and take the command out of the box."""
        make_folder(self._box)
        write_whole(self._answer_path(command.id), [encode(body)])
        (self._box / (command.id + _COMMAND_END)).unlink(missing_ok=True)
        self._taken.discard(command.id)

    def clean(self, now: float) -> None:
        """Remove what nobody will ask for any more: ``now`` is seconds since the epoch."""
        for path in self._files():
            limit = _ANSWER_STALE if path.name.endswith(_ANSWER_END) else _STALE
            with contextlib.suppress(OSError):
                if now - path.lstat().st_mtime > limit:
                    path.unlink()

    def _answer_path(self, name: str) -> Path:
        return self._box / (name + _ANSWER_END)

    def _commands(self) -> Iterable[Path]:
        commands = []
        for path in self._files():
            if _COMMAND.match(path.name):
                commands.append(path)
            elif path.name.endswith(_COMMAND_END) and not path.name.startswith("."):
                _set_aside(path)
        return sorted(commands)

    def _files(self) -> list[Path]:
        try:
            return list(self._box.iterdir())
        except OSError:
            return []

    def _read(self, path: Path) -> Json | None:
        try:
            # A FIFO or a link left here must neither hold us up nor lead us elsewhere.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as file:
                if stat.S_ISREG(os.fstat(descriptor).st_mode):
                    return decode_object(file.read(_SIZE_LIMIT))  # what is cut is no JSON
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            pass
        _set_aside(path)
        return None


def _set_aside(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.rename(path.with_name(path.name + _BAD_END))


class Doorbell:
    """The dispatcher's end of ``wake``: readable when somebody rang. For ``select``."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def open(cls, folder: Path) -> Doorbell:
        """Hang up the bell in a state folder. StoreError when something else is in its place."""
        make_folder(folder)
        path = folder / WAKE
        try:
            with contextlib.suppress(FileExistsError):
                os.mkfifo(path, FILE_MODE)
            # Both ways, so that it never reads as ended when the last who rang has gone.
            descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)
        except OSError as cause:
            raise as_store_error(path, cause) from cause
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise StoreError(f"{path} is not a FIFO", way_out="move it away")
        return cls(descriptor)

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._descriptor

    def drain(self) -> bool:
        """Take all rings so far; return whether there was one."""
        rung = False
        with contextlib.suppress(BlockingIOError):
            while os.read(self._descriptor, 4096):
                rung = True
        return rung

    def close(self) -> None:
        """Take the bell down."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
