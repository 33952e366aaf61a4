"""History: terminal jobs and their runs that have left the live file, in TinyDB files by month.

All of a run lie in the month that it ended in. A month that is over for long goes away whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hopper.model.attempt import Remains
from hopper.model.backend import ClusterRecord, ExternalJob
from hopper.model.job import Job
from hopper.model.run import Run
from hopper.store.codec import encode
from hopper.store.collection import key_of
from hopper.store.documents import (
    DocumentFile,
    read_documents,
    read_facts,
    stream_documents,
    write_documents,
)
from hopper.store.files import make_folder
from hopper.store.schema import SCHEMA, upgraded
from hopper.store.values import from_bytes, to_bytes

HISTORY = "history"
JOBS = ""
RUNS = "runs-"
"""What the names of the monthly files begin with, by what is in them."""
_TABLES = {JOBS: "jobs", RUNS: "runs"}
LOSE_A_MONTH = "restore it from a backup, or move it away: only what is old of that month is lost"
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


def runs_to_retire(
    runs: Mapping[str, Run],
    jobs: Mapping[str, Job],
    leaving: Iterable[Job],
    now: datetime,
    keep: timedelta,
) -> list[Run]:
    """Return the runs that leave with the last of their jobs; ``jobs`` are all that are live.

    Of those that have no jobs any more the age counts.
    """
    leave = {job.id for job in leaving}
    with_jobs = {job.run for job in jobs.values() if job.run}
    staying = {job.run for job in jobs.values() if job.id not in leave}
    return [
        run
        for run in runs.values()
        if run.id not in staying and (run.id in with_jobs or now - run.created_at > keep)
    ]


def externals_to_drop(
    externals: Mapping[str, ExternalJob],
    clusters: Mapping[str, ClusterRecord],
    now: datetime,
    keep: timedelta,
) -> list[str]:
    """Return the ids of jobs of others that are gone for so long, or that nobody sees any more."""
    return [
        key
        for key, job in externals.items()
        if now - (job.gone_at or _last_look(clusters.get(job.backend)) or job.first_seen) > keep
    ]


def _last_look(cluster: ClusterRecord | None) -> datetime | None:
    return cluster.seen_at if cluster is not None else None


def _stay(job: Job, keep: timedelta) -> timedelta:
    clean = all(attempt.remains is Remains.GONE for attempt in job.attempts)
    return keep if clean else keep * _PATIENCE


def archive(folder: Path, jobs: list[Job], runs: Iterable[Run] = ()) -> None:
    """Write jobs and runs to the files of the months that they ended in. May be repeated.

    Raises StoreFull, StoreDamaged.
    """
    ends: dict[str, datetime] = {}
    for job in jobs:
        ends[job.run] = max(ended_at(job), ends.get(job.run, ended_at(job)))
    months: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
    for job in jobs:
        end = ends[job.run] if job.run else ended_at(job)
        months[f"{JOBS}{_month(end)}"][job.id] = to_bytes(job)
    for run in runs:
        end = ends.get(run.id, run.created_at)
        months[f"{RUNS}{_month(end)}"][run.id] = to_bytes(run)
    for name, documents in sorted(months.items()):
        _add(folder / HISTORY / f"{name}.json", documents)


def _month(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m")


def _add(path: Path, added: Mapping[str, bytes]) -> None:
    make_folder(path.parent)
    documents = dict(load(path)) if path.exists() else {}
    ids = {key_of(raw, "id"): doc_id for doc_id, raw in documents.items()}
    fresh = max(documents, default=0) + 1
    for offset, (key, raw) in enumerate(added.items()):
        documents[ids.get(key, fresh + offset)] = raw
    _write(path, documents)


def _write(path: Path, documents: dict[int, bytes]) -> None:
    tables = {_table_of(path): documents}
    write_documents(path, DocumentFile(facts={"schema": SCHEMA}, tables=tables))


def _table_of(path: Path) -> str:
    return _TABLES[RUNS if path.name.startswith(RUNS) else JOBS]


def load(path: Path) -> Mapping[int, bytes]:
    """Return the jobs or runs of a monthly file as JSON bytes; StoreDamaged when it is."""
    content = read_documents(path, way_out=LOSE_A_MONTH)
    return upgraded(path, content).tables.get(_table_of(path), {})


def stream(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the jobs of a monthly file with their numbers there, in little memory.

    Raises StoreDamaged, perhaps only at the end.
    """
    if read_facts(path).get("schema") != SCHEMA:
        yield from load(path).items()
        return
    for table, doc_id, raw in stream_documents(path, way_out=LOSE_A_MONTH):
        if table == _table_of(path):
            yield doc_id, raw


def history_files(folder: Path, kind: str = JOBS) -> list[Path]:
    """Return the monthly files of jobs or runs, newest first."""
    return sorted((folder / HISTORY).glob(f"{kind}[0-9]*-[0-9]*.json"), reverse=True)


def find(folder: Path, job_id: str) -> Job | None:
    """Return the job of that id from the history, None when it is not there."""
    found = (raw for raw in _holding(folder, encode(job_id)) if key_of(raw, "id") == job_id)
    return next((from_bytes(Job, raw) for raw in found), None)


def jobs_of(folder: Path, run_id: str) -> Iterator[Job]:
    """Yield the jobs of a run from the history."""
    for raw in _holding(folder, encode(run_id)):
        job = from_bytes(Job, raw)
        if job.run == run_id:
            yield job


def _holding(folder: Path, needle: bytes) -> Iterator[bytes]:
    """Yield the jobs of the history, as JSON bytes, that hold those bytes."""
    for path in history_files(folder):
        if needle in path.read_bytes():
            yield from (raw for raw in load(path).values() if needle in raw)


def archived(folder: Path, kind: str = JOBS) -> Iterator[bytes]:
    """Yield all jobs or runs of the history as JSON bytes, the newest months first."""
    for path in history_files(folder, kind):
        yield from load(path).values()


def remove_run(folder: Path, run_id: str) -> None:
    """Take a run and its jobs out of the history. May be repeated. StoreFull, StoreDamaged."""
    jobs = {job.id for job in jobs_of(folder, run_id)}
    for kind, gone in ((JOBS, jobs), (RUNS, {run_id})):
        for path in history_files(folder, kind):
            documents = load(path)
            left = {key: raw for key, raw in documents.items() if key_of(raw, "id") not in gone}
            if len(left) < len(documents):
                _write(path, left)


def expired(folder: Path, now: datetime, keep: timedelta) -> list[Path]:
    """Return the monthly files of which all ended longer ago, those of jobs first."""
    files = [*history_files(folder, JOBS), *history_files(folder, RUNS)]
    return [path for path in files if now - _end_of_month(path) > keep]


def _end_of_month(path: Path) -> datetime:
    try:
        first = datetime.strptime(path.stem.removeprefix(RUNS), "%Y-%m").replace(tzinfo=UTC)
        return (first + timedelta(days=31)).replace(day=1)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)  # a file of somebody else's
