"""Files of the store: private, durable, visible only when whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from hopper.store.errors import as_store_error

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def make_folder(folder: Path) -> None:
    """Make a folder that only its owner can look into, with its parents."""
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as cause:
        raise as_store_error(folder, cause) from cause


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of the bytes; OSError when the system takes only a part."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def write_beside(path: Path, pieces: Iterable[bytes]) -> Path:
    """Write the pieces durably to a file beside the path and return that file.

    Raises StoreFull or StoreError; then no file is left.
    """
    beside = path.with_name(f".{path.name}.tmp")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(descriptor)
    except OSError as cause:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise as_store_error(path, cause) from cause
    return beside


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """Put a file into place, whole and durable, over the one that may be there."""
    beside = write_beside(path, pieces)
    try:
        beside.replace(path)
        sync_folder(path.parent)
    except OSError as cause:
        raise as_store_error(path, cause) from cause
