"""The open jobs in a jobhopper's SQLite file, which is only read.

Its schema is not published, so columns are looked for by the names they are likely to have.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from hopper.config.model import Paths

OPEN_STATES = frozenset({"queued", "dispatching", "running"})

_COLUMNS = {
    "id": ("job_id", "id", "sha256", "hash"),
    "state": ("state", "status", "job_state"),
    "worker": ("worker", "worker_name", "assigned_worker", "worker_id"),
    "zip": ("zip_path", "local_path", "source_path", "file_path", "path", "zip_name",
            "filename", "file_name", "name"),
    "order": ("queued_at", "created_at", "submitted_at", "mtime", "rowid"),
}  # fmt: skip
_SAFE_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenJob:
    """A job that jobhopper had not ended."""

    job_id: str
    """jobhopper's id: the zip's name on the worker without ``.zip``."""
    state: str
    """queued, dispatching or running."""
    worker: str
    """Empty when it has none."""
    zip_path: Path | None
    """Where its zip lies at home; None when it was not found."""


def open_jobs(database: Path, paths: Paths, warnings: list[str]) -> tuple[OpenJob, ...]:
    """Return the open jobs, oldest first; what stands in the way is added to ``warnings``."""
    try:
        with _opened(database) as connection:
            rows = _rows(connection, database, warnings)
    except (sqlite3.Error, OSError) as error:
        warnings.append(f"{database} cannot be read ({error}), so no open jobs were taken over")
        return ()
    found = []
    for job_id, state, worker, zip_text in rows:
        if not _SAFE_ID.match(job_id):
            warnings.append(f"the job id {job_id!r} in {database} is not one of jobhopper's")
            continue
        place = _zip_path(job_id, zip_text, paths, database.parent)
        if place is None and state == "queued":
            warnings.append(f"the zip of the queued job {job_id} was not found ({zip_text!r})")
        found.append(OpenJob(job_id=job_id, state=state, worker=worker, zip_path=place))
    return tuple(found)


@contextmanager
def _opened(database: Path) -> Iterator[sqlite3.Connection]:
    """Open the file without leaving anything beside it, even when a crash left a journal."""
    journals = [Path(f"{database}{end}") for end in ("-wal", "-journal")]
    if not any(path.exists() for path in journals):
        uri = f"file:{quote(str(database))}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            yield connection
        return
    with tempfile.TemporaryDirectory(prefix="hopper-import-") as folder:
        for path in (database, *journals):
            if path.exists():
                shutil.copy(path, folder)
        with closing(sqlite3.connect(Path(folder) / database.name)) as connection:
            yield connection


def _rows(
    connection: sqlite3.Connection, database: Path, warnings: list[str]
) -> list[tuple[str, str, str, str]]:
    tables = _tables(connection)
    named = _jobs_table(connection, tables)
    if named is None:
        shown = ", ".join(tables) or "none"
        warnings.append(
            f"{database} has no table with a job's id and state (its tables: {shown}), so no "
            "open jobs were taken over; let jobhopper end them, or submit their zips again"
        )
        return []
    table, columns = named
    wanted = [columns.get(what) for what in ("id", "state", "worker", "zip")]
    chosen = ", ".join("''" if column is None else _quoted(column) for column in wanted)
    order = columns.get("order", "rowid")
    # Names come from the file's own schema, quoted as SQL wants them.
    query = f"SELECT {chosen} FROM {_quoted(table)} ORDER BY {_quoted(order)}"  # noqa: S608
    try:
        rows = connection.execute(query).fetchall()
    except sqlite3.OperationalError:
        rows = connection.execute(query.partition(" ORDER BY ")[0]).fetchall()
    texts = [tuple("" if cell is None else str(cell) for cell in row) for row in rows]
    return [
        (job_id, state.lower(), worker, zip_text)
        for job_id, state, worker, zip_text in texts
        if state.lower() in OPEN_STATES
    ]


def _tables(connection: sqlite3.Connection) -> list[str]:
    query = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    names = [str(row[0]) for row in connection.execute(query)]
    # The likeliest first.
    return sorted(names, key=lambda name: (name.lower() not in {"jobs", "job"}, name))


def _jobs_table(
    connection: sqlite3.Connection, tables: Sequence[str]
) -> tuple[str, dict[str, str]] | None:
    for table in tables:
        present = {
            str(row[1]).lower(): str(row[1])
            for row in connection.execute(f"PRAGMA table_info({_quoted(table)})")
        }
        columns = {
            what: present[name]
            for what, names in _COLUMNS.items()
            for name in reversed(names)
            if name in present
        }
        looks_right = table.lower() in {"jobs", "job"} or "job_id" in present
        # An event's table may have a job_id and a state too; a job's is known by its zip.
        if looks_right and {"id", "state"} <= columns.keys() and "event" not in table.lower():
            return table, columns
    return None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _zip_path(job_id: str, text: str, paths: Paths, base: Path) -> Path | None:
    candidates = []
    if text:
        candidates = [base / text, base.parent / text, Path.cwd() / text]
    names = [Path(text).name] if text else []
    for name in (*names, f"{job_id}.zip"):
        candidates += [paths.running / name, paths.queue / name]
    return next((path for path in candidates if _is_file(path)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.suffix == ".zip" and path.is_file() and not path.is_symlink()
    except (OSError, ValueError):
        return False
