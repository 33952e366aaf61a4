"""Zips of tasks for the workers, made when their turn has come.

Such a zip follows from the state and the files at home alone: one that is lost is made anew, and
one that a crash left is replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

from hopper.config.model import Paths
from hopper.dispatch.ports import ReadyZip
from hopper.errors import UsageError
from hopper.home.files import sha256, trouble
from hopper.home.pack import pack_task
from hopper.model.job import Job
from hopper.model.run import Run
from hopper.model.task import INPUTS, WORK, Task

PACKED = "packed"
"""The folder in ``paths.db`` of zips that are on their way."""
SHORT_WAIT = 0.05
"""Seconds that a tick waits for a zip; a large one is ready at a later tick."""

Script = Callable[[Job, Run | None], str]
"""Returns the ``run_job.sh`` of a job's open attempt. HopperError where it cannot be written."""


class PackedTasks:
    """The zips of tasks that are on their way. Packing is done in a thread of its own."""

    def __init__(self, paths: Paths, script: Script) -> None:
        self._folder = paths.db / PACKED
        self._script = script
        self._made: dict[str, tuple[str, Future[ReadyZip]]] = {}
        """The attempt that a job's zip is of, and the zip."""
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="packing")

    def zip_of(self, job: Job, run: Run | None) -> ReadyZip | None:
        """Return the zip of a job's open attempt; None while it is being made."""
        attempt, task = job.open_attempt, job.task
        if attempt is None or task is None:
            raise UsageError(f"{job.id} has no attempt or no task to be packed")
        known = self._made.get(job.id)
        if known is None or known[0] != attempt.id:
            _check(task)
            clone = _clone(task, run)
            packing = self._pool.submit(self._pack, job.id, task, self._script(job, run), clone)
            known = self._made[job.id] = (attempt.id, packing)
        wait([known[1]], timeout=SHORT_WAIT)
        if not known[1].done():
            return None
        try:
            return known[1].result()
        except BaseException:
            del self._made[job.id]
            raise

    def _pack(self, job_id: str, task: Task, script: str, clone: Path | None) -> ReadyZip:
        path = self._path(job_id)
        with trouble(f"cannot pack {job_id} in {self._folder}"):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            unpacked = pack_task(script, members(task), clone, path)
            size, digest = path.stat().st_size, sha256(path)
        return ReadyZip(path=path, size=size, sha256=digest, unpacked_size=unpacked)

    def drop(self, job: Job) -> None:
        """Remove a job's zip; one that is being made goes when it is next asked for."""
        self._made.pop(job.id, None)
        with suppress(OSError):
            self._path(job.id).unlink(missing_ok=True)

    def close(self) -> None:
        """Wait for what is being packed."""
        self._pool.shutdown()

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.zip"


def members(task: Task) -> dict[str, Path]:
    """Return the files of a task's zip by their names there."""
    folder = f"{WORK}/{task.working_dir}" if task.own_folder else INPUTS
    return {f"{folder}/{name}": Path(path) for path, name in task.input_pairs}


def _clone(task: Task, run: Run | None) -> Path | None:
    """Return the clone at home that a task runs in a copy of; None where there is none."""
    if run is None or run.git is None or not task.own_folder:
        return None
    folder = Path(run.git.folder)
    if not folder.is_dir():
        raise UsageError(f"the clone {folder} is gone", way_out="run the workflow anew")
    return folder


def _check(task: Task) -> None:
    sums = dict(zip(task.input_pairs, task.input_sums, strict=False))
    for path, name in task.input_pairs:
        try:
            with Path(path).open("rb") as file:
                file.read(1)
            changed = (path, name) in sums and sha256(Path(path)) != sums[path, name]
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(f"the input {path} cannot be read: {reason}") from error
        if changed:
            # Its result would be kept as that of what the input was.
            raise UsageError(
                f"the input {path} has changed since the run was made",
                way_out="run the workflow anew",
            )
