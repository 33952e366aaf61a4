"""Results at home: verified files find their names in ``paths.inbox``."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from hopper.errors import HopperError
from hopper.home.files import (
    exists,
    free_names,
    move_new,
    sha256,
    status,
    sync_folder,
    taken,
    trouble,
)
from hopper.model.attempt import ResultFile

INCOMING = ".incoming"
"""The folder below ``paths.inbox`` where results are until they are verified."""


class MissingResult(HopperError):
    """A result that was fetched is neither where it came in nor at home."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Incoming:
    """A fetched result whose size and digest were found to be those of the worker's file."""

    path: Path
    name: str
    """Its name on the worker."""
    size: int
    """Bytes."""
    sha256: str


def incoming_folder(inbox: Path, attempt: str) -> Path:
    """Return the folder that an attempt's results come in through; made when it is missing."""
    folder = inbox / INCOMING / attempt
    with trouble(f"cannot make the folder {folder}"):
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def land(incoming: Sequence[Incoming], inbox: Path) -> tuple[ResultFile, ...]:
    """Give verified results their names in the inbox, and return them as they are there.

    No file is overwritten: a name that holds the same bytes is taken for this result landed
    before (a crash in the middle), one that holds others makes it ``stem.1.zip``. May be
    repeated. MissingResult when a file is nowhere.
    """
    with trouble(f"cannot bring results home to {inbox}"):
        landed = tuple(_land_one(result, inbox) for result in incoming)
        if landed:
            sync_folder(inbox)
    return landed


def _land_one(result: Incoming, inbox: Path) -> ResultFile:
    if not result.name or "/" in result.name or result.name.startswith("."):
        raise HopperError(f"a result cannot be called {result.name!r}")
    for name in free_names(result.name):
        target = inbox / name
        if not taken(target):
            if not exists(result.path):
                raise MissingResult(
                    f"the result {result.name!r} is neither at {result.path} nor in {inbox}"
                )
            move_new(result.path, target)
        elif _holds(target, result):
            result.path.unlink(missing_ok=True)
        else:
            continue
        return ResultFile(name=name, size=result.size, sha256=result.sha256)
    raise AssertionError  # free names never end


def _holds(path: Path, result: Incoming) -> bool:
    facts = status(path)
    if facts is None or facts.st_size != result.size or path.is_symlink() or not path.is_file():
        return False
    return sha256(path) == result.sha256


def purge_incoming(inbox: Path, keep: Collection[str]) -> None:
    """Remove what came in for attempts that are not to be kept (their ids)."""
    folder = inbox / INCOMING
    with trouble(f"cannot clean {folder}"):
        if not folder.is_dir():
            return
        for path in folder.iterdir():
            if path.name in keep:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
