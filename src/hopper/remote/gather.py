"""Brings what a worker offers home: checks each file, and makes zips of tars."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import tarfile
import time
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hopper.errors import TransportError
from hopper.model.orders import Collected
from hopper.remote.reading import Offer
from hopper.remote.transport import Transport

CHUNK = 1 << 20
LOGS = frozenset({"log", "errors", "system"})


def split_raw(offers: Iterable[Offer], raw: bytes) -> dict[str, bytes]:
    """Cut the raw bytes behind an answer into the files that came along, by their paths."""
    parts: dict[str, bytes] = {}
    position = 0
    for offer in offers:
        if offer.along:
            parts[offer.path] = raw[position : position + offer.size]
            position += offer.size
    return parts


def bring_home(
    transport: Transport, offer: Offer, content: bytes | None, folder: Path, number: int
) -> Collected:
    """Put one offered file into the folder, verified.

    ``content`` holds its bytes if they came along, else they are fetched. Raises
    TransportError where size or SHA-256 are not those that the worker told.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{number}.{offer.kind}"
    part = path.with_suffix(path.suffix + ".part")
    if content is None:
        transport.fetch(offer.path, part)
    else:
        part.write_bytes(content)
    try:
        _verify(part, offer)
    except TransportError:
        part.unlink(missing_ok=True)
        raise
    name = offer.kind if offer.kind in LOGS else PurePosixPath(offer.path).name
    if offer.kind == "tar":
        name = "results.zip"
        _zip_of_tar(part, path)
        part.unlink()
    else:
        part.replace(path)
    _sync(path)
    return Collected(
        attempt=offer.attempt,
        kind=offer.kind,
        name=name,
        path=str(path),
        size=path.stat().st_size,
        sha256=_digest(path),
    )


def _verify(path: Path, offer: Offer) -> None:
    size = path.stat().st_size
    if size != offer.size:
        raise TransportError(f"{offer.path} came with {size} of {offer.size} bytes")
    if offer.sha256 != "none" and _digest(path) != offer.sha256:
        raise TransportError(f"{offer.path} came damaged")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _zip_of_tar(tar_path: Path, zip_path: Path) -> None:
    """Make a zip of a worker's tar: regular files below its root, nothing else.

    Raises TransportError for what is no tar, or holds what no zip can.
    """
    try:
        # Not compressed: of what was sent as a tar, nothing else is to be unpacked.
        with (
            tarfile.open(tar_path, "r:") as tar,
            zipfile.ZipFile(zip_path, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive,
        ):
            seen: set[str] = set()
            for member in tar:
                name = _zip_name(member)
                if name and name not in seen:
                    seen.add(name)
                    _add(archive, tar, member, name)
    except (tarfile.TarError, ValueError, EOFError, struct.error, zipfile.LargeZipFile) as error:
        zip_path.unlink(missing_ok=True)
        raise TransportError(f"the tar of the results is garbled: {error}") from error


def _zip_name(member: tarfile.TarInfo) -> str:
    """Return the name of a member in the zip; empty for what is left out."""
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or not member.isfile():
        return ""
    # A name that is no UTF-8 is shown with the bytes in question as \\xNN.
    return str(name).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _add(
    archive: zipfile.ZipFile, tar: tarfile.TarFile, member: tarfile.TarInfo, name: str
) -> None:
    info = zipfile.ZipInfo(name, _zip_time(member.mtime))
    info.external_attr = (stat.S_IFREG | member.mode & 0o777) << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    source = tar.extractfile(member)
    if source is None:
        return
    with source, archive.open(info, "w", force_zip64=member.size > CHUNK << 10) as target:
        while chunk := source.read(CHUNK):
            target.write(chunk)


def _zip_time(mtime: float) -> tuple[int, int, int, int, int, int]:
    """Return a time as zips hold it: nothing of here and now, so that the same tar gives the same.

    Zips know the years from 1980 to 2107.
    """
    try:
        year, *rest = time.gmtime(mtime)[:6]
    except (OverflowError, OSError, ValueError):
        return (1980, 1, 1, 0, 0, 0)
    if not 1980 <= year <= 2107:
        return (1980, 1, 1, 0, 0, 0)
    month, day, hour, minute, second = rest
    return (year, month, day, hour, minute, second)


@dataclass(frozen=True, kw_only=True, slots=True)
class Haul:
    """What came home of what was offered."""

    collected: tuple[Collected, ...]
    gathered: tuple[str, ...]
    """Attempts of which all came."""
    too_large: tuple[str, ...]
    troubles: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Offered:
    """What a host offers, and what of it was asked for."""

    offers: Sequence[Offer]
    whole: Sequence[str]
    """Attempts of which all is offered that there is."""
    asked: Collection[str]
    along: Mapping[str, bytes]
    """Contents that came with the answer, by path."""


def gather(
    transport: Transport, offered: Offered, incoming: Path, *, fetch_limit: int | None
) -> Haul:
    """Bring home what is offered, a folder of ``incoming`` for each attempt."""
    collected: list[Collected] = []
    gathered: list[str] = []
    too_large: list[str] = []
    troubles: list[tuple[str, str]] = []
    for attempt in offered.whole:
        # Attempts become folders at home: only those that were asked for.
        if attempt not in offered.asked:
            troubles.append(("", f"the worker offers files of {attempt!r}, which nobody asked for"))
            continue
        offers = [offer for offer in offered.offers if offer.attempt == attempt]
        if fetch_limit is not None and any(o.size > fetch_limit and not o.along for o in offers):
            too_large.append(attempt)
            continue
        folder = incoming / attempt
        forget(folder)
        try:
            files = [
                bring_home(transport, offer, offered.along.get(offer.path), folder, number)
                for number, offer in enumerate(offers)
            ]
        except (TransportError, OSError, tarfile.TarError) as error:
            troubles.append((attempt, f"bringing results home: {error}"))
            continue
        collected += files
        gathered.append(attempt)
    return Haul(
        collected=tuple(collected),
        gathered=tuple(gathered),
        too_large=tuple(too_large),
        troubles=tuple(troubles),
    )


def forget(folder: Path) -> None:
    """Remove what a broken gathering left in an attempt's folder."""
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            if not path.name.endswith(".part"):
                path.unlink()
