"""The home side of the ad-hoc plugins: the zip that goes out, the files that came in."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path, PurePosixPath

from hopper.errors import RejectedZip, UsageError
from hopper.model.orders import Collected


@dataclass(frozen=True, kw_only=True, slots=True)
class OutgoingZip:
    """What a launch has to know of its zip."""

    size: int
    sha256: str
    unpacked_size: int


def resolved(path: str) -> Path:
    """Return a path of the command line; relative ones start where the person stands."""
    return Path(os.environ.get("PWD") or Path.cwd()) / Path(path).expanduser()


def checked_zip(path: Path, *, needs_run_job: bool) -> OutgoingZip:
    """Return the facts of a zip; UsageError or RejectedZip where it cannot go anywhere."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except OSError as error:
        raise UsageError(f"zip: {path}: {error.strerror or error}") from error
    except zipfile.BadZipFile as error:
        raise RejectedZip(f"{path} is not a whole zip: {error}") from error
    for member in members:
        _check_member(path, member)
    if needs_run_job and not any(member.filename == "run_job.sh" for member in members):
        raise RejectedZip(
            f"{path} holds no run_job.sh", way_out="add one to its root, or give a command"
        )
    unpacked = sum(member.file_size for member in members)
    return OutgoingZip(size=size, sha256=digest, unpacked_size=unpacked)


def _check_member(path: Path, member: zipfile.ZipInfo) -> None:
    name = PurePosixPath(member.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts:
        raise RejectedZip(f"{path}: member {member.filename!r} leads out of its folder")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise RejectedZip(f"{path}: member {member.filename!r} is a symlink")
    if member.flag_bits & 0x1:
        raise RejectedZip(f"{path}: member {member.filename!r} is encrypted")


def land(files: Sequence[Collected], folder: Path, job_id: str) -> tuple[bool, tuple[Path, ...]]:
    """Give collected files their names in ``folder``; tell whether any was new.

    Nothing is overwritten: a file that is there already, the same, stays; another of its name
    makes the new one ``name.1``, ``name.2`` and so on.
    """
    changed = False
    landed = []
    for file in files:
        name = {"tar": f"{job_id}.zip", "log": f"{job_id}.log"}.get(file.kind, file.name)
        new, target = _land_one(Path(file.path), folder, name, file.sha256)
        changed = changed or new
        landed.append(target)
    for file in files:
        shutil.rmtree(Path(file.path).parent, ignore_errors=True)
    _remove_if_empty(folder / ".incoming")
    return changed, tuple(landed)


def _land_one(source: Path, folder: Path, name: str, sha256: str) -> tuple[bool, Path]:
    for number in count():
        target = folder / (f"{name}.{number}" if number else name)
        try:
            _place(source, target)
        except FileExistsError:
            if target.is_file() and _digest(target) == sha256:
                return False, target
        else:
            return True, target
    raise AssertionError("numbers do not end")


def _place(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        # A file system without links.
        with source.open("rb") as content, target.open("xb") as file:
            shutil.copyfileobj(content, file)
            file.flush()
            os.fsync(file.fileno())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def append(path: Path, offset: int, part: bytes) -> None:
    """Write a part of a log to its place in a file at home."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("r+b" if path.exists() else "wb") as file:
        file.seek(offset)
        file.write(part)
