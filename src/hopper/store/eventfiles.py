"""Reading events: from sealed segments and the logs that are still open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hopper.store.codec import decode_object, encode, payload_of
from hopper.store.documents import find_documents, parse_documents, read_facts
from hopper.store.errors import StoreDamaged

EVENTS = "events"
_DIGITS = 12
LOSE_EVENTS = "restore it from a backup, or move it away: only the events in it are lost"


@dataclass(frozen=True, kw_only=True, order=True)
class EventFile:
    """One segment: a sealed one when its last number is known."""

    first: int
    last: int | None = None
    path: Path


def log_path(folder: Path, first: int) -> Path:
    """Return the log that starts with the event of that number."""
    return folder / f"{first:0{_DIGITS}d}.log"


def sealed_path(folder: Path, first: int, last: int) -> Path:
    """Return the sealed segment of those events."""
    return folder / f"{first:0{_DIGITS}d}-{last:0{_DIGITS}d}.json"


def closed_logs(folder: Path) -> list[Path]:
    """Return all logs, those too that were sealed and not taken away yet, oldest first."""
    return sorted(path for path in folder.glob("*.log") if path.stem.isdigit())


def event_files(folder: Path) -> list[EventFile]:
    """Return the segments in the order of their events; a log that was sealed does not count."""
    files: dict[int, EventFile] = {
        int(path.stem): EventFile(first=int(path.stem), path=path) for path in closed_logs(folder)
    }
    for path in folder.glob("*-*.json"):
        first, _, last = path.stem.partition("-")
        if first.isdigit() and last.isdigit():
            files[int(first)] = EventFile(first=int(first), last=int(last), path=path)
    return [files[first] for first in sorted(files)]


@dataclass(frozen=True, kw_only=True)
class EventFilter:
    """Which events are asked for."""

    after: int = 0
    """Only events with a higher number."""
    job: str | None = None
    since: str = ""
    """Only events at that time or later: ISO 8601 in UTC, which sorts as text."""

    def wants(self, event: Mapping[str, object]) -> bool:
        """Return whether the event is asked for, its number aside."""
        if self.job is not None and event.get("job") != self.job:
            return False
        return not self.since or str(event.get("at", "")) >= self.since

    def wants_file(self, file: EventFile) -> bool:
        """Return whether the segment may hold what is asked for, by its name and first line."""
        if file.last is None:
            return True
        if file.last <= self.after:
            return False
        return not self.since or str(read_facts(file.path).get("until", self.since)) >= self.since


def read_events(folder: Path, wanted: EventFilter) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield number and content of the events asked for, in order.

    Raises StoreDamaged at a segment that does not hold what was written. Segments that are
    sealed meanwhile are found under their new names.
    """
    done = wanted.after
    skipped: set[int] = set()
    while True:
        for file in event_files(folder):
            last = file.last if file.last is not None else done + 1
            if last <= done or file.first in skipped:
                continue
            try:
                if wanted.wants_file(file):
                    for seq, event in read_file(file, wanted, done):
                        done = seq
                        yield seq, event
            except FileNotFoundError:
                break
            skipped.add(file.first)
            done = max(done, file.last or 0)
        else:
            return


def read_file(
    file: EventFile, wanted: EventFilter, after: int
) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield number and content of the events asked for in one segment, after a number."""
    needle = encode(wanted.job) if wanted.job is not None else b""
    for seq, payload in _payloads(file, needle, after):
        if needle in payload:
            event = decode_object(payload)
            if wanted.wants(event):
                yield seq, event


def _payloads(file: EventFile, needle: bytes, after: int) -> Iterator[tuple[int, bytes]]:
    if file.last is None:
        yield from _log_payloads(file, needle, after)
        return
    raw = file.path.read_bytes()
    if needle:
        documents = find_documents(file.path, raw, needle, way_out=LOSE_EVENTS)
    else:
        content = parse_documents(file.path, raw, way_out=LOSE_EVENTS)
        documents = iter(content.tables.get(EVENTS, {}).items())
    yield from ((seq, event) for seq, event in documents if seq > after)


def _log_payloads(file: EventFile, needle: bytes, after: int) -> Iterator[tuple[int, bytes]]:
    lines = file.path.read_bytes().split(b"\n")[:-1]
    # A log has no gaps, so the line follows from the number.
    start = max(0, after + 1 - file.first)
    for number, line in enumerate(lines[start:], start=start):
        if needle in line:
            try:
                yield file.first + number, payload_of(line)
            except ValueError as refusal:
                raise StoreDamaged(
                    file.path, number + 1, str(refusal), way_out=LOSE_EVENTS
                ) from refusal


def last_seq(folder: Path) -> int:
    """Return the number of the newest event that is in a segment, 0 when there is none."""
    while True:
        files = event_files(folder)
        if not files:
            return 0
        newest = files[-1]
        if newest.last is not None:
            return newest.last
        try:
            return newest.first - 1 + newest.path.read_bytes().count(b"\n")
        except FileNotFoundError:
            continue  # sealed just now
