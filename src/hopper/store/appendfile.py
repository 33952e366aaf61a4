"""A file that is only appended to, line by line, and never keeps half a line."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from hopper.store.errors import StoreError, as_store_error
from hopper.store.files import FILE_MODE, sync_folder, write_all

_CHUNK = 4 << 20


class AppendFile:
    """An open file at its end. Whole lines are added, or nothing is."""

    def __init__(self, path: Path, descriptor: int, size: int) -> None:
        self.path, self.size = path, size
        self._descriptor = descriptor
        self._broken = False
        self.suspect = False
        """A sync failed: the kernel may have dropped what it could not write, so that no
        later sync of this file proves anything. Go on in another file."""

    @classmethod
    def open(cls, path: Path, *, new: bool) -> AppendFile:
        """Open the file for appending; a new one must not be there yet, its name is durable."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | (os.O_EXCL if new else 0)
        try:
            descriptor = os.open(path, flags, FILE_MODE)
            try:
                if new:
                    sync_folder(path.parent)
                return cls(path, descriptor, os.fstat(descriptor).st_size)
            except BaseException:
                os.close(descriptor)
                if new:
                    path.unlink(missing_ok=True)  # or it would be in the way of the next try
                raise
        except OSError as cause:
            raise as_store_error(path, cause) from cause

    def append(self, content: bytes, *, sync: bool) -> None:
        """Add whole lines, durably if asked. On an error nothing of them stays in the file."""
        if self._broken:
            raise StoreError(
                f"{self.path} could not be restored after a failed write",
                way_out="stop hopper and start it again",
            )
        try:
            write_all(self._descriptor, content)
            if sync:
                self._sync()
        except OSError as cause:
            self.cut(self.size)
            raise as_store_error(self.path, cause) from cause
        self.size += len(content)

    def sync(self) -> None:
        """Make durable what was appended. StoreFull or StoreError on failure."""
        try:
            self._sync()
        except OSError as cause:
            raise as_store_error(self.path, cause) from cause

    def _sync(self) -> None:
        try:
            os.fdatasync(self._descriptor)
        except OSError:
            self.suspect = True
            raise

    def cut(self, size: int) -> None:
        """Take away what lies beyond that size; if that fails, refuse all that comes after."""
        try:
            os.ftruncate(self._descriptor, size)
            self.size = size
        except OSError:
            self._broken = True

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)


def complete_lines(descriptor: int, offset: int) -> Iterator[tuple[bytes, int]]:
    """Yield the lines from an offset on, without their break, with the offset behind each.

    What follows the last line break is not yielded: its writer has not finished it.
    """
    rest = b""
    read_to = offset
    while chunk := os.pread(descriptor, _CHUNK, read_to):
        read_to += len(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            offset += len(line) + 1
            yield line, offset
