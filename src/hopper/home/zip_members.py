"""What the members of a zip that is sent may be."""

from __future__ import annotations

import re
import stat

from hopper.errors import RejectedZip
from hopper.home.files import NAME_BYTES
from hopper.home.zip_directory import (
    DEFLATED,
    ENCRYPTED,
    METHODS,
    STORED,
    Member,
)

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


def is_folder(member: Member) -> bool:
    """Return True for a folder, by its name or its mode."""
    return member.name.endswith("/") or stat.S_ISDIR(member.mode)


def check_kind(member: Member) -> None:
    """RejectedZip for a member that is neither file nor folder, or that unpackers cannot read."""
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
    if is_folder(member) and member.unpacked:
        raise RejectedZip(f"the folder {shown} holds data")
    if member.method == STORED and member.packed != member.unpacked:
        raise RejectedZip(f"the sizes of {shown} contradict each other")
    # Deflate adds at most 5 bytes to each block that it cannot pack.
    if member.packed > member.unpacked + member.unpacked // 1000 + _EMPTY_STREAM:
        raise RejectedZip(f"the sizes of {shown} contradict each other")
