"""One writer per state folder: a lock that the kernel holds and lets go when we die."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import socket
import sys
import time
import weakref
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from hopper.store.errors import LockHeld, as_store_error
from hopper.store.files import FILE_MODE, make_folder

LOCK = "lock"
_PATIENCE = 0.5
"""Seconds that a start waits for a lock that is being looked at, or let go, just now."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who holds the lock."""

    pid: int = 0
    """0 when the holder has not said yet."""
    host: str = ""
    started: str = ""
    """ISO 8601, UTC."""
    command: str = ""


class StateLock:
    """The lock of a state folder, held from ``acquire`` until ``release`` or our death.

    Children made by fork do not keep it.
    """

    def __init__(self, folder: Path, descriptor: int) -> None:
        self.folder = folder
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, folder: Path, *, command: str | None = None) -> StateLock:
        """Take the lock; LockHeld names the holder when it is taken.

        ``command`` is what others are told we are doing, our command line if not given.
        """
        make_folder(folder)
        path = folder / LOCK
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
            try:
                _wait_for_lock(folder, descriptor)
                _sign(descriptor, command if command is not None else shlex.join(sys.argv))
            except BaseException:
                os.close(descriptor)
                raise
        except OSError as cause:
            raise as_store_error(path, cause) from cause
        lock = cls(folder, descriptor)
        _HELD.add(lock)
        return lock

    @property
    def held(self) -> bool:
        """True until released."""
        return self._descriptor >= 0

    def release(self) -> None:
        """Let go. Doing it twice is fine."""
        if self.held:
            os.ftruncate(self._descriptor, 0)
            self._close()

    def _close(self) -> None:
        _HELD.discard(self)
        if self.held:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> StateLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def holder(folder: Path) -> Holder | None:
    """Return who holds the folder's lock, None when nobody does."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY)
    except OSError:
        return None
    try:
        # Shared, so that several may look at once; one who starts meanwhile waits a moment.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_holder(folder)
    finally:
        os.close(descriptor)
    return None


_HELD: weakref.WeakSet[StateLock] = weakref.WeakSet()


def _forget_in_child() -> None:
    # The lock belongs to the open file, which a forked child shares: it would outlive us there.
    for lock in list(_HELD):
        lock._close()


os.register_at_fork(after_in_child=_forget_in_child)


def _wait_for_lock(folder: Path, descriptor: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LockHeld(folder, **asdict(_read_holder(folder))) from None
            time.sleep(0.02)


def _sign(descriptor: int, command: str) -> None:
    me = Holder(
        pid=os.getpid(),
        host=socket.gethostname(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
    )
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(asdict(me)).encode("ascii"), 0)


def _read_holder(folder: Path) -> Holder:
    try:
        said = json.loads((folder / LOCK).read_bytes())
        return Holder(
            pid=int(said["pid"]),
            host=str(said["host"]),
            started=str(said["started"]),
            command=str(said["command"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return Holder()
