"""Writing events: numbered facts in segments, so that the millionth costs what the first did.

``events/<first>.log`` holds checked lines and grows; once it holds enough it is closed and
the next begins; later it is sealed: rewritten as ``events/<first>-<last>.json``, a TinyDB
file whose facts tell its range of numbers and times. The journal is the write-ahead log:
a commit's events are durable there before they are appended here, unsynced. So whatever the
end of the newest log lost in a crash is taken from the journal again, and the log is synced
before the journal lets go of them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from hopper.store.appendfile import AppendFile, complete_lines
from hopper.store.codec import checked_line, decode_object, payload_of
from hopper.store.documents import DocumentFile, write_documents
from hopper.store.errors import StoreDamaged, StoreError
from hopper.store.eventfiles import (
    EVENTS,
    LOSE_EVENTS,
    closed_logs,
    event_files,
    log_path,
    sealed_path,
)
from hopper.store.files import make_folder, sync_folder
from hopper.store.schema import SCHEMA

log = logging.getLogger(__name__)


class EventLog:
    """The writer's side. ``last_seq`` is the number of the last event that was recorded."""

    def __init__(self, folder: Path, *, events: int, size: int) -> None:
        self.folder = folder / EVENTS
        self.last_seq = 0
        self._limit_events, self._limit_size = events, size
        self._file: AppendFile | None = None
        self._first = 1
        self._held: list[tuple[int, bytes]] = []
        """Events that are durable in the journal and could not be written here yet."""
        self._damage: StoreDamaged | None = None
        """What is wrong behind the end of the newest log, unless the journal mends it."""

    def open(self) -> None:
        """Find the last event that is whole. Changes no file that is there."""
        make_folder(self.folder)
        files = event_files(self.folder)
        if not files:
            return
        newest = files[-1]
        if newest.last is not None:
            self.last_seq = newest.last
            return
        self._first, self.last_seq = newest.first, newest.first - 1
        self._file = AppendFile.open(newest.path, new=False)
        self._file.size, self._damage = self._whole_part(newest.path)

    def _whole_part(self, path: Path) -> tuple[int, StoreDamaged | None]:
        """Return how far the log is whole, and what is wrong behind, if more than a torn tail."""
        whole = 0
        descriptor = os.open(path, os.O_RDONLY)
        try:
            for number, (line, end) in enumerate(complete_lines(descriptor, 0), start=1):
                try:
                    self.last_seq = seq_of(payload_of(line))
                except ValueError as refusal:
                    return whole, StoreDamaged(
                        path,
                        number,
                        str(refusal),
                        way_out="restore it from a backup, or give up the events from that line "
                        f"on: head -n {number - 1} {path} > {path}.good && mv {path}.good {path}",
                    )
                whole = end
        finally:
            os.close(descriptor)
        return whole, None

    def replay(self, events: Sequence[bytes]) -> None:
        """Take those events of a journalled commit that did not get here before a crash."""
        fresh = [
            (seq, event) for seq, event in ((seq_of(e), e) for e in events) if seq > self.last_seq
        ]
        if not fresh:
            return
        if self._damage is not None and fresh[0][0] != self.last_seq + 1:
            raise self._damage
        self._mend()
        self._note_gap(fresh[0][0])
        self.append(fresh)

    def recovered(self, folded_seq: int) -> None:
        """End the recovery: all that the journal holds was replayed. StoreDamaged if it misses.

        ``folded_seq`` is the last event's number when the snapshot was made.
        """
        if self._damage is not None:
            raise self._damage
        self._mend()
        if self.last_seq < folded_seq:
            self._note_gap(folded_seq + 1)
            self._close_log()
            self.last_seq = folded_seq

    def _mend(self) -> None:
        """Cut off the unfinished or damaged end, now that the journal is known to hold it."""
        if self._file is not None:
            self._file.cut(self._file.size)
        self._damage = None

    def _note_gap(self, following: int) -> None:
        if following > self.last_seq + 1:
            log.warning(
                "events %d to %d are missing from %s",
                self.last_seq + 1,
                following - 1,
                self.folder,
            )
            self._close_log()

    def append(self, events: Sequence[tuple[int, bytes]]) -> None:
        """Take numbered events that are durable in the journal. Never fails: holds them back."""
        self._held.extend(events)
        self.last_seq = events[-1][0]
        try:
            self.flush()
        except StoreError as trouble:
            log.warning("%d events are only in the journal for now: %s", len(self._held), trouble)

    def flush(self, *, sync: bool = False) -> None:
        """Write what is held back; with ``sync`` make all events durable here as well."""
        while self._held:
            target = self._writable(self._held[0][0])
            room = max(1, self._limit_events - (self._held[0][0] - self._first))
            batch = self._held[:room]
            target.append(b"".join(checked_line(event) for _, event in batch), sync=False)
            del self._held[: len(batch)]
        if sync and self._file is not None:
            self._make_durable(self._file)

    def _make_durable(self, file: AppendFile) -> None:
        if not file.suspect:
            file.sync()
            return
        # What a failed sync left in doubt is written anew.
        file.close()
        self._file = None
        _seal(file.path)

    def _writable(self, seq: int) -> AppendFile:
        """Return the log that the event of that number goes to, a new one when it is full."""
        full = seq - self._first >= self._limit_events
        if self._file is not None and (full or self._file.size >= self._limit_size):
            self._close_log()
        if self._file is None:
            self._file = AppendFile.open(log_path(self.folder, seq), new=True)
            self._first = seq
        return self._file

    def _close_log(self) -> None:
        if self._file is not None:
            self._make_durable(self._file)
        self.close()

    def seal(self) -> int:
        """Turn each closed log into a TinyDB file; return how many. StoreError on failure."""
        self.flush()
        open_log = self._file.path if self._file is not None else None
        closed = [file for file in closed_logs(self.folder) if file != open_log]
        for path in closed:
            _seal(path)
        return len(closed)

    def close(self) -> None:
        """Close the newest log. What was held back stays in the journal."""
        if self._file is not None:
            self._file.close()
            self._file = None


def seq_of(event: bytes) -> int:
    """Return an event's number; ValueError when it has none."""
    return _seq_in(decode_object(event))


def _seq_in(event: Mapping[str, object]) -> int:
    seq = event.get("seq")
    if not isinstance(seq, int):
        raise ValueError("an event without a number")  # noqa: TRY004 - bad content
    return seq


def _seal(path: Path) -> None:
    documents: dict[int, bytes] = {}
    times: list[str] = []
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        try:
            payload = payload_of(line)
            event = decode_object(payload)
            documents[_seq_in(event)] = payload
        except ValueError as refusal:
            raise StoreDamaged(
                path,
                number,
                str(refusal),
                way_out=LOSE_EVENTS,
            ) from refusal
        times.append(str(event.get("at", "")))
    if documents:
        facts = {
            "schema": SCHEMA,
            "first": min(documents),
            "last": max(documents),
            "since": min(times),
            "until": max(times),
        }
        target = sealed_path(path.parent, min(documents), max(documents))
        write_documents(target, DocumentFile(facts=facts, tables={EVENTS: documents}))
    path.unlink()
    sync_folder(path.parent)
