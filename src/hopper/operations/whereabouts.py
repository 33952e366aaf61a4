"""Where at home the results and logs of a job lie."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from hopper.config.model import HopperConfig
from hopper.model.attempt import Attempt
from hopper.model.job import Job
from hopper.model.places import task_folder


def result_paths(config: HopperConfig, job: Job) -> list[Path]:
    """Return where the results of the newest attempt that has any lie; they may have been moved."""
    for attempt in reversed(job.attempts):
        if attempt.results:
            return [config.paths.inbox / result.name for result in attempt.results]
    return []


def log_at_home(
    config: HopperConfig, job: Job, attempt: Attempt, *, errors: bool = False
) -> Path | None:
    """Return an attempt's log once it has come home; ``errors``: that of a task's errors."""
    from hopper.home.at_home import log_path

    if job.task is not None:
        path = _task_log(config, job, attempt, "errors" if errors else "log")
    else:
        path = log_path(config, job.id, attempt.id)
    return path if path is not None and path.is_file() else None


def logs_at_home(config: HopperConfig, job: Job) -> dict[str, Path]:
    """Return the logs of a job's attempts that have come home, by attempt."""
    found = {attempt.id: log_at_home(config, job, attempt) for attempt in job.attempts}
    return {attempt: path for attempt, path in found.items() if path is not None}


def system_words(config: HopperConfig, job: Job, attempt: Attempt) -> Path | None:
    """Return what the batch system itself said of an attempt, where it has come home."""
    path = _task_log(config, job, attempt, "system") if job.task is not None else None
    return path if path is not None and path.is_file() else None


def _task_log(config: HopperConfig, job: Job, attempt: Attempt, kind: str) -> Path | None:
    """Return where a log of a task's attempt lies: the newest in its folder, others aside."""
    from hopper.home.task_results import LOG_NAMES, OWNER

    folder = task_folder(config.paths.inbox, job)
    aside = sorted(folder.parent.glob(f"{glob.escape(folder.name)}.try*"))
    for place in (folder, *aside):
        try:
            owner = (place / OWNER).read_text("utf-8").strip()
        except OSError:
            continue
        if owner == attempt.id:
            return place / LOG_NAMES[kind]
    return None


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last lines of a log, as text."""
    with path.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 400 * count))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return lines[-count:]
