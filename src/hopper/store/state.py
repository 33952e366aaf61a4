"""The state of one hopper: live jobs, workers, settings and events, in a state folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from hopper.model.backend import ClusterRecord, ExternalJob
from hopper.model.event import Event
from hopper.model.job import Job
from hopper.model.run import Run
from hopper.model.stored import StoredResult
from hopper.model.worker import WorkerRecord
from hopper.store import retention
from hopper.store.errors import StoreError
from hopper.store.eventfiles import EVENTS, EventFilter, last_seq, read_events
from hopper.store.follow import Follower
from hopper.store.journal import DEFAULT_LIMITS, Journal, Limits
from hopper.store.live import Live
from hopper.store.lock import StateLock
from hopper.store.upkeep import Upkeep, attempt, clear
from hopper.store.values import from_bytes, from_json, utc_text

if TYPE_CHECKING:
    from hopper.dispatch.changes import Changes

RETENTION_EVERY = timedelta(hours=1)


class StateStore:
    """Open with ``StateStore.open``. One writer, any number of readers, in any processes.

    Not for several threads at once. The mappings are live: they change with ``commit`` and
    ``refresh``; the values in them never do.
    """

    def __init__(
        self,
        folder: Path,
        source: Journal | Follower,
        lock: StateLock | None,
        *,
        keep: int | None = None,
    ) -> None:
        self.folder = folder
        self._source = source
        self._lock = lock
        self._live = Live(keep=keep)
        self._last_retention: datetime | None = None
        self._absorb((table, doc_id) for table, ids in source.tables.items() for doc_id in ids)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        readonly: bool = False,
        lock: StateLock | None = None,
        limits: Limits = DEFAULT_LIMITS,
        keep: int | None = None,
    ) -> StateStore:
        """Open the state folder; for writing it is made where there is none.

        Writing takes the folder's lock, unless the caller has it and passes it on, and lets
        it go at ``close``. A reader takes no lock, changes no file, and shows an empty state
        where there is none yet; ``keep`` is how many decoded jobs it keeps at most, for one
        that stays for long. Raises LockHeld, StoreDamaged, StoreTooNew, StoreFull.
        """
        if readonly:
            reader = Follower(folder)
            reader.load()
            return cls(folder, reader, None, keep=keep)
        own = None if lock is not None else StateLock.acquire(folder)
        try:
            return cls(folder, Journal.open(folder, limits=limits), own)
        except BaseException:
            if own is not None:
                own.release()
            raise

    @property
    def jobs(self) -> Mapping[str, Job]:
        """The live jobs by id."""
        return self._live.jobs

    @property
    def workers(self) -> Mapping[str, WorkerRecord]:
        """What is remembered of workers, by name."""
        return self._live.workers

    @property
    def runs(self) -> Mapping[str, Run]:
        """The live runs by id."""
        return self._live.runs

    @property
    def clusters(self) -> Mapping[str, ClusterRecord]:
        """What was last seen of clusters besides our own jobs, by backend."""
        return self._live.clusters

    @property
    def externals(self) -> Mapping[str, ExternalJob]:
        """The jobs of others on clusters, by id."""
        return self._live.externals

    @property
    def stored(self) -> Mapping[str, StoredResult]:
        """The results that equal tasks may take, by key."""
        return self._live.stored

    @property
    def settings(self) -> Mapping[str, object]:
        """Small values by key."""
        return {setting.key: setting.value for setting in self._live.settings.values()}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was dropped when the store was opened: unfinished commits of a crash."""
        return tuple(self._source.warnings)

    @property
    def last_seq(self) -> int:
        """The number of the newest event, 0 when there is none."""
        if isinstance(self._source, Journal):
            return self._source.events.last_seq
        return last_seq(self.folder / EVENTS)

    @property
    def seen_seq(self) -> int:
        """The number of the newest event of what is shown: for a reader, at its last look."""
        if isinstance(self._source, Journal):
            return self._source.events.last_seq
        return self._source.seq

    def raw_jobs(self) -> Iterator[bytes]:
        """Yield the live jobs as JSON bytes, for those who need little of each."""
        return self._live.jobs.raw()

    def raw_externals(self) -> Iterator[bytes]:
        """Yield the jobs of others on clusters as JSON bytes."""
        return self._live.externals.raw()

    def raw_of(self, table: str, key: str) -> bytes | None:
        """Return one of ``jobs`` or ``externals`` as JSON bytes; None when there is none."""
        return self._live.raw_of(table, key)

    def job(self, job_id: str) -> Job | None:
        """Return the job of that id, live or from the history; None when there is none."""
        return self._live.jobs.get(job_id) or retention.find(self.folder, job_id)

    def run(self, run_id: str) -> Run | None:
        """Return the run of that id, live or from the history; None when there is none."""
        old = (run for run in self.history_runs() if run.id == run_id)
        return self._live.runs.get(run_id) or next(old, None)

    def jobs_of(self, run_id: str) -> list[Job]:
        """Return the jobs of a run in the order in which they came, live or from the history."""
        live = [job for job in self._live.jobs.values() if job.run == run_id]
        return live or list(retention.jobs_of(self.folder, run_id))

    def history_runs(self) -> Iterator[Run]:
        """Yield the runs of the history, the newest months first."""
        return (from_bytes(Run, raw) for raw in retention.archived(self.folder, retention.RUNS))

    def history(self) -> Iterator[Job]:
        """Yield the jobs of the history, the newest months first."""
        return (from_bytes(Job, raw) for raw in retention.archived(self.folder))

    def commit(self, changes: Changes) -> None:
        """Make the changes durable: on return they are on disk, all of them or, on error, none.

        Raises StoreFull when the disk is, StoreError when the store is read-only or a value
        does not fit.
        """
        writer = self._writer()
        change = self._live.change_of(changes, writer.events.last_seq)
        for run_id in changes.forgotten_runs:
            if run_id not in self.runs:
                retention.remove_run(self.folder, run_id)
        writer.commit(change)
        self._absorb(change.touched())
        self._live.keep(changes)

    def refresh(self) -> bool:
        """Take in what the writer has committed since; return whether there was anything."""
        return bool(self.look())

    def look(self) -> Mapping[str, list[str]]:
        """Take in what the writer has committed since.

        Return the keys of what has changed or gone since, by table (``jobs``, ``runs`` …); no
        value is decoded. Events alone, without a change, show in ``seen_seq``. Where it raises,
        what is shown is as it was, but for what could still be read, and it may be called again.
        """
        if isinstance(self._source, Journal):
            return {}
        try:
            return self._absorb(self._source.refresh())
        except (StoreError, OSError):
            self._absorb(self._source.unheard)
            raise

    def events(
        self,
        *,
        job: str | None = None,
        since: datetime | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> Iterator[Event]:
        """Yield events in order, the oldest first; at most ``limit``.

        ``after`` is the number of the last one that the caller has seen, so calling again
        with it tails the events. Raises StoreDamaged where a segment is not what it was.
        """
        wanted = EventFilter(after=after, job=job, since=utc_text(since) if since else "")
        found = read_events(self.folder / EVENTS, wanted)
        return (from_json(Event, document) for _, document in islice(found, limit))

    def maintain(
        self,
        now: datetime,
        *,
        keep: timedelta | None = None,
        history: timedelta | None = None,
        on_gone: Callable[[Job], None] = lambda _: None,
    ) -> Upkeep:
        """Do what is due of the upkeep: seal event segments, retire old jobs, fold the journal.

        For idle moments. ``keep`` is how long terminal jobs stay live, ``history`` how long
        after its end a month stays in the history, None for ever; ``on_gone`` is told of each
        job that goes away with one. A failure is logged and reported, and nothing that was
        committed suffers.
        """
        writer = self._writer()
        problems: list[str] = []
        sealed = attempt(problems, "sealing events", writer.events.seal)
        retired = gone = 0
        if keep is not None and self._retention_due(now):
            retired = attempt(problems, "retiring jobs", lambda: self._retire(now, keep))
            if history is not None:
                old = retention.expired(self.folder, now, history)
                gone = attempt(problems, "clearing the history", lambda: clear(old, on_gone))
        folded = writer.fold_due and attempt(problems, "folding the journal", writer.fold, 1) == 1
        return Upkeep(
            sealed=sealed, retired=retired, gone=gone, folded=folded, problems=tuple(problems)
        )

    def compact(self) -> None:
        """Fold the journal and seal all closed event segments now. StoreFull or StoreError."""
        writer = self._writer()
        writer.events.seal()
        writer.fold()

    def close(self) -> None:
        """Fold what is to be folded, let go of files and of the lock."""
        self._source.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> StateStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _writer(self) -> Journal:
        if not isinstance(self._source, Journal):
            raise StoreError(f"{self.folder} is open for reading only")
        return self._source

    def _absorb(self, touched: Iterable[tuple[str, int]]) -> Mapping[str, list[str]]:
        return self._live.absorb(self._source.tables, touched)

    def _retention_due(self, now: datetime) -> bool:
        last = self._last_retention
        return last is None or now - last >= RETENTION_EVERY

    def _retire(self, now: datetime, keep: timedelta) -> int:
        self._last_retention = now
        live = self._live
        old = retention.jobs_to_retire(live.jobs, now, keep)
        runs = retention.runs_to_retire(live.runs, live.jobs, old, now, keep)
        others = retention.externals_to_drop(live.externals, live.clusters, now, keep)
        if old or runs or others:
            # First there, then not here: a crash between leaves a job in both, the live one wins.
            retention.archive(self.folder, old, runs)
            change = live.without([job.id for job in old], [run.id for run in runs], others)
            self._writer().commit(change)
            self._absorb(change.touched())
        return len(old)
