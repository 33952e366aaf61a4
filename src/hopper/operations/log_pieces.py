"""Parts of an attempt's log by place, from home once it is there, else from where the job runs.

Places are counted from the log's own beginning, though of a long one only the end comes home.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hopper.config.model import HopperConfig
from hopper.errors import NotThere, UsageError
from hopper.model.attempt import Attempt
from hopper.model.job import Job, Origin
from hopper.model.orders import LogPart
from hopper.operations.whereabouts import log_at_home, system_words


class Far(Protocol):
    """What gives parts of logs from where a job runs."""

    def part(self, job: Job, attempt: Attempt, offset: int, *, errors: bool) -> LogPart | None:
        """Return the log from an offset on (below 0: from its end); NoContact."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A part of a log."""

    start: int
    """The place of its first byte."""
    content: bytes
    size: int
    """How long the log was then."""
    first: int = 0
    """The place of the first byte that can be had."""
    live: bool = False
    """More may come."""
    remark: str = ""

    @property
    def end(self) -> int:
        """The place after its last byte."""
        return self.start + len(self.content)


def attempt_of(job: Job, number: int | None) -> Attempt | None:
    """Return an attempt by its number, or the newest; None where it has not run.

    NotThere for no such attempt, UsageError for a job that hopper has no log of.
    """
    if job.origin is Origin.EXTERNAL:
        raise UsageError(f"{job.id} was launched by somebody else; hopper has no log of it")
    if number is None:
        return job.attempt
    found = next((one for one in job.attempts if one.number == number), None)
    if found is None:
        raise NotThere(f"{job.id} has no attempt {number}")
    return found


def file_at_home(
    config: HopperConfig, job: Job, attempt: Attempt, *, errors: bool
) -> tuple[Path | None, str]:
    """Return an attempt's log at home, and a remark on it.

    Where it wrote no errors, that is what the batch system itself said, if it said something.
    """
    path = log_at_home(config, job, attempt, errors=errors)
    if errors and (path is None or not path.stat().st_size):
        words = system_words(config, job, attempt)
        if words is not None:
            return words, "It wrote no errors; this is what the batch system itself said."
    return path, ""


def is_live(attempt: Attempt, path: Path | None) -> bool:
    """Return True where the log is still where the job runs."""
    return attempt.open and path is None


def piece_at_home(path: Path, total: int, start: int | None, limit: int, remark: str) -> Piece:
    """Return a part of a log at home.

    Args:
        path: the file, which may have no more than the end of the log.
        total: the log's own length.
        start: the place of the first byte; None for the end of the log.
        limit: bytes at most.
        remark: what is to be said of it.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        base = max(0, total - size)
        place = max(0, size - limit) if start is None else min(max(0, start - base), size)
        file.seek(place)
        content = file.read(limit)
    if base and not remark:
        remark = f"Only the last {size} of {total} bytes came home."
    return Piece(start=base + place, content=content, size=base + size, first=base, remark=remark)


def piece_from_afar(
    far: Far, job: Job, attempt: Attempt, *, errors: bool, start: int | None, limit: int
) -> Piece:
    """Return a part of a log from where its job runs; ``start`` as above. NoContact."""
    part = far.part(job, attempt, -limit if start is None else start, errors=errors)
    if part is None:
        return Piece(start=start or 0, content=b"", size=start or 0, live=True)
    content = part.text.encode("latin-1")[:limit]
    return Piece(start=part.offset, content=content, size=part.size, live=True)
