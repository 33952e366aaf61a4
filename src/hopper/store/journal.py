"""The writer: documents in memory, each commit a synced journal line, now and then a fold.

The order in a commit is what keeps memory and disk the same: everything is encoded first,
then one line is written and synced, then memory follows. So a value that is no JSON, or a
full disk, leaves both as they were.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hopper.store.appendfile import AppendFile
from hopper.store.change import Change
from hopper.store.codec import checked_line
from hopper.store.documents import DocumentFile, Tables, write_documents, write_documents_beside
from hopper.store.errors import StoreDamaged, StoreError, as_store_error
from hopper.store.eventlog import EventLog
from hopper.store.files import make_folder, sync_folder
from hopper.store.follow import (
    PREVIOUS,
    SNAPSHOT,
    Follower,
    segment_generations,
    segment_path,
)
from hopper.store.schema import SCHEMA


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How far files grow before the upkeep does something about them."""

    fold_bytes: int = 4 << 20
    """Journal size from which it is folded, once it is half the snapshot's size as well."""
    segment_events: int = 10_000
    segment_bytes: int = 8 << 20


DEFAULT_LIMITS = Limits()


class Journal:
    """The one writer of a state folder; who opens it holds the folder's lock.

    ``tables`` is the present state, not to be changed from outside.
    """

    def __init__(
        self, folder: Path, loaded: Follower, events: EventLog, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self.folder, self.events = folder, events
        self.tables: Tables = loaded.tables
        self.commits = loaded.commits
        self.warnings = tuple(loaded.warnings)
        self._loaded_schema = loaded.schema
        self._limits = limits
        self._generation = loaded.generation
        """Of the newest segment there is."""
        self._segment: AppendFile | None = None
        """What we append to: never a segment that an earlier process wrote to."""
        self._folded_generation = loaded.snapshot_generation
        self._journalled = _journal_size(folder)
        self._snapshot_size = (folder / SNAPSHOT).stat().st_size

    @classmethod
    def open(cls, folder: Path, *, limits: Limits = DEFAULT_LIMITS) -> Journal:
        """Open the store in a folder for writing, make it where there is none.

        Raises StoreDamaged, StoreTooNew, or StoreFull.
        """
        make_folder(folder)
        if not (folder / SNAPSHOT).exists():
            _create(folder)
        log = EventLog(folder, events=limits.segment_events, size=limits.segment_bytes)
        try:
            journal = cls(folder, _load(folder, log), log, limits)
            journal._bring_up_to_date()
        except BaseException:
            log.close()
            raise
        return journal

    def _bring_up_to_date(self) -> None:
        if self._loaded_schema < SCHEMA:
            _back_up(self.folder, self._loaded_schema)
            self.fold()
        self._retire()

    def commit(self, change: Change) -> None:
        """Make a change durable, then take it over into memory. One sync.

        The events' numbers follow on ``events.last_seq``. Raises StoreFull or StoreError;
        then nothing has changed.
        """
        if not change:
            return
        line = checked_line(change.render(self.commits + 1))
        segment = self._writable_segment()
        segment.append(line, sync=True)
        self.commits += 1
        self._journalled += len(line)
        change.apply(self.tables)
        if change.events:
            first = self.events.last_seq + 1
            self.events.append(list(enumerate(change.events, start=first)))

    @property
    def fold_due(self) -> bool:
        """True when the journal has grown so far that folding it pays."""
        return self._journalled > max(self._limits.fold_bytes, self._snapshot_size // 2)

    @property
    def unfolded(self) -> bool:
        """True when the snapshot lacks commits."""
        return self._journalled > 0

    def fold(self) -> None:
        """Write the snapshot anew and begin the journal afresh.

        On StoreFull or StoreError all commits are as safe as before, and the next ones work.
        """
        self.events.flush(sync=True)
        if self._segment is None or self._segment.size or self._segment.suspect:
            self._start_segment()  # an empty one is left when a fold has failed
        path = self.folder / SNAPSHOT
        facts = {
            "schema": SCHEMA,
            "generation": self._generation,
            "commits": self.commits,
            "seq": self.events.last_seq,
        }
        beside = write_documents_beside(path, DocumentFile(facts=facts, tables=self.tables))
        try:
            self._keep_previous()
            beside.replace(path)
            sync_folder(self.folder)
            self._snapshot_size = path.stat().st_size
            self._folded_generation = self._generation
            self._journalled = 0
            self._retire()
        except OSError as cause:
            raise as_store_error(path, cause) from cause

    def close(self) -> None:
        """Fold if there is something to fold, and let go of all files."""
        try:
            if self.unfolded:
                with contextlib.suppress(StoreError):
                    self.fold()  # all is durable in the journal too
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go of all files without a fold."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None
        self.events.close()

    def _writable_segment(self) -> AppendFile:
        if self._segment is None or self._segment.suspect:
            self._start_segment()
        if self._segment is None:
            raise StoreError(f"the store in {self.folder} is closed")
        return self._segment

    def _start_segment(self) -> None:
        path = segment_path(self.folder, self._generation + 1)
        fresh = AppendFile.open(path, new=True)
        if self._segment is not None:
            self._segment.close()
        self._segment = fresh
        self._generation += 1

    def _keep_previous(self) -> None:
        """Keep the snapshot that is about to be replaced: the way back when the next is damaged."""
        kept = self.folder / PREVIOUS
        make_folder(kept)
        beside = kept / f".{SNAPSHOT}.tmp"
        beside.unlink(missing_ok=True)
        try:
            beside.hardlink_to(self.folder / SNAPSHOT)
        except OSError:
            shutil.copyfile(self.folder / SNAPSHOT, beside)
        beside.replace(kept / SNAPSHOT)

    def _retire(self) -> None:
        """Move segments that the snapshot holds beside the previous one; drop what is older."""
        kept = self.folder / PREVIOUS
        old = [g for g in segment_generations(self.folder) if g < self._folded_generation]
        if not old:
            return
        make_folder(kept)
        for generation in segment_generations(kept):
            if generation < old[0]:
                segment_path(kept, generation).unlink(missing_ok=True)
        for generation in old:
            segment_path(self.folder, generation).replace(segment_path(kept, generation))
        sync_folder(self.folder)


def _create(folder: Path) -> None:
    """Make an empty store: the segment first, since the snapshot names it."""
    if segment_generations(folder) not in ([], [1]):
        raise StoreDamaged(
            folder / SNAPSHOT,
            None,
            "it is missing, and there are journal segments that need it",
            way_out=f"restore it from {folder / PREVIOUS} or from a backup",
        )
    AppendFile.open(segment_path(folder, 1), new=False).close()
    facts = {"schema": SCHEMA, "generation": 1, "commits": 0, "seq": 0}
    write_documents(folder / SNAPSHOT, DocumentFile(facts=facts))


def _load(folder: Path, log: EventLog) -> Follower:
    """Load the state, and give the event log what it lost in a crash."""
    log.open()
    loaded = Follower(folder, on_change=lambda change: log.replay(change.events))
    try:
        loaded.load()
        _check_no_later_segment(folder, loaded)
        loaded.settle()
    finally:
        loaded.close()
    log.recovered(loaded.folded_seq)
    return loaded


def _check_no_later_segment(folder: Path, loaded: Follower) -> None:
    later = [g for g in segment_generations(folder) if g > loaded.generation]
    if later:
        missing = segment_path(folder, loaded.generation + 1)
        raise StoreDamaged(
            missing,
            None,
            f"it is missing, and {segment_path(folder, later[0]).name} follows it",
            way_out="restore it from a backup, or go back to the state before it: move the later "
            "segments away",
        )


def _back_up(folder: Path, schema: int) -> None:
    """Copy snapshot and journal aside before documents of an older schema are rewritten."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    target = folder / f"backup-schema-{schema}-{stamp}"
    try:
        make_folder(target)
        for path in (folder / SNAPSHOT, *_segments(folder)):
            shutil.copy2(path, target / path.name)
        sync_folder(target)
    except OSError as cause:
        raise as_store_error(target, cause) from cause


def _segments(folder: Path) -> Iterator[Path]:
    return (segment_path(folder, generation) for generation in segment_generations(folder))


def _journal_size(folder: Path) -> int:
    return sum(path.stat().st_size for path in _segments(folder))
