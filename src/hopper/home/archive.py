"""What a zip holds, checked before it goes anywhere. Nothing is ever unpacked to disk."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from hopper.config import job_file
from hopper.config.model import Zips
from hopper.config.units import format_size
from hopper.errors import RejectedZip
from hopper.home.files import CHUNK, NAME_BYTES, HomeTrouble, MissingZip, open_regular
from hopper.home.zip_directory import (
    DEFLATED,
    ENCRYPTED,
    METHODS,
    STORED,
    Directory,
    Member,
    data_offset,
    find_directory,
    members,
)

SCRIPT = "run_job.sh"
RATIO_FLOOR = 10_000_000
"""Bytes unpacked below which the ratio is not looked at: source code packs very well."""
PROVED = 64_000_000
"""Bytes unpacked up to which each member's checksum is proved here; above, by the worker."""

_DRIVE = re.compile(r"[A-Za-z]:")
_PATH_BYTES = 3072
_TYPES = {
    stat.S_IFLNK: "a symlink",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
}
_EMPTY_STREAM = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class ZipFacts:
    """What is known of a zip that may be sent. Sizes in bytes."""

    size: int
    sha256: str
    unpacked_size: int
    members: int
    job_file: bytes | None
    """The text of its ``hopper-job.yaml``, if it has one."""


def inspect(path: Path, limits: Zips, *, needs_run_job: bool) -> ZipFacts:
    """Return the facts of a zip that is fit to be sent.

    RejectedZip, in one line, when it is not; MissingZip when there is none; HomeTrouble when
    it cannot be read.
    """
    try:
        with open_regular(path) as file:
            return _inspect(file, limits, needs_run_job)
    except FileNotFoundError as error:
        raise MissingZip(f"there is no zip {str(path)!r}") from error
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise RejectedZip("it is not a regular file") from error
        raise HomeTrouble(f"cannot read {str(path)!r}", error) from error


def _inspect(file: BinaryIO, limits: Zips, needs_run_job: bool) -> ZipFacts:
    before = os.fstat(file.fileno())
    if before.st_size > limits.max_size:
        raise RejectedZip(
            f"it is {format_size(before.st_size)} large; "
            f"zips.max_size is {format_size(limits.max_size)}"
        )
    directory = find_directory(file, before.st_size)
    if directory.members > limits.max_members:
        raise RejectedZip(
            f"it has {directory.members} members; zips.max_members is {limits.max_members}"
        )
    contents = _Contents()
    for member in members(file, directory):
        contents.take(member, limits)
    contents.check(limits, needs_run_job)
    text = _check_data(file, directory, contents)
    digest = _sha256(file)
    after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise RejectedZip("it changed while it was being read")
    return ZipFacts(
        size=before.st_size,
        sha256=digest,
        unpacked_size=contents.unpacked,
        members=directory.members,
        job_file=text,
    )


