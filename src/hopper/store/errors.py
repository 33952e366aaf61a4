"""What can go wrong in the store."""

from __future__ import annotations

import errno
from pathlib import Path

from hopper.errors import HopperError

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says when a file cannot grow."""


class StoreError(HopperError):
    """The state folder cannot be used as asked."""


class StoreDamaged(StoreError):
    """A file of the store does not hold what was written to it.

    ``file`` and ``line`` (from 1, None where only the whole file is known to be wrong)
    say where, ``way_out`` how to go on.
    """

    def __init__(self, file: Path, line: int | None, why: str, *, way_out: str) -> None:
        self.file, self.line = file, line
        place = f"{file}, line {line}" if line is not None else str(file)
        super().__init__(f"the store is damaged: {place}: {why}", way_out=way_out)


class StoreFull(StoreError):
    """There is no room to make a change durable. Nothing of it was kept."""

    def __init__(self, file: Path, cause: OSError) -> None:
        self.file = file
        super().__init__(
            f"cannot write {file}: {cause.strerror or cause}",
            way_out="make room on that disk; nothing was lost and nothing half-written",
        )


class StoreTooNew(StoreError):
    """The store was written by a newer hopper."""

    def __init__(self, file: Path, found: int, known: int) -> None:
        self.file, self.found, self.known = file, found, known
        super().__init__(
            f"{file} has schema {found}, this hopper knows up to {known}",
            way_out="upgrade hopper, or use another state folder",
        )


class Unencodable(StoreError):
    """A value is not JSON and was not stored."""


class LockHeld(StoreError):
    """Another process holds the state folder's lock. The holder is told in attributes."""

    def __init__(self, folder: Path, *, pid: int, host: str, started: str, command: str) -> None:
        self.folder, self.pid, self.host = folder, pid, host
        self.started, self.command = started, command
        who = f"process {pid} on {host}" if pid else "another process"
        what = f" ({command!r}, since {started})" if command else ""
        super().__init__(
            f"{folder} is in use by {who}{what}",
            way_out="one dispatcher per state folder: stop that one first, or give this one its "
            "own paths.db",
        )


class NoAnswer(StoreError):
    """The dispatcher did not answer a command in time; the command was withdrawn."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder, self.seconds = folder, seconds
        super().__init__(
            f"the dispatcher of {folder} did not answer within {seconds:g} s; "
            "the command was withdrawn",
            way_out="look with 'hopper status' whether it still runs and whether the command was "
            "carried out, then try again",
        )


def as_store_error(file: Path, cause: OSError) -> StoreError:
    """Return what an operating system error on a file of the store means."""
    if cause.errno in NO_ROOM:
        return StoreFull(file, cause)
    return StoreError(f"cannot write {file}: {cause.strerror or cause}")
