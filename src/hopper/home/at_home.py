"""The files at home, as the dispatcher needs them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

from hopper.config.job_file import read_job_file
from hopper.config.model import HopperConfig
from hopper.dispatch.ports import Arrival, Refusal
from hopper.dispatch.shelf import Copied, Kept
from hopper.errors import HopperError, RejectedZip, UsageError
from hopper.home import results, shelf
from hopper.home.archive import ZipFacts, inspect
from hopper.home.files import HomeTrouble, MissingZip, exists, move_new, trouble
from hopper.home.folders import Folders
from hopper.home.queue import ChangedZip, Dropped
from hopper.home.task_results import land_task
from hopper.model.attempt import Attempt, ResultFile
from hopper.model.ids import JOB_ID, new_job_id
from hopper.model.job import Job, JobSpec
from hopper.model.orders import Collected
from hopper.model.stored import StoredResult

SHORT_LOOK = 0.05
"""Seconds that a tick waits for zips to be looked into."""
LOGS = "logs"
"""The folder in ``paths.db`` where the logs of attempts come home to."""


class FilesAtHome:
    """Folders, zips, results and logs at home. Zips are looked into in a thread of its own."""

    def __init__(self, config: HopperConfig) -> None:
        self._config = config
        self._folders = Folders(config.paths, config.poll.settle_seconds)
        self._folders.make()
        self._looking: dict[str, tuple[Dropped, Future[Arrival | Refusal]]] = {}
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="zips")

    def arrivals(self, known: Collection[str]) -> Sequence[Arrival | Refusal]:
        """Return the zips that have settled in the queue folder and been looked into."""
        for dropped in self._folders.queue.settled(
            time.monotonic(),
            time.time(),
            known=lambda name: name.removesuffix(".zip") in known,
        ):
            if dropped.name not in self._looking:
                look = self._pool.submit(self._look_into, dropped)
                self._looking[dropped.name] = (dropped, look)
        # Small zips are looked into before a blink; they need not wait for the next tick.
        wait([look for _, look in self._looking.values()], timeout=SHORT_LOOK)
        return [
            arrival
            for name, (dropped, look) in list(self._looking.items())
            if look.done() and (arrival := self._settle(name, dropped, look)) is not None
        ]

    def _look_into(self, dropped: Dropped) -> Arrival | Refusal:
        stem = dropped.name[: -len(".zip")]
        name = stem.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        try:
            facts = self.inspect(dropped.path)
            spec = self.spec_of(facts, name)
        except RejectedZip as error:
            job_id = new_job_id(name, secrets.choice)
            return Refusal(job_id=job_id, name=name, zip_name="", reason=str(error))
        return arrival(new_job_id(spec.name, secrets.choice), spec, dropped.name, facts)

    def _settle(
        self, name: str, dropped: Dropped, look: Future[Arrival | Refusal]
    ) -> Arrival | Refusal | None:
        del self._looking[name]
        try:
            arrived = look.result()
            if isinstance(arrived, Refusal):
                moved = self._folders.reject(dropped, arrived.reason)
                return replace(arrived, zip_name=moved.name)
            self._folders.queue.claim(dropped, arrived.zip_name)
        except ChangedZip:
            return None
        except (HomeTrouble, MissingZip):
            # Taken away while it was looked into; what is there will settle anew.
            if exists(dropped.path):
                raise
            return None
        return arrived

    def inspect(self, path: Path) -> ZipFacts:
        """Look into a zip; RejectedZip where it is not fit to be sent."""
        return inspect(
            path, self._config.zips, needs_run_job=self._config.dispatch.launch.needs_run_job
        )

    def spec_of(self, facts: ZipFacts, name: str) -> JobSpec:
        """Return what a zip says of its job; RejectedZip where it says it wrongly."""
        spec = JobSpec(name=name, retries=self._config.dispatch.retries)
        if facts.job_file is None:
            return spec
        try:
            return read_job_file(facts.job_file).over(spec)
        except HopperError as error:
            raise RejectedZip(str(error)) from error

    def arriving(self) -> float | None:
        """Return the seconds until a zip may have settled, or has been looked into."""
        if self._looking:
            return 0.05
        due = self._folders.queue.next_settle
        return None if due is None else max(0.0, due - time.monotonic())

    def hand_in(self, source: Path, job_id: str) -> Path:
        """Copy a zip into the queue, hidden until ``accept``; return the copy."""
        return self._folders.queue.bring_in(source, f".{job_id}.zip")

    def accept(self, job_id: str) -> None:
        """Make a handed-in zip visible under its job's name; may be repeated."""
        if JOB_ID.match(job_id) is None:
            raise UsageError(f"{job_id!r} is no job id")
        queue = self._config.paths.queue
        hidden, shown = queue / f".{job_id}.zip", queue / f"{job_id}.zip"
        with trouble(f"cannot take in {hidden}"):
            if exists(hidden):
                move_new(hidden, shown)

    def place(self, job: Job) -> None:
        """Bring a job's zip to the folder that its state says."""
        self._folders.place(job)

    def path(self, job: Job) -> Path:
        """Return where a job's zip lies when it is in its place."""
        return self._folders.path_for(job)

    def incoming(self) -> Path:
        """Return the folder through which results come in."""
        return self._config.paths.inbox / results.INCOMING

    def land(self, job: Job, files: Sequence[Collected]) -> tuple[ResultFile, ...]:
        """Give verified results their names at home, and the log its place."""
        if job.task is not None:
            return land_task(self._config.paths.inbox, job, files)
        remote = job.remote_name or job.id
        wanted = {
            _home_name(job, remote, file): file for file in files if file.kind in {"result", "tar"}
        }
        incoming = [
            results.Incoming(path=Path(file.path), name=name, size=file.size, sha256=file.sha256)
            for name, file in wanted.items()
        ]
        landed = results.land(incoming, self._config.paths.inbox)
        for file in files:
            if file.kind == "log":
                self._keep_log(job, file)
        return tuple(
            replace(result, remote_name=file.name if file.kind == "result" else "")
            for result, file in zip(landed, wanted.values(), strict=True)
        )

    def _keep_log(self, job: Job, file: Collected) -> None:
        target = log_path(self._config, job.id, file.attempt)
        with trouble(f"cannot keep the log of {job.id}"):
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            Path(file.path).replace(target)

    def keep(self, job: Job, attempt: Attempt) -> Kept | None:
        """Make an attempt's result fit to be taken by equal tasks."""
        return shelf.keep(self._config.paths.inbox, job, attempt)

    def take(self, job: Job, attempt: str, stored: StoredResult) -> Copied:
        """Copy a stored result to where the job's own would lie."""
        return shelf.take(self._config.paths.inbox, job, attempt, stored)

    def there(self, stored: StoredResult) -> bool:
        """Return False when a stored result is gone."""
        return shelf.place_of(self._config.paths.inbox, stored) is not None

    def write_reason(self, job: Job) -> None:
        """Write why a job failed beside its zip."""
        self._folders.write_reason(job, job.reason)

    def free_bytes(self) -> int:
        """Return the free space where results come home to."""
        return self._folders.free_bytes()

    def purge(self, keep: Collection[str]) -> None:
        """Remove what came in for attempts that are over."""
        results.purge_incoming(self._config.paths.inbox, keep)
        self._folders.purge_leftovers(time.time())


def arrival(
    job_id: str, spec: JobSpec, source_name: str, facts: ZipFacts, backend: str = ""
) -> Arrival:
    """Return a zip that is fit to be sent as an arrival."""
    return Arrival(
        job_id=job_id,
        spec=spec,
        zip_name=f"{job_id}.zip",
        source_name=source_name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
        size=facts.size,
        sha256=facts.sha256,
        unpacked_size=facts.unpacked_size,
        backend=backend,
    )


def log_path(config: HopperConfig, job_id: str, attempt_id: str) -> Path:
    """Return where an attempt's log lies at home once it is over."""
    return config.paths.db / LOGS / job_id / f"{attempt_id}.log"


def _home_name(job: Job, remote: str, file: Collected) -> str:
    """Return a result's name at home: the job's id in place of the remote name, nothing odd."""
    name = f"{remote}.zip" if file.kind == "tar" else file.name
    tail = name.removeprefix(remote)
    clean = "".join(c if c.isprintable() and c != "/" else "_" for c in tail)
    return f"{job.id}{clean}" or f"{job.id}.zip"
