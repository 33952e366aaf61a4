"""What a zip holds, checked before it goes anywhere. Nothing is ever unpacked to disk."""

from __future__ import annotations

import errno
import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from hopper.config import job_file
from hopper.config.model import Zips
from hopper.config.units import format_size
from hopper.errors import RejectedZip
from hopper.home.files import CHUNK, HomeTrouble, MissingZip, open_regular
from hopper.home.zip_directory import (
    DEFLATED,
    Directory,
    Member,
    data_offset,
    find_directory,
    members,
)
from hopper.home.zip_members import check_kind, check_name, is_folder

SCRIPT = "run_job.sh"
RATIO_FLOOR = 10_000_000
"""Bytes unpacked below which the ratio is not looked at: source code packs very well."""
PROVED = 64_000_000
"""Bytes unpacked up to which each member's checksum is proved here; above, by the worker."""


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
        check_kind(member)
        self.packed += member.packed
        self.unpacked += member.unpacked
        self.members.append(member)
        if self.unpacked > limits.max_unpacked:
            raise RejectedZip(
                f"it would unpack to more than zips.max_unpacked "
                f"({format_size(limits.max_unpacked)})"
            )
        if is_folder(member):
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
        and not is_folder(member)
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
