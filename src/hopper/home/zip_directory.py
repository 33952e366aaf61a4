"""The directory of a zip, read member by member, trusting nothing in it.

The format is that of PKWARE's APPNOTE 6.3. Only what every ``unzip`` reads the same way is
taken: one disk, nothing before the first member, nothing after the end, and each member's
two headers saying the same.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from hopper.errors import RejectedZip

UTF8_NAME = 0x800
ENCRYPTED = 0x1 | 0x40 | 0x2000
SIZES_FOLLOW = 0x8
DEFLATED = 8
STORED = 0
METHODS = {
    1: "shrink", 6: "implode", 9: "deflate64", 10: "IBM TERSE", 12: "bzip2", 14: "LZMA",
    19: "IBM LZ77", 93: "Zstandard", 94: "MP3", 95: "xz", 96: "JPEG", 97: "WavPack", 98: "PPMd",
    99: "AES encryption",
}  # fmt: skip

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_COMMENT_MOST = 0xFFFF
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_UNICODE_PATH = 0x7075
_ZIP64 = 0x0001


@dataclass(frozen=True, kw_only=True, slots=True)
class Directory:
    """Where a zip's directory lies, and how many members it says it has. Sizes in bytes."""

    offset: int
    size: int
    members: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One entry of the directory. Sizes in bytes."""

    raw_name: bytes
    name: str
    flags: int
    method: int
    crc: int
    packed: int
    unpacked: int
    mode: int
    """Unix file mode, type included; 0 where the zip was made elsewhere."""
    offset: int
    """Of its local header."""


def find_directory(file: BinaryIO, size: int) -> Directory:
    """Return where the directory of a zip of that size lies, or raise RejectedZip."""
    length = min(size, _END.size + _COMMENT_MOST)
    file.seek(size - length)
    tail = file.read(length)
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < _END.size:
        raise _no_end(file)
    _, disk, first_disk, here, total, cd_size, cd_offset, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment != len(tail):
        raise RejectedZip("its end is damaged: it is cut off, or something is appended to it")
    end = size - length + at
    if _FULL16 in {here, total} or _FULL32 in {cd_size, cd_offset} or _has_locator(file, end):
        directory, end = _find_zip64(file, end)
        for short, full, true in (
            (total, _FULL16, directory.members),
            (cd_size, _FULL32, directory.size),
            (cd_offset, _FULL32, directory.offset),
        ):
            if short not in {full, true}:
                raise RejectedZip("its end is damaged: it says two different things")
    else:
        directory = Directory(offset=cd_offset, size=cd_size, members=total)
        if disk or first_disk or here != total:
            raise RejectedZip("it is one part of a zip in several parts")
    if directory.offset + directory.size != end:
        raise RejectedZip("it is damaged, or something stands before or within its members")
    return directory


def _no_end(file: BinaryIO) -> RejectedZip:
    file.seek(0)
    if file.read(4) == b"PK\3\4":
        return RejectedZip("it is a zip that is cut off: its end is missing")
    return RejectedZip("it is not a zip")


def _has_locator(file: BinaryIO, end: int) -> bool:
    if end < _LOCATOR.size:
        return False
    file.seek(end - _LOCATOR.size)
    return file.read(4) == b"PK\6\7"


def _find_zip64(file: BinaryIO, end: int) -> tuple[Directory, int]:
    if not _has_locator(file, end):
        raise RejectedZip("its end is damaged: the part for large zips is missing")
    file.seek(end - _LOCATOR.size)
    _, disk, offset, disks = _LOCATOR.unpack(_exactly(file, _LOCATOR.size))
    if disk or disks > 1:
        raise RejectedZip("it is one part of a zip in several parts")
    if offset + _END64.size > end:
        raise RejectedZip("its end is damaged: it points past itself")
    file.seek(offset)
    mark, length, _, _, on, first, here, total, cd_size, cd_offset = _END64.unpack(
        _exactly(file, _END64.size)
    )
    if mark != b"PK\6\6" or offset + 12 + length != end - _LOCATOR.size:
        raise RejectedZip("its end is damaged: the part for large zips is broken")
    if on or first or here != total:
        raise RejectedZip("it is one part of a zip in several parts")
    return Directory(offset=cd_offset, size=cd_size, members=total), offset


def members(file: BinaryIO, directory: Directory) -> Iterator[Member]:
    """Yield the members in the directory's order, or raise RejectedZip where it is damaged."""
    left, at = directory.size, directory.offset
    for _ in range(directory.members):
        if left < _CENTRAL.size:
            raise RejectedZip("its directory is damaged: it has fewer members than it says")
        file.seek(at)
        member, length = _member(file, left)
        yield member
        at, left = at + length, left - length
    if left:
        raise RejectedZip("its directory is damaged: it has more members than it says")


