"""Brings what a worker offers home: checks each file, and makes zips of tars."""

from __future__ import annotations

import hashlib
import os
import tarfile
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath

from hopper.errors import TransportError
from hopper.model.orders import Collected
from hopper.remote.reading import Offer
from hopper.remote.transport import Transport

CHUNK = 1 << 20


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
    name = PurePosixPath(offer.path).name
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
    """Make a zip of a worker's tar: regular files and folders below its root, nothing else."""
    with (
        tarfile.open(tar_path) as tar,
        zipfile.ZipFile(zip_path, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive,
    ):
        for member in tar:
            name = PurePosixPath(member.name)
            if name.is_absolute() or ".." in name.parts or not member.isfile():
                continue
            info = zipfile.ZipInfo.from_file(tar_path, str(name))
            info.external_attr = (member.mode & 0o777) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            source = tar.extractfile(member)
            if source is None:
                continue
            with source, archive.open(info, "w", force_zip64=member.size > CHUNK << 10) as target:
                while chunk := source.read(CHUNK):
                    target.write(chunk)


def forget(folder: Path) -> None:
    """Remove what a broken gathering left in an attempt's folder."""
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            if not path.name.endswith(".part"):
                path.unlink()
