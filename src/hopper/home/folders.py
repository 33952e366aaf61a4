"""The folders at home: which one a job's zip belongs to, and what was dropped in the queue."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hopper.config.model import Paths
from hopper.errors import HopperError
from hopper.home.files import (
    COPYING,
    MissingZip,
    copy_new,
    exists,
    free_names,
    move_new,
    same_content,
    same_file,
    sha256,
    status,
    taken,
    trouble,
    write_text,
)
from hopper.home.results import INCOMING
from hopper.model.job import Job
from hopper.model.states import JobState

REASON = ".reason.txt"
GRANULARITY = 2.0
"""Seconds within which two changes of a folder may bear one time."""

LEFT_OVER = 86_400.0
"""Seconds after which a half copy is nobody's work in progress."""

FOLDER_OF = {
    JobState.PENDING: "queue",
    JobState.SUBMITTED: "running",
    JobState.RUNNING: "running",
    JobState.SETTLING: "running",
    JobState.COMPLETED: "done",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "failed",
    JobState.DEP_FAILED: "failed",
}
"""The key of ``paths`` where a job's zip belongs, by its state."""


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


class Folders:
    """The folders of ``paths``. One process at a time may change what is in them."""

    def __init__(self, paths: Paths, settle_seconds: float) -> None:
        self.paths = paths
        self.settle_seconds = settle_seconds
        self.next_settle: float | None = None
        """When (monotonic) the next zip seen may have settled; None when none is waited for."""
        self._seen: dict[str, tuple[Dropped, float]] = {}
        self._quiet_since: int | None = None

    def make(self) -> None:
        """Make the folders that are missing, for their owner only."""
        for folder in (*self._zip_folders(), self.paths.inbox, self.paths.db):
            with trouble(f"cannot make the folder {folder}"):
                folder.parent.mkdir(parents=True, exist_ok=True)
                folder.mkdir(mode=0o700, exist_ok=True)
        with trouble(f"cannot make the folder {self.paths.inbox / INCOMING}"):
            (self.paths.inbox / INCOMING).mkdir(mode=0o700, exist_ok=True)
            self.paths.log.parent.mkdir(parents=True, exist_ok=True)

    def _zip_folders(self) -> tuple[Path, ...]:
        return (self.paths.queue, self.paths.running, self.paths.done, self.paths.failed)

    # ------------------------------------------------------------ jobs

    def path_for(self, job: Job) -> Path:
        """Return where a job's zip belongs in the job's state."""
        if not job.zip_name or "/" in job.zip_name or job.zip_name in {".", ".."}:
            raise MissingZip(f"job {job.id} has no zip at home")
        return Path(getattr(self.paths, FOLDER_OF[job.state])) / job.zip_name

    def find(self, job: Job) -> Path | None:
        """Return where a job's zip lies, looked for first where it belongs; None if nowhere."""
        target = self.path_for(job)
        return next((path for path in (target, *self._elsewhere(target)) if exists(path)), None)

    def place(self, job: Job) -> Path:
        """Bring a job's zip to where its state says, and return its path.

        May be repeated at any time. MissingZip when no folder has it.
        """
        target = self.path_for(job)
        with trouble(f"cannot move the zip of {job.id} to {target}"):
            for other in self._elsewhere(target):
                if exists(other):
                    self._bring(job, other, target)
            if not exists(target):
                raise MissingZip(
                    f"the zip {job.zip_name!r} of job {job.id} is in none of hopper's folders",
                    way_out="put it back there, or submit it again",
                )
            if FOLDER_OF[job.state] != "failed":
                self._reason_path(job.zip_name).unlink(missing_ok=True)
        return target

    def _elsewhere(self, target: Path) -> Iterator[Path]:
        for folder in self._zip_folders():
            if folder != target.parent:
                yield folder / target.name

    def _bring(self, job: Job, other: Path, target: Path) -> None:
        try:
            move_new(other, target)
        except FileExistsError:
            if _is_zip_of(job, other) and not _is_zip_of(job, target):
                # Somebody put another file under the job's name: it keeps the file, not the name.
                self._set_aside(target)
                move_new(other, target)

    def _set_aside(self, path: Path) -> Path:
        for name in free_names(path.name):
            aside = path.with_name(name)
            if taken(aside):
                continue
            move_new(path, aside)
            return aside
        raise AssertionError  # free names never end

    def write_reason(self, job: Job, reason: str) -> None:
        """Write why a job failed beside its zip in the failed folder."""
        path = self._reason_path(self.path_for(job).name)
        with trouble(f"cannot write {path}"):
            write_text(path, f"{reason}\n")

    def _reason_path(self, zip_name: str) -> Path:
        return self.paths.failed / (next(free_names(zip_name, room=len(REASON))) + REASON)

    # ------------------------------------------------------------ the queue

    def settled(
        self, monotonic: float, wall: float, *, known: Callable[[str], bool]
    ) -> tuple[Dropped, ...]:
        """Return the dropped zips that did not change for the settle time, oldest first.

        ``monotonic`` and ``wall`` are the two clocks' times in seconds; ``known`` tells whether
        a file name in the queue is a job's already. A file last written longer ago than the
        settle time counts at once. ``next_settle`` says when to look again.
        """
        with trouble(f"cannot look into the queue {self.paths.queue}"):
            changed = self.paths.queue.stat().st_mtime_ns
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
        with os.scandir(self.paths.queue) as entries:
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
        with os.scandir(self.paths.queue) as entries:
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
        target = self.paths.queue / new_name
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
        target = self.paths.queue / name
        with trouble(f"cannot copy {str(source)!r} into the queue"):
            copy_new(source, target)
        return target

    def reject(self, refused: Dropped | Job, reason: str) -> Path:
        """Move a zip to the failed folder with its reason beside it, and return its new path.

        A dropped zip gets a free name there, a job's keeps its own.
        """
        if isinstance(refused, Job):
            return self._reject_job(refused, reason)
        with trouble(f"cannot move {refused.name!r} to {self.paths.failed}"):
            for name in free_names(refused.name, room=len(REASON)):
                target = self.paths.failed / name
                if taken(target) and not _same(refused.path, target):
                    continue
                # Before the move: a reason without a zip is harmless, the reverse is a riddle.
                write_text(target.with_name(name + REASON), f"{reason}\n")
                move_new(refused.path, target)
                self._seen.pop(refused.name, None)
                return target
        raise AssertionError  # free names never end

    def _reject_job(self, job: Job, reason: str) -> Path:
        target = self.paths.failed / self.path_for(job).name
        self.write_reason(job, reason)
        with trouble(f"cannot move the zip of {job.id} to {target}"):
            for other in self._elsewhere(target):
                if exists(other):
                    self._bring(job, other, target)
        if not exists(target):
            raise MissingZip(f"the zip {job.zip_name!r} of job {job.id} is gone")
        return target

    # ------------------------------------------------------------ the disk

    def purge_leftovers(self, wall: float) -> None:
        """Remove the hidden copies that were cut off, or never accepted, a day ago or longer."""
        with trouble("cannot clean up after copies that were cut off"):
            for folder in self._zip_folders():
                for path in (*folder.glob(f".*{COPYING}"), *folder.glob(".*.zip")):
                    facts = status(path)
                    if facts is not None and wall - facts.st_ctime > LEFT_OVER:
                        path.unlink(missing_ok=True)

    def free_bytes(self) -> int:
        """Return the room for results and for hopper's own records, whichever is less."""
        with trouble("cannot ask for the free space at home"):
            free = (os.statvfs(folder) for folder in (self.paths.inbox, self.paths.db))
            return min(facts.f_bavail * facts.f_frsize for facts in free)


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


def _same(one: Path, other: Path) -> bool:
    return same_file(one, other) or same_content(one, other)


def _still(dropped: Dropped) -> bool:
    facts = status(dropped.path)
    return facts is not None and (
        (facts.st_size, facts.st_mtime_ns, (facts.st_dev, facts.st_ino))
        == (dropped.size, dropped.mtime_ns, dropped.inode)
    )


def _inode(path: Path) -> tuple[int, int] | None:
    facts = status(path)
    return (facts.st_dev, facts.st_ino) if facts is not None else None


def _is_zip_of(job: Job, path: Path) -> bool:
    facts = status(path)
    if facts is None or not stat.S_ISREG(facts.st_mode) or facts.st_size != job.zip_size:
        return False
    return not job.zip_sha256 or sha256(path) == job.zip_sha256
