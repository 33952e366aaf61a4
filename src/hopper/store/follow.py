"""Loading the snapshot and its journal, and following the journal as it grows.

Both the writer (once, at its start) and every reader go this way. The snapshot
``jobs.json`` names a generation g; segments ``jobs.json.g.log``, ``jobs.json.(g+1).log`` …
hold the commits since. A fold starts the next segment, then puts a snapshot into place that
names it, then takes the older segments away. So a reader looks for the next segment
*before* it reads the present one to its end: what it finds then is all there was.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable
from pathlib import Path

from hopper.store.appendfile import complete_lines
from hopper.store.change import Change, parse_change
from hopper.store.codec import decode_object, payload_of
from hopper.store.documents import DocumentFile, Tables, read_documents, read_facts
from hopper.store.errors import StoreDamaged, StoreError
from hopper.store.schema import upgraded, upgraded_change

log = logging.getLogger(__name__)

SNAPSHOT = "jobs.json"
PREVIOUS = "previous"
_ATTEMPTS = 50

OnChange = Callable[[Change], None]


def segment_path(folder: Path, generation: int) -> Path:
    """Return where the journal segment of that generation lies."""
    return folder / f"{SNAPSHOT}.{generation}.log"


def segment_generations(folder: Path) -> list[int]:
    """Return the generations of the segments in a folder, lowest first."""
    names = (path.name.split(".") for path in folder.glob(f"{SNAPSHOT}.*.log"))
    return sorted(int(parts[2]) for parts in names if len(parts) == 4 and parts[2].isdigit())


def snapshot_way_out(folder: Path) -> str:
    """Return how to go on without the snapshot."""
    return (
        f"go back to the one before, which loses nothing: "
        f"cp {folder / PREVIOUS}/{SNAPSHOT}* {folder}/"
    )


class Follower:
    """The store's documents as of the last look. ``tables`` is not to be changed from outside."""

    def __init__(self, folder: Path, *, on_change: OnChange | None = None) -> None:
        self.folder = folder
        self.tables: Tables = {}
        self.generation = 0
        """Of the segment that is being read."""
        self.snapshot_generation = 0
        self.commits = 0
        """Number of the last commit seen."""
        self.folded_seq = 0
        """Seq of the last event when the snapshot was made."""
        self.seq = 0
        """Seq of the last event seen."""
        self.schema = 0
        self.warnings: list[str] = []
        self.unheard: set[tuple[str, int]] = set()
        """What the last refresh had read before it failed."""
        self._on_change = on_change
        self._descriptor = -1
        self._offset = 0
        self._line = 0

    def load(self) -> None:
        """Load the newest snapshot and all segments after it; nothing where there is no store.

        Raises StoreDamaged, StoreTooNew.
        """
        if not (self.folder / SNAPSHOT).exists():
            return
        for attempt in range(_ATTEMPTS):
            self._take_snapshot()
            try:
                self._open_segment(self.snapshot_generation)
            except FileNotFoundError as gone:
                # Another fold has come between the two; unless the snapshot is still the same.
                if attempt and not self._snapshot_is_newer():
                    raise self._missing(self.snapshot_generation) from gone
                continue
            if self._read_on(set()):
                return
        raise StoreDamaged(
            self.folder / SNAPSHOT,
            None,
            "snapshots come faster than they can be read",
            way_out="try again",
        )

    def refresh(self) -> set[tuple[str, int]]:
        """Read what was committed since; return table and id of each document that changed.

        Where it raises, ``tables`` are those of before with what ``unheard`` tells, and the next
        call begins there.
        """
        touched: set[tuple[str, int]] = set()
        before = self.tables
        try:
            return self._refresh(touched)
        except (StoreError, OSError):
            self.close()
            self.tables, self.unheard = before, touched
            raise

    def _refresh(self, touched: set[tuple[str, int]]) -> set[tuple[str, int]]:
        with contextlib.suppress(StoreDamaged):
            # A commit may be taken back under our eyes; what is really wrong is so after a
            # reload as well.
            if self._descriptor >= 0 and self._read_on(touched):
                return touched
        before = self.tables
        self.load()
        return touched | _difference(before, self.tables)

    def close(self) -> None:
        """Let go of the segment."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _take_snapshot(self) -> None:
        path = self.folder / SNAPSHOT
        way_out = snapshot_way_out(self.folder)
        content = upgraded(path, read_documents(path, way_out=way_out))
        if not content.number("generation"):
            raise StoreDamaged(
                path, None, "it does not say which journal goes with it", way_out=way_out
            )
        self.tables = content.tables
        self.schema = content.number("schema")
        self.generation = self.snapshot_generation = content.number("generation")
        self.commits = content.number("commits")
        self.seq = self.folded_seq = content.number("seq")

    def _snapshot_is_newer(self) -> bool:
        facts = DocumentFile(facts=read_facts(self.folder / SNAPSHOT))
        return facts.number("generation") > self.snapshot_generation

    def _open_segment(self, generation: int) -> None:
        descriptor = os.open(segment_path(self.folder, generation), os.O_RDONLY)
        self.close()
        self._descriptor = descriptor
        self.generation, self._offset, self._line = generation, 0, 0

    def _read_on(self, touched: set[tuple[str, int]]) -> bool:
        """Read to the end of the newest segment; False when ours is gone and we must reload."""
        while True:
            there_is_more = segment_path(self.folder, self.generation + 1).exists()
            if os.fstat(self._descriptor).st_size < self._offset:
                return False
            self._read_segment(touched)
            if there_is_more:
                self._note_torn_tail()
                try:
                    self._open_segment(self.generation + 1)
                except FileNotFoundError:
                    return False
            else:
                return segment_path(self.folder, self.generation).exists()

    def _read_segment(self, touched: set[tuple[str, int]]) -> None:
        for line, end in complete_lines(self._descriptor, self._offset):
            change = self._parse(line, end)
            if change is None:
                return
            self._offset, self._line = end, self._line + 1
            change.apply(self.tables)
            touched.update(change.touched())
            if change.events:
                self.seq = DocumentFile(facts=decode_object(change.events[-1])).number("seq")
            if self._on_change is not None:
                self._on_change(change)

    def _parse(self, line: bytes, end: int) -> Change | None:
        """Return the line's change; None for a line that a power cut left unfinished."""
        try:
            number, change = parse_change(payload_of(line), following=self.commits)
        except ValueError as refusal:
            # No JSON holds a NUL: blocks of the last write that never reached the disk.
            if b"\0" in line and end == os.fstat(self._descriptor).st_size:
                return None
            path = segment_path(self.folder, self.generation)
            raise StoreDamaged(
                path, self._line + 1, str(refusal), way_out=self._line_way_out(path)
            ) from refusal
        self.commits = number
        return upgraded_change(self.schema, change)

    def _line_way_out(self, path: Path) -> str:
        return (
            "restore that file from a backup, or go back to the state before that line: stop "
            f"hopper, head -n {self._line} {path} > {path}.good && mv {path}.good {path}, and "
            "move later segments away"
        )

    def _missing(self, generation: int) -> StoreDamaged:
        path = segment_path(self.folder, generation)
        return StoreDamaged(
            path,
            None,
            f"{SNAPSHOT} names it and it is missing",
            way_out=f"restore it from a backup, or accept the loss of what it held: touch {path}",
        )

    def torn_tail(self) -> int:
        """Return how many bytes of an unfinished line the present segment ends with."""
        return max(0, os.fstat(self._descriptor).st_size - self._offset)

    def _note_torn_tail(self) -> None:
        torn = self.torn_tail()
        if torn:
            path = segment_path(self.folder, self.generation)
            self.warnings.append(
                f"{path}, line {self._line + 1}: dropped {torn} bytes of a commit that was never "
                "finished"
            )

    def settle(self) -> list[str]:
        """Say that nobody writes the last segment any more; return the warnings of the load."""
        with contextlib.suppress(OSError):
            self._note_torn_tail()
        for warning in self.warnings:
            log.warning("%s", warning)
        return self.warnings


def _difference(before: Tables, after: Tables) -> set[tuple[str, int]]:
    touched: set[tuple[str, int]] = set()
    for name in before.keys() | after.keys():
        old, new = before.get(name, {}), after.get(name, {})
        touched.update(
            (name, doc_id)
            for doc_id in old.keys() | new.keys()
            if old.get(doc_id) != new.get(doc_id)
        )
    return touched
