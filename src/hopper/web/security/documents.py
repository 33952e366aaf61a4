"""Private JSON files that the web server and the command line change at the same time."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from hopper.store.errors import StoreDamaged, StoreError, StoreTooNew, as_store_error
from hopper.store.files import FILE_MODE, FOLDER_MODE, make_folder, write_whole

SCHEMA = 1
_PATIENCE = 10.0
"""Seconds to wait for another process that changes the same file."""

Record = dict[str, Any]
Stamp = tuple[int, int, int]
T = TypeVar("T")


def web_folder(db: Path) -> Path:
    """Return where the web server keeps what is its own, below ``paths.db``."""
    return db / "web"


def private_folder(folder: Path) -> Path:
    """Make the folder, or close an open one to others; return it."""
    make_folder(folder)
    try:
        if folder.stat().st_mode & 0o077:
            folder.chmod(FOLDER_MODE)
    except OSError as cause:
        raise as_store_error(folder, cause) from cause
    return folder


class SharedDocument(Generic[T]):
    """A file of records by key. Reading again costs one ``stat`` while nothing has changed.

    ``decode`` raises KeyError, TypeError or ValueError for a record that is not one.
    """

    def __init__(
        self, path: Path, *, decode: Callable[[Record], T], encode: Callable[[T], Record]
    ) -> None:
        self.path = path
        self._decode = decode
        self._encode = encode
        self._held: tuple[Stamp | None, Mapping[str, T]] = (None, MappingProxyType({}))

    def read(self) -> Mapping[str, T]:
        """Return the records as they are now; none where there is no file.

        Raises StoreDamaged, StoreTooNew or StoreError: what cannot be read is not empty.
        """
        stamp, held = self._held
        try:
            now = _stamp(self.path.stat())
            if now == stamp:
                return held
            with self.path.open("rb") as file:
                now = _stamp(os.fstat(file.fileno()))
                content = file.read()
        except FileNotFoundError:
            self._held = (None, MappingProxyType({}))
            return self._held[1]
        except OSError as cause:
            raise StoreError(
                f"cannot read {self.path}: {cause.strerror or cause}",
                way_out="see to its owner and mode, or remove it",
            ) from cause
        self._held = (now, MappingProxyType(self._decoded(content)))
        return self._held[1]

    @contextlib.contextmanager
    def change(self) -> Iterator[dict[str, T]]:
        """Yield the records to be changed; written at the end, unless an error is raised.

        Nobody else changes them meanwhile. Waits, so not for the event loop.
        """
        with alone(self.path):
            before = self.read()
            records = dict(before)
            yield records
            if records != before:
                self._write(records)

    def _decoded(self, content: bytes) -> dict[str, T]:
        try:
            document = json.loads(content)
            schema = document["schema"]
            if isinstance(schema, int) and schema > SCHEMA:
                raise StoreTooNew(self.path, schema, SCHEMA)
            return {str(key): self._decode(one) for key, one in document["records"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as cause:
            raise StoreDamaged(
                self.path, None, "it is not what hopper wrote", way_out="restore or remove it"
            ) from cause

    def _write(self, records: Mapping[str, T]) -> None:
        encoded = {key: self._encode(one) for key, one in records.items()}
        document = {"schema": SCHEMA, "records": encoded}
        write_whole(self.path, [json.dumps(document, indent=1).encode("ascii"), b"\n"])


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the right to change a file. Waits; StoreError when another keeps it for long."""
    lock = private_folder(path.parent) / f".{path.name}.lock"
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, FILE_MODE)
    except OSError as cause:
        raise as_store_error(lock, cause) from cause
    try:
        _wait_for(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_ino, status.st_mtime_ns, status.st_size


def _wait_for(descriptor: int, path: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise StoreError(
                    f"{path} is being changed by another process", way_out="try again"
                ) from None
            time.sleep(0.02)
