"""What a state holds now: its tables as values, and a commit as what is to be written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hopper.model.backend import ClusterRecord, ExternalJob
from hopper.model.event import Event
from hopper.model.job import Job
from hopper.model.run import Run
from hopper.model.stored import StoredResult
from hopper.model.worker import WorkerRecord
from hopper.store.change import Change
from hopper.store.codec import encode
from hopper.store.collection import Collection
from hopper.store.documents import Tables
from hopper.store.values import to_json

if TYPE_CHECKING:
    from hopper.dispatch.changes import Changes


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One small value by key, such as ``paused``."""

    key: str
    value: object


class Live:
    """The tables of a state folder, each seen as values by key."""

    def __init__(self, *, keep: int | None = None) -> None:
        """``keep`` is how many decoded jobs, of ours and of others, are kept at most."""
        self.jobs = Collection(Job, "id", keep=keep)
        self.workers = Collection(WorkerRecord, "name")
        self.runs = Collection(Run, "id")
        self.clusters = Collection(ClusterRecord, "name")
        self.externals = Collection(ExternalJob, "id", keep=keep)
        self.stored = Collection(StoredResult, "key")
        self.settings = Collection(Setting, "key")

    def absorb(self, tables: Tables, touched: Iterable[tuple[str, int]]) -> dict[str, list[str]]:
        """Show these tables from now on; ``touched`` are their documents that have changed.

        Return the keys of the values that have changed or gone, by table, the oldest first.
        """
        changed: defaultdict[str, list[int]] = defaultdict(list)
        for table, doc_id in touched:
            changed[table].append(doc_id)
        keys: dict[str, list[str]] = {}
        for name, collection in (
            ("jobs", self.jobs),
            ("workers", self.workers),
            ("runs", self.runs),
            ("clusters", self.clusters),
            ("externals", self.externals),
            ("stored", self.stored),
            ("settings", self.settings),
        ):
            documents = tables.setdefault(name, {})
            keys[name] = collection.absorb(documents, sorted(changed[name]))
        return {name: found for name, found in keys.items() if found}

    def raw_of(self, table: str, key: str) -> bytes | None:
        """Return a job of ours or of others as JSON bytes, None when there is none."""
        tables = {"jobs": self.jobs.raw_of, "externals": self.externals.raw_of}
        return tables[table](key)

    def change_of(self, changes: Changes, last_seq: int) -> Change:
        """Return a commit in documents; its events are numbered from after ``last_seq``."""
        settings = {key: Setting(key=key, value=value) for key, value in changes.settings.items()}
        put = {
            "jobs": self.jobs.encoded({job.id: job for job in changes.jobs}),
            "workers": self.workers.encoded({worker.name: worker for worker in changes.workers}),
            "runs": self.runs.encoded({run.id: run for run in changes.runs}),
            "clusters": self.clusters.encoded({item.name: item for item in changes.clusters}),
            "externals": self.externals.encoded({job.id: job for job in changes.externals}),
            "stored": self.stored.encoded({item.key: item for item in changes.stored}),
            "settings": self.settings.encoded(settings),
        }
        drop = {
            "jobs": self.jobs.known_ids(changes.forgotten_jobs),
            "runs": self.runs.known_ids(changes.forgotten_runs),
            "externals": self.externals.known_ids(changes.forgotten_externals),
            "stored": self.stored.known_ids(changes.forgotten_results),
        }
        return Change.of(put=put, drop=drop, events=_numbered(changes.events, last_seq))

    def without(self, jobs: Iterable[str], runs: Iterable[str], externals: Iterable[str]) -> Change:
        """Return what takes these away, by their ids."""
        drop = {
            "jobs": self.jobs.known_ids(jobs),
            "runs": self.runs.known_ids(runs),
            "externals": self.externals.known_ids(externals),
        }
        return Change.of(drop=drop)

    def keep(self, changes: Changes) -> None:
        """Hand out the very values of a commit, which has just been stored and absorbed."""
        self.jobs.keep({job.id: job for job in changes.jobs if job.id in self.jobs})
        self.workers.keep({worker.name: worker for worker in changes.workers})
        self.runs.keep({run.id: run for run in changes.runs if run.id in self.runs})


def _numbered(events: tuple[Event, ...], last: int) -> list[bytes]:
    return [
        encode({**to_json(event), "seq": seq}) for seq, event in enumerate(events, start=last + 1)
    ]
