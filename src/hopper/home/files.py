"""Moving files so that no name is overwritten and a crash at any step loses nothing.

Every function here may be repeated after a ``kill -9`` and then ends what was begun.
"""

# ruff: noqa: PTH104, PTH108 - each system call stands for itself, so that tests can stop at each
from __future__ import annotations

import errno
import hashlib
import itertools
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from hopper.dispatch.ports import ZipGone
from hopper.errors import HopperError

CHUNK = 1 << 20
NAME_BYTES = 255
"""What file systems take as one name."""
COPYING = ".moving"
"""The end of the hidden name that a file has while it is being written."""

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}


class MissingZip(ZipGone):
    """A job's zip is in none of the folders at home."""


class HomeTrouble(HopperError):
    """The system refused something with a file at home; ``errno`` says what."""

    def __init__(self, what: str, error: OSError) -> None:
        self.errno = error.errno
        reason = error.strerror or str(error)
        way_out = "make room there" if error.errno in {errno.ENOSPC, errno.EDQUOT} else ""
        super().__init__(f"{what}: {reason}", way_out=way_out)


@contextmanager
def trouble(what: str) -> Iterator[None]:
    """Turn an OSError of the block into HomeTrouble that says what was tried."""
    try:
        yield
    except OSError as error:
        raise HomeTrouble(what, error) from error


def exists(path: Path) -> bool:
    """Tell whether something has that name, a dangling symlink included."""
    return status(path) is not None


def status(path: Path) -> os.stat_result | None:
    """Return what has that name, symlinks not followed, or None."""
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def same_file(one: Path, other: Path) -> bool:
    """Tell whether two names are hard links to one file."""
    first, second = status(one), status(other)
    return first is not None and second is not None and os.path.samestat(first, second)


def sha256(path: Path) -> str:
    """Return a file's digest, in hex, reading it once in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def same_content(one: Path, other: Path) -> bool:
    """Tell whether two regular files hold the same bytes."""
    first, second = status(one), status(other)
    if first is None or second is None or first.st_size != second.st_size:
        return False
    if not (stat.S_ISREG(first.st_mode) and stat.S_ISREG(second.st_mode)):
        return False
    return sha256(one) == sha256(other)


def sync_folder(folder: Path) -> None:
    """Make the folder's names durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_names(name: str, *, room: int = 0) -> Iterator[str]:
    """Yield ``name``, then ``stem.1.zip``, ``stem.2.zip`` …, each with ``room`` bytes to spare."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - a name, not a path
    for number in itertools.count():
        end = os.fsencode(f".{number}{suffix}" if number else suffix)
        yield os.fsdecode(_cut(os.fsencode(stem), NAME_BYTES - room - len(end)) + end)


def _cut(name: bytes, length: int) -> bytes:
    if len(name) <= length:
        return name
    short = name[: max(length, 1)]
    # Not in the middle of a UTF-8 character.
    while len(short) > 1 and name[len(short)] & 0xC0 == 0x80:
        short = short[:-1]
    return short


def move_new(source: Path, target: Path) -> None:
    """Give a file another name, durably, never overwriting one.

    FileExistsError when the name is another file's. When it is the same file's already, or
    that of a file with the same bytes, the move is brought to its end.
    """
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.EXDEV:
            _move_across(source, target)
        elif error.errno == errno.EEXIST:
            _end_move(source, target, error)
        elif error.errno in _NO_LINKS:
            _rename_reserved(source, target)
        else:
            raise
        return
    sync_folder(target.parent)
    os.unlink(source)


def taken(path: Path) -> bool:
    """Tell whether a name is given away: to more than a reservation that a crash left."""
    return exists(path) and not _is_reservation(path)


def _end_move(source: Path, target: Path, error: OSError) -> None:
    if source != hidden_beside(target):
        # What a copy that was cut off may have left.
        _remove(hidden_beside(target))
    if _is_reservation(target):
        os.rename(source, target)
        sync_folder(target.parent)
    elif same_file(source, target) or same_content(source, target):
        sync_folder(target.parent)
        _remove(source)
    else:
        raise error


def _move_across(source: Path, target: Path) -> None:
    if exists(target):
        _end_move(source, target, FileExistsError(errno.EEXIST, "File exists", str(target)))
        return
    copy_new(source, target)
    os.unlink(source)


def hidden_beside(target: Path) -> Path:
    """Return the name that a file has while it is being written beside its own."""
    name = _cut(os.fsencode(target.name), NAME_BYTES - len(COPYING) - 1)
    return target.with_name(f".{os.fsdecode(name)}{COPYING}")


def copy_new(source: Path, target: Path) -> None:
    """Copy a regular file beside the target and rename it, durably, never overwriting."""
    beside = hidden_beside(target)
    # What a crash left may be linked to a finished file by now: never write into it.
    _remove(beside)
    try:
        _copy(source, beside)
        move_new(beside, target)
    except OSError:
        _remove(beside)
        raise


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; OSError (EINVAL) for a symlink, FIFO, folder and such."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise _not_regular(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_regular(path)
    return os.fdopen(descriptor, "rb")


def _not_regular(path: Path) -> OSError:
    return OSError(errno.EINVAL, "not a regular file", str(path))


def _copy(source: Path, beside: Path) -> None:
    with open_regular(source) as reader:
        facts = os.fstat(reader.fileno())
        outgoing = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(outgoing, "wb") as writer:
            while piece := reader.read(CHUNK):
                writer.write(piece)
            writer.flush()
            os.utime(writer.fileno(), ns=(facts.st_atime_ns, facts.st_mtime_ns))
            os.fsync(writer.fileno())


def _remove(path: Path) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def _rename_reserved(source: Path, target: Path) -> None:
    """Rename where there are no hard links: over a reservation of our own."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0)
    os.close(descriptor)
    os.rename(source, target)
    sync_folder(target.parent)


def _is_reservation(path: Path) -> bool:
    facts = os.lstat(path)
    return (
        stat.S_ISREG(facts.st_mode)
        and facts.st_size == 0
        and stat.S_IMODE(facts.st_mode) == 0
        and facts.st_uid == os.geteuid()
    )


def write_text(path: Path, text: str) -> None:
    """Write a small file of hopper's own, whole or not at all."""
    beside = hidden_beside(path)
    _remove(beside)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode("utf-8", "backslashreplace"))
            file.flush()
            os.fsync(file.fileno())
        os.rename(beside, path)
    except OSError:
        _remove(beside)
        raise
    sync_folder(path.parent)
