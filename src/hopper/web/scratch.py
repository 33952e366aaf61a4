"""Folders for what comes in: the kernel knows which of them still belong to somebody alive."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Scratch:
    """A folder of one's own, held until ``drop``."""

    path: Path
    _descriptor: int

    @classmethod
    def new(cls, parent: Path) -> Scratch:
        """Make one, and take away those whose owners are dead. OSError where it cannot be had."""
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(parent):
            _clear(parent)
            path = Path(tempfile.mkdtemp(dir=parent))
            try:
                return cls(path=path, _descriptor=_hold(path))
            except OSError:
                path.rmdir()
                raise

    def drop(self) -> None:
        """Take it away with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._descriptor)


def clear_dead(parent: Path) -> None:
    """Take away the folders whose owners are dead, as far as that can be done."""
    with suppress(OSError), _alone(parent):
        _clear(parent)


def _clear(parent: Path) -> None:
    for path in parent.iterdir():
        with suppress(OSError):  # held, or gone
            descriptor = _hold(path)
            shutil.rmtree(path, ignore_errors=True)
            os.close(descriptor)


def _hold(path: Path) -> int:
    """Return what holds a folder; OSError while somebody else does."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def _alone(parent: Path) -> Iterator[None]:
    descriptor = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
