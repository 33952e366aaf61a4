"""Where at home the results and logs of a job lie."""

from __future__ import annotations

import os
from pathlib import Path

from hopper.config.model import HopperConfig
from hopper.model.attempt import Attempt
from hopper.model.job import Job


def result_paths(config: HopperConfig, job: Job) -> list[Path]:
    """Return where the results of the newest attempt that has any lie; they may have been moved."""
    for attempt in reversed(job.attempts):
        if attempt.results:
            return [config.paths.inbox / result.name for result in attempt.results]
    return []


def log_at_home(config: HopperConfig, job: Job, attempt: Attempt) -> Path | None:
    """Return an attempt's log once it has come home."""
    from hopper.home.at_home import log_path

    path = log_path(config, job.id, attempt.id)
    return path if path.is_file() else None


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last lines of a log, as text."""
    with path.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 400 * count))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return lines[-count:]
