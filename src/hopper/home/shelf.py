"""Results at home that equal tasks may take: a task's folder with a list of its files.

The list has size, time and SHA-256 of each file; its own digest is kept in the store. Who takes a
result gets copies, so that nothing done to the one folder is done to the other.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hopper.dispatch.shelf import Copied, Kept, ResultGone
from hopper.home.files import CHUNK, open_regular, sha256, status, sync_folder, trouble, write_text
from hopper.home.task_results import LISTED, MANIFEST, OWNER, owner_of, show
from hopper.model.attempt import Attempt, ResultFile
from hopper.model.job import Job
from hopper.model.places import task_folder
from hopper.model.stored import StoredResult

MOST_FILES = 10_000
"""A result of more files is not kept for equal tasks."""
LARGEST_LIST = 32 * 1024**2
"""Bytes of a list of files."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    name: str
    """Below the folder."""
    size: int
    time: int
    """Of its last change, in nanoseconds."""
    sha256: str


# --- keeping


def keep(inbox: Path, job: Job, attempt: Attempt) -> Kept | None:
    """List the files that an attempt left, for those that may take them; may be repeated.

    None where its folder is not at home, or holds what cannot be listed.
    """
    folder = task_folder(inbox, job)
    if owner_of(folder) != attempt.id:
        return None
    with trouble(f"cannot list the results of {job.id} in {folder}"):
        known = {(file.name, file.size): file.sha256 for file in attempt.results}
        files = []
        for path in _regular_files(folder):
            facts = path.lstat()
            digest = known.get((str(path.relative_to(inbox)), facts.st_size)) or sha256(path)
            files.append(
                _File(
                    name=str(path.relative_to(folder)),
                    size=facts.st_size,
                    time=facts.st_mtime_ns,
                    sha256=digest,
                )
            )
            if len(files) > MOST_FILES:
                return None
        text = _list_text(files)
        if len(text) > LARGEST_LIST:
            return None
        write_text(folder / MANIFEST, text)
    size = sum(file.size for file in files)
    return Kept(folder=str(folder.relative_to(inbox)), manifest=_digest(text), size=size)


def _regular_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        own = path.parent == folder and path.name in {OWNER, MANIFEST}
        if not own and stat.S_ISREG(path.lstat().st_mode):
            yield path


def _list_text(files: list[_File]) -> str:
    return json.dumps([[file.name, file.size, file.time, file.sha256] for file in files])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# --- taking


def place_of(inbox: Path, stored: StoredResult) -> Path | None:
    """Return where a stored result lies: in its folder, or aside; None when it is gone."""
    folder = inbox / stored.folder
    if owner_of(folder) == stored.owner:
        return folder
    aside = sorted(folder.parent.glob(f"{glob.escape(folder.name)}.try*"))
    return next((place for place in aside if owner_of(place) == stored.owner), None)


def take(inbox: Path, job: Job, attempt: str, stored: StoredResult) -> Copied:
    """Copy a stored result to where the job's own would lie, as that attempt's; may be repeated.

    ResultGone where a file of it is gone or is not what it was; then nothing was changed.
    """
    folder = task_folder(inbox, job)
    if owner_of(folder) == attempt:
        return _copied(inbox, folder, _listed(folder, stored))
    source = place_of(inbox, stored)
    if source is None:
        raise ResultGone(f"what {stored.job} left is gone from {inbox / stored.folder}")
    files = _listed(source, stored)
    for file in files:
        _check(source, file)
    with trouble(f"cannot copy the results of {stored.job} to {folder}"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = folder.with_name(f".{folder.name}.{attempt}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        try:
            for file in files:
                _copy(source / file.name, part / file.name, file)
            write_text(part / MANIFEST, _list_text(files))
            write_text(part / OWNER, f"{attempt}\n")
            sync_folder(part)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        show(part, folder)
    return _copied(inbox, folder, files)


def _copied(inbox: Path, folder: Path, files: list[_File]) -> Copied:
    below = folder.relative_to(inbox)
    return Copied(
        folder=str(below),
        results=tuple(
            ResultFile(name=str(below / file.name), size=file.size, sha256=file.sha256)
            for file in files[:LISTED]
        ),
    )


def _listed(folder: Path, stored: StoredResult) -> list[_File]:
    """Return the files of a stored result. ResultGone where the list is not what it was."""
    path = folder / MANIFEST
    try:
        with open_regular(path) as file:
            text = file.read(LARGEST_LIST + 1).decode()
    except (OSError, ValueError) as error:
        raise ResultGone(f"the list {path} cannot be read: {error}") from error
    if _digest(text) != stored.manifest:
        raise ResultGone(f"the list {path} is not what it was")
    return [
        _File(name=name, size=size, time=time, sha256=digest)
        for name, size, time, digest in json.loads(text)
    ]


def _check(source: Path, file: _File) -> None:
    path = source / file.name
    facts = status(path)
    if facts is None:
        raise ResultGone(f"{path} is gone")
    if not stat.S_ISREG(facts.st_mode) or (facts.st_size, facts.st_mtime_ns) != (
        file.size,
        file.time,
    ):
        raise ResultGone(f"{path} was changed since it came home")


def _copy(source: Path, target: Path, file: _File) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    try:
        reader = open_regular(source)
    except OSError as error:
        raise ResultGone(f"{source} cannot be read: {error.strerror or error}") from error
    with reader, target.open("xb") as writer:
        while piece := reader.read(CHUNK):
            digest.update(piece)
            writer.write(piece)
        writer.flush()
        os.utime(writer.fileno(), ns=(file.time, file.time))
    if digest.hexdigest() != file.sha256:
        raise ResultGone(f"{source} was changed since it came home")
