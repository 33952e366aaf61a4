"""The queue folder: which of the zips dropped there have settled, and which are jobs' already."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hopper.errors import HopperError
from hopper.home.files import copy_new, exists, move_new, status, trouble

GRANULARITY = 2.0
"""Seconds within which two changes of a folder may bear one time."""


class ChangedZip(HopperError):
    """A dropped zip is being written to again; it will settle anew."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dropped:
    """A settled zip in the queue folder that is no job yet."""

    name: str
    """Its file name, undecodable bytes as surrogates."""
    path: Path
    size: int
    """Bytes."""
    mtime_ns: int
    """When it was last written, ns since 1970."""
    inode: tuple[int, int]
    """Device and inode."""


class Queue:
    """The queue folder. One process at a time may change what is in it."""

    def __init__(self, folder: Path, settle_seconds: float) -> None:
        self.folder = folder
        self.settle_seconds = settle_seconds
        self.next_settle: float | None = None
        """When (monotonic) the next zip seen may have settled; None when none is waited for."""
        self._seen: dict[str, tuple[Dropped, float]] = {}
        self._quiet_since: int | None = None

    def settled(
        self, monotonic: float, wall: float, *, known: Callable[[str], bool]
    ) -> tuple[Dropped, ...]:
        """Return the dropped zips that did not change for the settle time, oldest first.

        ``monotonic`` and ``wall`` are the two clocks' times in seconds; ``known`` tells whether
        a file name in the queue is a job's already. A file last written longer ago than the
        settle time counts at once. ``next_settle`` says when to look again.
        """
        with trouble(f"cannot look into the queue {self.folder}"):
            changed = self.folder.stat().st_mtime_ns
            if changed == self._quiet_since:
                return ()
            present = self._drops(known)
        self._quiet_since = None
        due: list[Dropped] = []
        waiting: list[float] = []
        seen = {}
        for name, drop in present.items():
            before = self._seen.get(name)
            since = before[1] if before is not None and before[0] == drop else monotonic
            seen[name] = (drop, since)
            if self._has_settled(drop, since, monotonic, wall):
                due.append(drop)
            else:
                waiting.append(since)
        self._seen = seen
        self.next_settle = min(waiting) + self.settle_seconds if waiting else None
        if not present and wall - changed / 1e9 > GRANULARITY:
            self._quiet_since = changed
        return tuple(sorted(due, key=lambda drop: (drop.mtime_ns, drop.name)))

    def _has_settled(self, drop: Dropped, since: float, monotonic: float, wall: float) -> bool:
        age = wall - drop.mtime_ns / 1e9
        return monotonic - since >= self.settle_seconds or age >= self.settle_seconds

    def _drops(self, known: Callable[[str], bool]) -> dict[str, Dropped]:
        found: dict[str, Dropped] = {}
        linked: dict[tuple[int, int], str] = {}
        with os.scandir(self.folder) as entries:
            for entry in entries:
                drop = None if known(entry.name) else _drop(entry)
                if drop is None:
                    continue
                found[drop.name] = drop
                if entry.stat(follow_symlinks=False).st_nlink > 1:
                    self._one_of_two_names(drop, linked, found)
        if linked:
            self._end_claims(linked, found, known)
        return found

    def _one_of_two_names(
        self, drop: Dropped, linked: dict[tuple[int, int], str], found: dict[str, Dropped]
    ) -> None:
        """Keep the first name of a file that has two in the queue: a claim that was cut off."""
        other = linked.setdefault(drop.inode, drop.name)
        if other != drop.name:
            keep, drop_name = sorted((other, drop.name))
            linked[drop.inode] = keep
            del found[drop_name]

    def _end_claims(
        self,
        linked: dict[tuple[int, int], str],
        found: dict[str, Dropped],
        known: Callable[[str], bool],
    ) -> None:
        """Take away the dropped name of a file that has a job's name in the queue as well."""
        with os.scandir(self.folder) as entries:
            claimed = {
                (facts.st_dev, facts.st_ino)
                for entry in entries
                if known(entry.name)
                for facts in [status(Path(entry.path))]
                if facts is not None
            }
        for inode in claimed & linked.keys():
            found.pop(linked[inode]).path.unlink(missing_ok=True)

    def claim(self, dropped: Dropped, new_name: str) -> Path:
        """Give a dropped zip its job's name within the queue, and return its path.

        ChangedZip when it is no longer the file that had settled; may be repeated.
        """
        target = self.folder / new_name
        with trouble(f"cannot rename {dropped.name!r} in the queue"):
            if not _still(dropped):
                if not exists(dropped.path) and _inode(target) == dropped.inode:
                    return target
                raise ChangedZip(f"{dropped.name!r} changed in the queue after it had settled")
            move_new(dropped.path, target)
        self._seen.pop(dropped.name, None)
        return target

    def bring_in(self, source: Path, name: str) -> Path:
        """Copy a zip into the queue under a new name, visible only when it is whole."""
        target = self.folder / name
        with trouble(f"cannot copy {str(source)!r} into the queue"):
            copy_new(source, target)
        return target

    def forget(self, dropped: Dropped) -> None:
        """Let a zip of that name that is dropped again settle anew."""
        self._seen.pop(dropped.name, None)


def _drop(entry: os.DirEntry[str]) -> Dropped | None:
    if entry.name.startswith(".") or not entry.name.lower().endswith(".zip"):
        return None
    try:
        facts = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(facts.st_mode):
        return None
    return Dropped(
        name=entry.name,
        path=Path(entry.path),
        size=facts.st_size,
        mtime_ns=facts.st_mtime_ns,
        inode=(facts.st_dev, facts.st_ino),
    )


def _still(dropped: Dropped) -> bool:
    facts = status(dropped.path)
    return facts is not None and (
        (facts.st_size, facts.st_mtime_ns, (facts.st_dev, facts.st_ino))
        == (dropped.size, dropped.mtime_ns, dropped.inode)
    )


def _inode(path: Path) -> tuple[int, int] | None:
    facts = status(path)
    return (facts.st_dev, facts.st_ino) if facts is not None else None
