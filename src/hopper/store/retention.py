"""History: terminal jobs that have left the live file, in one TinyDB file a month."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hopper.model.attempt import Remains
from hopper.model.job import Job
from hopper.store.codec import encode
from hopper.store.collection import key_of
from hopper.store.documents import DocumentFile, read_documents, write_documents
from hopper.store.files import make_folder
from hopper.store.schema import SCHEMA, upgraded
from hopper.store.values import from_bytes, to_bytes

HISTORY = "history"
_TABLE = "jobs"
_PATIENCE = 3
"""How many times the retention a job stays for remains on a worker that never come clean."""


def ended_at(job: Job) -> datetime:
    """Return when a terminal job came to its end."""
    return job.state_since or job.submitted_at


def jobs_to_retire(jobs: Mapping[str, Job], now: datetime, keep: timedelta) -> list[Job]:
    """Return the jobs whose time in the live file is over.

    Those stay that an unfinished job comes after, those of a run of which some stay, and, for a
    while, those that have left something on a worker that is still to be cleaned away.
    """
    needed = {other for job in jobs.values() if not job.state.terminal for other in job.spec.after}
    over = {
        job.id: job
        for job in jobs.values()
        if job.state.terminal and job.id not in needed and now - ended_at(job) > _stay(job, keep)
    }
    staying = {job.run for job in jobs.values() if job.run and job.id not in over}
    return [job for job in over.values() if job.run not in staying]


def _stay(job: Job, keep: timedelta) -> timedelta:
    clean = all(attempt.remains is Remains.GONE for attempt in job.attempts)
    return keep if clean else keep * _PATIENCE


def archive(folder: Path, jobs: list[Job]) -> None:
    """Write jobs to the files of the months that they ended in. Doing it twice is fine.

    Raises StoreFull, StoreDamaged.
    """
    months: defaultdict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        months[ended_at(job).astimezone(UTC).strftime("%Y-%m")].append(job)
    for month, ended in sorted(months.items()):
        _add(folder / HISTORY / f"{month}.json", ended)


def _add(path: Path, jobs: list[Job]) -> None:
    make_folder(path.parent)
    documents = dict(load(path)) if path.exists() else {}
    ids = {key_of(raw, "id"): doc_id for doc_id, raw in documents.items()}
    fresh = max(documents, default=0) + 1
    for offset, job in enumerate(jobs):
        documents[ids.get(job.id, fresh + offset)] = to_bytes(job)
    write_documents(path, DocumentFile(facts={"schema": SCHEMA}, tables={_TABLE: documents}))


def load(path: Path) -> Mapping[int, bytes]:
    """Return the jobs of a monthly file as JSON bytes; StoreDamaged when it is."""
    way_out = "restore it from a backup, or move it away: only that month's old jobs are lost"
    return upgraded(path, read_documents(path, way_out=way_out)).tables.get(_TABLE, {})


def history_files(folder: Path) -> list[Path]:
    """Return the monthly files, newest first."""
    return sorted((folder / HISTORY).glob("[0-9]*-[0-9]*.json"), reverse=True)


def find(folder: Path, job_id: str) -> Job | None:
    """Return the job of that id from the history, None when it is not there."""
    needle = encode(job_id)
    for path in history_files(folder):
        if needle in path.read_bytes():
            for raw in load(path).values():
                if needle in raw and key_of(raw, "id") == job_id:
                    return from_bytes(Job, raw)
    return None


def archived(folder: Path) -> Iterator[bytes]:
    """Yield all jobs of the history as JSON bytes, the newest months first."""
    for path in history_files(folder):
        yield from load(path).values()
