"""The files that came home of jobs, to be handed out: nothing but these."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hopper.errors import NotThere
from hopper.model.job import Job

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultAtHome:
    """A result of a job."""

    name: str
    """Below ``paths.inbox``."""
    path: Path
    there: bool
    """It may have been moved or removed since."""
    size: int
    sha256: str


def results_at_home(config: HopperConfig, job: Job) -> list[ResultAtHome]:
    """Return the results of the newest attempt that has any."""
    for attempt in reversed(job.attempts):
        if attempt.results:
            return [
                ResultAtHome(
                    name=result.name,
                    path=config.paths.inbox / result.name,
                    there=_plain_file(config, config.paths.inbox / result.name),
                    size=result.size,
                    sha256=result.sha256,
                )
                for result in attempt.results
            ]
    return []


def result_file(config: HopperConfig, job: Job, name: str) -> Path:
    """Return the file of a result by its name. NotThere where the job has, or had, none such."""
    for attempt in reversed(job.attempts):
        if any(result.name == name for result in attempt.results):
            path = config.paths.inbox / name
            if _plain_file(config, path):
                return path
            raise NotThere(f"{name} of {job.id} is no longer there")
    raise NotThere(f"{job.id} has no result {name!r}")


def _plain_file(config: HopperConfig, path: Path) -> bool:
    """Return True for a file below the inbox that no link leads out of."""
    try:
        inside = path.resolve().is_relative_to(config.paths.inbox.resolve())
        return inside and stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError, RuntimeError):
        return False
