"""The folders at home: which one a job's zip belongs to, and bringing it there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from hopper.config.model import Paths
from hopper.home.files import (
    COPYING,
    MissingZip,
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
from hopper.home.queue import Dropped, Queue
from hopper.home.results import INCOMING
from hopper.model.job import Job
from hopper.model.states import JobState

REASON = ".reason.txt"
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


class Folders:
    """The folders of ``paths``. One process at a time may change what is in them."""

    def __init__(self, paths: Paths, settle_seconds: float) -> None:
        self.paths = paths
        self.queue = Queue(paths.queue, settle_seconds)

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

    # ------------------------------------------------------------ refusals

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
                self.queue.forget(refused)
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


def _same(one: Path, other: Path) -> bool:
    return same_file(one, other) or same_content(one, other)


def _is_zip_of(job: Job, path: Path) -> bool:
    facts = status(path)
    if facts is None or not stat.S_ISREG(facts.st_mode) or facts.st_size != job.zip_size:
        return False
    return not job.zip_sha256 or sha256(path) == job.zip_sha256
