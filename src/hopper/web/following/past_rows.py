"""Rows of the history as SQLite keeps them, and questions about them as SQL. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from hopper.store.codec import decode, encode
from hopper.web.following.listing import SORTS, Entry, JobFilter
from hopper.web.following.rows import JobRow

_MAKING = 1
"""To be raised when rows are made of documents in another way."""
TABLES = """
CREATE TABLE files (name TEXT PRIMARY KEY, stamp TEXT NOT NULL);
CREATE TABLE jobs (
  file TEXT NOT NULL, doc INTEGER NOT NULL, crc INTEGER NOT NULL, seen_id TEXT NOT NULL,
  by_submitted REAL, by_started REAL, by_ended REAL, by_state TEXT, by_id TEXT, by_name TEXT,
  by_workflow TEXT, by_run TEXT, by_user TEXT, by_backend TEXT, by_node TEXT, by_cpus REAL,
  by_cpu_hours REAL, by_utilization REAL,
  name TEXT, places TEXT, origin TEXT, held INTEGER, tags TEXT, text TEXT, row BLOB,
  PRIMARY KEY (file, doc)
) WITHOUT ROWID;
CREATE INDEX jobs_id ON jobs (seen_id);
CREATE INDEX jobs_submitted ON jobs (by_submitted, by_id);
CREATE INDEX jobs_run ON jobs (by_run, by_state);
CREATE TABLE hours (
  file TEXT NOT NULL, hour INTEGER NOT NULL, cpu_hours REAL NOT NULL, PRIMARY KEY (file, hour)
) WITHOUT ROWID;
"""
_COLUMNS = [
    "file",
    "doc",
    "crc",
    "seen_id",
    *(f"by_{sort}" for sort in SORTS),
    "name",
    "places",
    "origin",
    "held",
    "tags",
    "text",
    "row",
]
INSERT = (
    f"INSERT OR REPLACE INTO jobs ({', '.join(_COLUMNS)}) "  # noqa: S608 - names of our own
    f"VALUES ({', '.join('?' * len(_COLUMNS))})"
)
_KEPT = [field.name for field in fields(JobRow) if field.name != "text"]
FORMAT = zlib.crc32(repr((_MAKING, TABLES, _KEPT)).encode()) >> 1
"""Of the tables and of the rows in them: with another one all is made anew."""
_TIMES = frozenset({"submitted_at", "state_since", "not_before", "started_at", "ended_at"})
_TUPLES = frozenset({"earlier", "tags", "spans"})


def values_of(row: JobRow, *, file: str, doc: int, crc: int) -> tuple[object, ...]:
    """Return what is inserted for a row."""
    return (
        file,
        doc,
        crc,
        row.id,
        *(key(row, 0.0) for key in SORTS.values()),
        row.name,
        _listed(row.backend, row.worker, *row.earlier),
        row.origin,
        int(row.held),
        _listed(*row.tags),
        row.text,
        encode([_packed(name, getattr(row, name)) for name in _KEPT]),
    )


def _packed(name: str, value: Any) -> object:
    if name in _TUPLES:
        return list(value)
    return value.timestamp() if name in _TIMES and value is not None else value


def row_from(packed: bytes) -> JobRow:
    """Return a row from what was inserted of it."""
    values = decode(packed)
    if not isinstance(values, list):
        raise ValueError("not a row")  # noqa: TRY004 - bad content, not a bad call
    return JobRow(
        **{name: _unpacked(name, value) for name, value in zip(_KEPT, values, strict=True)}
    )


def _unpacked(name: str, value: Any) -> Any:
    if name in _TUPLES:
        return tuple(value)
    return datetime.fromtimestamp(value, UTC) if name in _TIMES and value is not None else value


def _listed(*names: str) -> str:
    """Return names so that one of them is found with its ends."""
    return "\n" + "".join(f"{name}\n" for name in names if name)


def where(wanted: JobFilter) -> tuple[str, list[object]]:
    """Return the condition for what is wanted, and its values."""
    parts: list[str] = ["1"]
    values: list[object] = []
    for condition, given in _conditions(wanted):
        parts.append(condition)
        values += given
    return " AND ".join(parts), values


def _conditions(wanted: JobFilter) -> Iterator[tuple[str, list[object]]]:
    if wanted.states:
        yield f"by_state IN ({', '.join('?' * len(wanted.states))})", [*sorted(wanted.states)]
    for condition, value in (
        ("by_user = ?", wanted.user),
        ("by_run = ?", wanted.run),
        ("by_workflow = ?", wanted.workflow),
        ("instr(places, ?)", f"\n{wanted.backend}\n" if wanted.backend else ""),
        ("origin = ?", wanted.origin),
        ("fits(name, ?)", wanted.name),
    ):
        if value:
            yield condition, [value]
    for tag in sorted(wanted.tags):
        yield "instr(tags, ?)", [f"\n{tag}\n"]
    for word in wanted.words:
        yield "instr(text, ?)", [word]
    if wanted.held is not None:
        yield "held = ?", [int(wanted.held)]
    if wanted.since is not None:
        yield "by_submitted >= ?", [wanted.since.timestamp()]


def after(sort: str, entry: Entry | None, *, descending: bool) -> tuple[str, list[object]]:
    """Return the condition for what comes after an entry in a list, and its values."""
    if entry is None:
        return "1", []
    return f"(by_{sort}, by_id) {'<' if descending else '>'} (?, ?)", list(entry)