class _Contents:
    """What the directory says in sum: names, sizes, where the data lies."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.folders: set[str] = set()
        self.members: list[Member] = []
        self.packed = 0
        self.unpacked = 0

    def take(self, member: Member, limits: Zips) -> None:
        """Check one member alone and add it."""
        name = check_name(member.name)
        if member.raw_name != member.name.encode("utf-8", "surrogatepass"):
            check_name(member.raw_name.decode("latin-1"), shown=member.name, encoding="latin-1")
        _check_kind(member)
        self.packed += member.packed
        self.unpacked += member.unpacked
        self.members.append(member)
        if self.unpacked > limits.max_unpacked:
            raise RejectedZip(
                f"it would unpack to more than zips.max_unpacked "
                f"({format_size(limits.max_unpacked)})"
            )
        if _is_folder(member):
            self.folders.add(name)
        elif not name:
            raise RejectedZip(f"the member {member.name!r:.100} is a file without a name")
        elif name in self.files:
            raise RejectedZip(f"it holds {name!r:.100} twice")
        else:
            self.files.add(name)

    def check(self, limits: Zips, needs_run_job: bool) -> None:
        """Check the members together."""
        if self.unpacked > max(RATIO_FLOOR, self.packed * limits.max_ratio):
            raise RejectedZip(
                f"it would grow {self.unpacked // max(self.packed, 1)} times when unpacked; "
                f"zips.max_ratio is {limits.max_ratio:g}"
            )
        for name in self.files:
            self.folders.update(_parents(name))
        clash = min(self.files & self.folders, default=None)
        if clash is not None:
            raise RejectedZip(f"it holds {clash!r:.100} both as a file and as a folder")
        if needs_run_job and SCRIPT not in self.files:
            raise RejectedZip(_no_script(self.files))


def _parents(name: str) -> Iterator[str]:
    at = name.find("/")
    while at >= 0:
        yield name[:at]
        at = name.find("/", at + 1)


def check_name(name: str, *, shown: str = "", encoding: str = "utf-8") -> str:
    """Return a member's name without ``.`` parts and final slash, ``""`` for the root itself.

    RejectedZip for a name that could lead out of the folder it is unpacked to, or that
    unpackers do not agree on.
    """
    what = f"the member name {(shown or name)!r:.100}"
    if not name or "\0" in name:
        raise RejectedZip(f"{what} is empty or holds a NUL")
    if name.startswith("/") or _DRIVE.match(name):
        raise RejectedZip(f"{what} is absolute")
    if "\\" in name:
        raise RejectedZip(f"{what} holds a backslash, which some unpackers take for a slash")
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise RejectedZip(f"{what} leads out of the zip's folder")
    lengths = [len(part.encode(encoding, "surrogatepass")) for part in parts]
    if max(lengths, default=0) > NAME_BYTES or sum(lengths) + len(lengths) > _PATH_BYTES:
        raise RejectedZip(f"{what} is too long")
    return "/".join(parts)


def _is_folder(member: Member) -> bool:
    return member.name.endswith("/") or stat.S_ISDIR(member.mode)


def _check_kind(member: Member) -> None:
    shown = f"{member.name!r:.100}"
    kind = stat.S_IFMT(member.mode)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise RejectedZip(f"the member {shown} is {_TYPES.get(kind, 'of an unknown kind')}")
    if member.flags & ENCRYPTED:
        raise RejectedZip(f"the member {shown} is encrypted")
    if member.method not in {STORED, DEFLATED}:
        method = METHODS.get(member.method, f"method {member.method}")
        raise RejectedZip(
            f"the member {shown} is compressed by {method}, which most unpackers do not know; "
            "use deflate"
        )
    if _is_folder(member) and member.unpacked:
        raise RejectedZip(f"the folder {shown} holds data")
    if member.method == STORED and member.packed != member.unpacked:
        raise RejectedZip(f"the sizes of {shown} contradict each other")
    # Deflate adds at most 5 bytes to each block that it cannot pack.
    if member.packed > member.unpacked + member.unpacked // 1000 + _EMPTY_STREAM:
        raise RejectedZip(f"the sizes of {shown} contradict each other")


def _no_script(files: Iterable[str]) -> str:
    inside = sorted(n for n in files if n.endswith(f"/{SCRIPT}") and n.count("/") == 1)
    if len(inside) == 1:
        folder = inside[0].removesuffix(SCRIPT)
        return (
            f"it has no {SCRIPT} at its root; {SCRIPT} is inside {folder!r:.100}: "
            "zip the contents, not the folder"
        )
    return f"it has no {SCRIPT} at its root, and the command template runs it"


def _check_data(file: BinaryIO, directory: Directory, contents: _Contents) -> bytes | None:
    """Check where the members' data lies and what it is; return the job file's text."""
    proved = contents.unpacked <= PROVED
    reached, text = 0, None
    for member in sorted(contents.members, key=lambda member: member.offset):
        if member.offset < reached:
            raise RejectedZip(f"the member {member.name!r:.100} overlaps another")
        start = data_offset(file, member, directory.offset)
        reached = start + member.packed
        if _is_job_file(member):
            text = _job_file(file, member, start)
        elif proved:
            _prove(file, member, start)
    return text


def _is_job_file(member: Member) -> bool:
    # The cheap test first: there may be a million members.
    return (
        member.name.endswith(job_file.FILE_NAME)
        and check_name(member.name) == job_file.FILE_NAME
        and not _is_folder(member)
    )


def _job_file(file: BinaryIO, member: Member, start: int) -> bytes:
    if member.unpacked > job_file.LARGEST:
        raise RejectedZip(f"its {job_file.FILE_NAME} is larger than {job_file.LARGEST // 1024} KiB")
    return b"".join(_prove(file, member, start, keep=True))


def _prove(file: BinaryIO, member: Member, start: int, *, keep: bool = False) -> list[bytes]:
    """Unpack a member in pieces, prove its size and checksum, and return the pieces to keep."""
    crc = length = 0
    kept = []
    try:
        for piece in _unpacked(file, member, start):
            crc, length = zlib.crc32(piece, crc), length + len(piece)
            if length > member.unpacked:
                break
            if keep:
                kept.append(piece)
    except zlib.error as error:
        raise RejectedZip(f"the member {member.name!r:.100} is damaged: {error}") from error
    if length != member.unpacked or crc != member.crc:
        raise RejectedZip(f"the member {member.name!r:.100} is damaged: wrong size or checksum")
    return kept


def _unpacked(file: BinaryIO, member: Member, start: int) -> Iterator[bytes]:
    file.seek(start)
    left = member.packed
    stream = zlib.decompressobj(-zlib.MAX_WBITS) if member.method == DEFLATED else None
    while left:
        piece = file.read(min(left, CHUNK))
        if not piece:
            raise RejectedZip("it is cut off")
        left -= len(piece)
        if stream is None:
            yield piece
        else:
            yield from _inflated(stream, piece)
    if stream is not None and not stream.eof:
        yield stream.flush()
    if stream is not None and not stream.eof:
        raise RejectedZip(f"the member {member.name!r:.100} is damaged: its data is cut off")


def _inflated(stream: zlib._Decompress, piece: bytes) -> Iterator[bytes]:
    while piece and not stream.eof:
        yield stream.decompress(piece, CHUNK)
        piece = stream.unconsumed_tail


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while piece := file.read(CHUNK):
        digest.update(piece)
    return digest.hexdigest()
