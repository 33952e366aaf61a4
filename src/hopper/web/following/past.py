"""The jobs of the history, to be looked through: an index of the monthly files in SQLite.

The index lies in ``paths.db/web`` and is made from the files alone: it may be taken away at any
time. What is in it is brought up to date in a thread, a little at a time, so that requests go on
meanwhile. All of this is for threads; each call opens the index for itself.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from hopper.store import retention
from hopper.store.codec import decode_object
from hopper.store.errors import StoreError
from hopper.web.following.listing import Entry, JobFilter
from hopper.web.following.past_rows import (
    FORMAT,
    INSERT,
    TABLES,
    after,
    row_from,
    values_of,
    where,
)
from hopper.web.following.rows import NO_RUN, UNREADABLE, Home, JobRow, job_row
from hopper.web.following.usage import Hours, add_spans

log = logging.getLogger(__name__)

INDEX = "history.sqlite3"
_PATIENCE = 10.0
"""Seconds that another process may keep the index to itself."""
_AT_A_TIME = 100
"""Documents between two rests, so that requests have their turn."""
_REST = 0.002


class Past:
    """Questions about the jobs of the history. ``trouble`` says why some may be missing."""

    def __init__(self, folder: Path) -> None:
        """``folder`` is the state folder."""
        self.folder = folder
        self.path = folder / "web" / INDEX
        self.trouble = ""

    def bring_up_to_date(self) -> bool:
        """Take in the monthly files that have changed; return whether there were any."""
        self.trouble = ""
        if not self.path.exists() and not retention.history_files(self.folder):
            return False
        try:
            with self._writing() as index:
                return self._take_in(index)
        except (sqlite3.Error, OSError) as refusal:
            self.trouble = f"the index of the history cannot be kept: {refusal}"
            if isinstance(refusal, sqlite3.DatabaseError) and not _passing(refusal):
                for end in ("", "-wal", "-shm"):
                    self.path.with_name(INDEX + end).unlink(missing_ok=True)
            return False

    def entries(
        self, wanted: JobFilter, sort: str, *, descending: bool, since: Entry | None, limit: int
    ) -> tuple[list[Entry], int]:
        """Return the first so many entries after one, and how many are wanted in all."""
        condition, values = where(wanted)
        rest, more = after(sort, since, descending=descending)
        way = "DESC" if descending else "ASC"
        with self._reading() as index:
            total = index.execute(f"SELECT count(*) FROM jobs WHERE {condition}", values)  # noqa: S608
            count = int(total.fetchone()[0])
            found = index.execute(
                f"SELECT by_{sort}, by_id FROM jobs WHERE {condition} AND {rest} "  # noqa: S608
                f"ORDER BY by_{sort} {way}, by_id {way} LIMIT ?",
                [*values, *more, limit],
            )
            return [(value, job_id) for value, job_id in found], count

    def rows(self, ids: list[str]) -> dict[str, JobRow]:
        """Return the rows of those ids."""
        found: dict[str, JobRow] = {}
        with self._reading() as index:
            for job_id in ids:
                got = index.execute("SELECT row FROM jobs WHERE seen_id = ?", [job_id]).fetchone()
                if got is not None:
                    found[job_id] = row_from(got[0])
        return found

    def hours(self, since: int) -> Hours:
        """Return the CPU hours of the history by the hour, from that hour on."""
        with self._reading() as index:
            found = index.execute(
                "SELECT hour, sum(cpu_hours) FROM hours WHERE hour >= ? GROUP BY hour", [since]
            )
            return {int(hour): float(value) for hour, value in found}

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many jobs the runs of the history have, by run and state."""
        counted: dict[str, dict[str, int]] = {}
        with self._reading() as index:
            found = index.execute(
                "SELECT by_run, by_state, count(*) FROM jobs WHERE by_run != '' "
                "GROUP BY by_run, by_state"
            )
            for run, state, count in found:
                counted.setdefault(run, {})[state] = count
        return counted

    # --- keeping the index

    def _take_in(self, index: sqlite3.Connection) -> bool:
        files = {path.name: path for path in retention.history_files(self.folder)}
        known = dict(index.execute("SELECT name, stamp FROM files"))
        changed = {
            name: stamp for name, stamp in _stamps(files).items() if known.get(name) != stamp
        }
        gone = known.keys() - files.keys()
        for name in gone:
            for table, column in (("jobs", "file"), ("hours", "file"), ("files", "name")):
                index.execute(f"DELETE FROM {table} WHERE {column} = ?", [name])  # noqa: S608
        homes = self._homes() if changed else {}
        for name, stamp in changed.items():
            self._take_file(index, files[name], stamp, homes)
        index.commit()
        return bool(changed or gone)

    def _homes(self) -> dict[str, Home]:
        documents = map(decode_object, retention.archived(self.folder, retention.RUNS))
        return {str(document.get("id")): home_of(document) for document in documents}

    def _take_file(
        self, index: sqlite3.Connection, path: Path, stamp: str, homes: Mapping[str, Home]
    ) -> None:
        known = dict(index.execute("SELECT doc, crc FROM jobs WHERE file = ?", [path.name]))
        hours: Hours = {}
        try:
            self._look_through(index, path, homes, known, hours)
        except (StoreError, FileNotFoundError) as refusal:
            self.trouble = str(refusal)
            index.rollback()
            return
        for doc in known:
            self._drop(index, path.name, doc, hours)
        index.executemany(
            "INSERT INTO hours VALUES (?, ?, ?) ON CONFLICT (file, hour) "
            "DO UPDATE SET cpu_hours = cpu_hours + excluded.cpu_hours",
            [(path.name, hour, value) for hour, value in hours.items()],
        )
        index.execute("INSERT OR REPLACE INTO files VALUES (?, ?)", [path.name, stamp])
        index.commit()

    def _look_through(
        self,
        index: sqlite3.Connection,
        path: Path,
        homes: Mapping[str, Home],
        known: dict[int, int],
        hours: Hours,
    ) -> None:
        """Enter what differs; leave in ``known`` what is not there any more."""
        for number, (doc, raw) in enumerate(retention.stream(path)):
            if number % _AT_A_TIME == 0:
                time.sleep(_REST)
            crc = zlib.crc32(raw)
            before = known.pop(doc, None)
            if before == crc:
                continue
            if before is not None:
                self._drop(index, path.name, doc, hours)
            row = _row(raw, homes)
            if row is None:
                continue
            add_spans(hours, row.spans, now=time.time())
            index.execute(INSERT, values_of(row, file=path.name, doc=doc, crc=crc))

    @staticmethod
    def _drop(index: sqlite3.Connection, file: str, doc: int, hours: Hours) -> None:
        got = index.execute("SELECT row FROM jobs WHERE file = ? AND doc = ?", [file, doc])
        row = row_from(got.fetchone()[0])
        add_spans(hours, row.spans, now=time.time(), times=-1.0)
        index.execute("DELETE FROM jobs WHERE file = ? AND doc = ?", [file, doc])

    # --- opening it

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(self.path, timeout=_PATIENCE)) as index:
            self.path.chmod(0o600)
            index.execute("PRAGMA journal_mode = WAL")
            index.execute("PRAGMA synchronous = OFF")  # after a crash it can be made anew
            found = index.execute("PRAGMA user_version").fetchone()[0]
            if found != FORMAT:
                _make_anew(index)
            yield index

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Open the index; an empty one where there is none yet."""
        index = self._open() or _empty()
        with contextlib.closing(index):
            index.create_function("fits", 2, fnmatchcase, deterministic=True)
            yield index

    def _open(self) -> sqlite3.Connection | None:
        if not self.path.exists():
            return None
        name = f"{self.path.absolute().as_uri()}?mode=ro"
        index = sqlite3.connect(name, uri=True, timeout=_PATIENCE)
        if index.execute("PRAGMA user_version").fetchone()[0] == FORMAT:
            return index
        index.close()
        return None


def _empty() -> sqlite3.Connection:
    index = sqlite3.connect(":memory:")
    index.executescript(TABLES)
    return index


def _row(raw: bytes, homes: Mapping[str, Home]) -> JobRow | None:
    try:
        document = decode_object(raw)
        return job_row(document, homes.get(str(document.get("run")), NO_RUN))
    except UNREADABLE:
        log.exception("an old job that cannot be shown: %.200r", raw)
        return None


def home_of(run: Mapping[str, object]) -> Home:
    """Return what the rows of a run's jobs take from its document."""
    return Home(
        workflow=str(run.get("workflow") or ""),
        backend=str(run.get("backend") or ""),
        user=str(run.get("user") or ""),
    )


def _make_anew(index: sqlite3.Connection) -> None:
    tables = index.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (name,) in tables:
        index.execute(f'DROP TABLE "{name}"')
    index.executescript(TABLES)
    index.execute(f"PRAGMA user_version = {FORMAT:d}")
    index.commit()


def _passing(refusal: sqlite3.DatabaseError) -> bool:
    """Return True where the index itself is well: it is busy, or the disk is full."""
    return isinstance(refusal, sqlite3.OperationalError)


def _stamps(files: Mapping[str, Path]) -> dict[str, str]:
    found = {}
    for name, path in files.items():
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            found[name] = f"{status.st_ino}.{status.st_mtime_ns}.{status.st_size}"
    return found