def _member(file: BinaryIO, left: int) -> tuple[Member, int]:
    fields = _CENTRAL.unpack(_exactly(file, _CENTRAL.size))
    mark, made_by, _, flags, method, _, _, crc, packed, unpacked = fields[:10]
    name_length, extra_length, comment_length, disk, _, attributes, offset = fields[10:]
    length = _CENTRAL.size + name_length + extra_length + comment_length
    if mark != b"PK\1\2" or length > left:
        raise RejectedZip("its directory is damaged")
    raw_name, extra = _exactly(file, name_length), _exactly(file, extra_length)
    name = decode_name(raw_name, flags)
    blocks = dict(_extra_blocks(extra, name))
    if _UNICODE_PATH in blocks:
        name = _unicode_path(blocks[_UNICODE_PATH], name)
    unpacked, packed, offset, disk = _large(
        blocks.get(_ZIP64, b""), unpacked, packed, offset, disk, name=name
    )
    if disk:
        raise RejectedZip("it is one part of a zip in several parts")
    member = Member(
        raw_name=raw_name,
        name=name,
        flags=flags,
        method=method,
        crc=crc,
        packed=packed,
        unpacked=unpacked,
        mode=_mode(made_by, attributes),
        offset=offset,
    )
    return member, length


def _mode(made_by: int, attributes: int) -> int:
    mode = attributes >> 16
    # Some unpackers look at the mode whatever system the zip says it was made on.
    return mode if made_by >> 8 in {3, 19} or mode & 0o170000 else 0


def decode_name(raw_name: bytes, flags: int) -> str:
    """Return a member's name as text: UTF-8, even unsaid as macOS has it, else code page 437.

    RejectedZip when it says UTF-8 and is not.
    """
    try:
        return raw_name.decode("utf-8")
    except UnicodeDecodeError as error:
        if not flags & UTF8_NAME:
            return raw_name.decode("cp437")
        raise RejectedZip(f"a member's name is not UTF-8: {raw_name[:80]!r}") from error


def _extra_blocks(extra: bytes, name: str) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        at += 4
        if at + length > len(extra):
            raise RejectedZip(f"the extra fields of {name!r:.100} are damaged")
        yield kind, extra[at : at + length]
        at += length


def _unicode_path(block: bytes, name: str) -> str:
    """Return Info-ZIP's second name, which its unzip takes instead of the first."""
    try:
        return block[5:].decode("utf-8")
    except UnicodeDecodeError as error:
        raise RejectedZip(f"the second name of {name!r:.100} is not UTF-8") from error


def _large(
    block: bytes, unpacked: int, packed: int, offset: int, disk: int, *, name: str
) -> tuple[int, int, int, int]:
    """Return the sizes, offset and disk with those that did not fit taken from the zip64 block."""
    if _FULL32 not in (unpacked, packed, offset) and disk != _FULL16:
        return unpacked, packed, offset, disk
    formats = (("<Q", _FULL32), ("<Q", _FULL32), ("<Q", _FULL32), ("<L", _FULL16))
    found: list[int] = []
    at = 0
    for value, (layout, full) in zip((unpacked, packed, offset, disk), formats, strict=True):
        if value != full:
            found.append(value)
            continue
        try:
            found.append(int(struct.unpack_from(layout, block, at)[0]))
        except struct.error as error:
            raise RejectedZip(f"the sizes of {name!r:.100} are missing") from error
        at += struct.calcsize(layout)
    return found[0], found[1], found[2], found[3]


def data_offset(file: BinaryIO, member: Member, end: int) -> int:
    """Return where a member's data begins, its own header checked against the directory's.

    ``end`` is where members end. Raises RejectedZip when the two disagree.
    """
    shown = f"{member.name!r:.100}"
    if member.offset + _LOCAL.size > end:
        raise RejectedZip(f"the directory points outside of the members for {shown}")
    file.seek(member.offset)
    fields = _LOCAL.unpack(_exactly(file, _LOCAL.size))
    mark, _, flags, method, _, _, crc, packed, unpacked, name_length, extra_length = fields
    start: int = member.offset + _LOCAL.size + name_length + extra_length
    if mark != b"PK\3\4" or start + member.packed > end:
        raise RejectedZip(f"the directory does not fit the data of {shown}")
    raw_name, extra = _exactly(file, name_length), _exactly(file, extra_length)
    if raw_name != member.raw_name or method != member.method:
        raise RejectedZip(f"the two headers of {shown} disagree")
    blocks = dict(_extra_blocks(extra, member.name))
    if _UNICODE_PATH in blocks and _unicode_path(blocks[_UNICODE_PATH], shown) != member.name:
        raise RejectedZip(f"the two headers of {shown} disagree on its name")
    if (flags ^ member.flags) & (ENCRYPTED | UTF8_NAME):
        raise RejectedZip(f"the two headers of {shown} disagree on its flags")
    if not flags & SIZES_FOLLOW:
        large = _large(blocks.get(_ZIP64, b""), unpacked, packed, 0, 0, name=member.name)
        if (crc, *large[:2]) != (member.crc, member.unpacked, member.packed):
            raise RejectedZip(f"the two headers of {shown} disagree on its size")
    return start


def _exactly(file: BinaryIO, length: int) -> bytes:
    data = file.read(length)
    if len(data) != length:
        raise RejectedZip("it is cut off")
    return data
