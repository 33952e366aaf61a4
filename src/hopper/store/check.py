"""Looking a state folder over, and taking its content out as one JSON document."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

from hopper.model.backend import ExternalJob
from hopper.model.job import Job
from hopper.model.run import Run
from hopper.model.stored import StoredResult
from hopper.model.worker import WorkerRecord
from hopper.store import retention
from hopper.store.codec import encode
from hopper.store.documents import Tables
from hopper.store.errors import StoreDamaged, StoreError
from hopper.store.eventfiles import (
    EVENTS,
    EventFile,
    EventFilter,
    event_files,
    read_events,
    read_file,
)
from hopper.store.follow import Follower, segment_generations, segment_path
from hopper.store.values import from_bytes


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is not as it should be in a state folder."""

    file: Path
    line: int | None = None
    what: str
    way_out: str = ""
    harmless: bool = False
    """Nothing is lost: for example a commit that a crash left unfinished."""


def check(folder: Path) -> list[Finding]:
    """Read everything in a state folder and return what is wrong; changes nothing.

    May be used while a dispatcher works on it.
    """
    findings = [*_check_live(folder), *_check_events(folder)]
    for kind, value in ((retention.JOBS, Job), (retention.RUNS, Run)):
        for path in retention.history_files(folder, kind):
            findings += _tried(path, partial(_check_history, path, value))
    return findings


def _check_live(folder: Path) -> list[Finding]:
    reader = Follower(folder)
    findings = _tried(folder, reader.load)
    try:
        if not findings:
            findings += [
                Finding(file=folder, what=warning, harmless=True) for warning in reader.settle()
            ]
            findings += _check_segments(folder, reader.generation)
            findings += _check_values(folder, reader.tables)
    finally:
        reader.close()
    return findings


def _check_segments(folder: Path, newest: int) -> list[Finding]:
    # One more may have come since the load.
    return [
        Finding(
            file=segment_path(folder, generation),
            what=f"segment {newest + 1} before it is missing",
            way_out="restore it from a backup",
        )
        for generation in segment_generations(folder)
        if generation > newest + 1 and not segment_path(folder, newest + 1).exists()
    ]


def _check_values(folder: Path, tables: Tables) -> list[Finding]:
    kinds: tuple[tuple[str, type], ...] = (
        ("jobs", Job),
        ("workers", WorkerRecord),
        ("runs", Run),
        ("stored", StoredResult),
        ("externals", ExternalJob),
    )
    findings: list[Finding] = []
    for table, kind in kinds:
        findings += _tried(folder, partial(_fit, kind, tables.get(table, {}).values()))
    return findings


def _check_events(folder: Path) -> list[Finding]:
    findings: list[Finding] = []
    expected = 0
    for file in event_files(folder / EVENTS):
        if expected and file.first != expected:
            missing = f"events {expected} to {file.first - 1} are missing"
            findings.append(Finding(file=file.path, what=missing))
        numbers: deque[int] = deque([file.first - 1], maxlen=1)
        findings += _tried(file.path, partial(_read_through, file, numbers))
        expected = (numbers[-1] if file.last is None else file.last) + 1
        if not file.path.exists():
            expected = 0  # sealed under our eyes
    return findings


def _check_history(path: Path, kind: type) -> None:
    _fit(kind, retention.load(path).values())


def _read_through(file: EventFile, numbers: deque[int]) -> None:
    numbers.extend(seq for seq, _ in read_file(file, EventFilter(), 0))


def _fit(kind: type, documents: Iterable[bytes]) -> None:
    for raw in documents:
        from_bytes(kind, raw)


def _tried(place: Path, act: Callable[[], object]) -> list[Finding]:
    try:
        act()
    except StoreDamaged as damage:
        return [
            Finding(file=damage.file, line=damage.line, what=damage.what, way_out=damage.way_out)
        ]
    except StoreError as trouble:
        return [Finding(file=place, what=trouble.what, way_out=trouble.way_out)]
    except FileNotFoundError:
        return []  # gone since it was listed: folded or sealed
    except OSError as trouble:
        return [Finding(file=place, what=str(trouble))]
    return []


def export(folder: Path, out: TextIO) -> None:
    """Write jobs, runs, history, workers, settings and events as lists in one JSON object.

    One document a line. May be used while a dispatcher works. Raises StoreDamaged.
    """
    reader = Follower(folder)
    try:
        reader.load()
        tables = reader.tables
    finally:
        reader.close()
    parts: dict[str, Iterator[bytes]] = {
        "jobs": iter(tables.get("jobs", {}).values()),
        "runs": iter(tables.get("runs", {}).values()),
        "history": retention.archived(folder),
        "history_runs": retention.archived(folder, retention.RUNS),
        "workers": iter(tables.get("workers", {}).values()),
        "settings": iter(tables.get("settings", {}).values()),
        "events": (encode(e) for _, e in read_events(folder / EVENTS, EventFilter())),
    }
    for position, (name, documents) in enumerate(parts.items()):
        out.write(f'{"," if position else "{"}\n"{name}": [')
        out.writelines(
            ("," if number else "") + "\n" + raw.decode() for number, raw in enumerate(documents)
        )
        out.write("]")
    out.write("\n}\n")
