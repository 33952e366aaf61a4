"""A part of an attempt's log: from home, or from where the job runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hopper.errors import NotThere, UsageError
from hopper.model.attempt import Attempt
from hopper.model.job import Job, Origin
from hopper.operations.log_asking import far_end
from hopper.operations.log_text import last_lines
from hopper.operations.whereabouts import log_at_home, system_words

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Which part of a log is meant."""

    attempt: int | None = None
    """Its number; None for the newest."""
    errors: bool = False
    """The standard error of a run's task, which has it apart."""
    offset: int = 0
    """The first byte; below 0: counted from the end."""
    limit: int
    """Bytes at most."""
    tail: int | None = None
    """Only so many lines of the end, as far as they lie in the last ``limit`` bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A part of a log. Offsets are those in the whole log, of which not all may be at home."""

    attempt: int
    content: bytes
    offset: int
    size: int
    """Of the whole log, as far as it is known."""
    growing: bool
    """The job may write more."""


def read_piece(config: HopperConfig, job: Job, place: Place) -> Piece:
    """Return a part of a job's log. Blocks.

    NotThere where there is none, UsageError for what can have none, NoContact where the worker
    or backend does not answer.
    """
    attempt = _attempt(job, place)
    path = log_at_home(config, job, attempt, errors=place.errors)
    if attempt.open and path is None:
        return _tail(_from_afar(config, job, attempt, place), place)
    if path is None or not path.stat().st_size:
        own = system_words(config, job, attempt) if place.errors else None
        path = own or path
    if path is None:
        raise NotThere(f"the log of attempt {attempt.number} of {job.id} did not come home")
    return _tail(_from_home(path, attempt, place), place)


def _attempt(job: Job, place: Place) -> Attempt:
    if job.origin is Origin.EXTERNAL:
        raise NotThere(f"{job.id} was launched by somebody else; hopper has no log of it")
    if place.errors and job.task is None:
        raise UsageError(f"{job.id} has its standard error in its log", way_out="ask for that")
    if not job.attempts:
        raise NotThere(f"{job.id} is {job.state} and has not run")
    if place.attempt is None:
        return job.attempts[-1]
    found = next((one for one in job.attempts if one.number == place.attempt), None)
    if found is None:
        raise NotThere(f"{job.id} has no attempt {place.attempt}")
    return found


def _first(place: Place) -> int:
    return -place.limit if place.tail is not None else place.offset


def _from_home(path: Path, attempt: Attempt, place: Place) -> Piece:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        whole = max(size, attempt.error_bytes if place.errors else attempt.log_bytes)
        # What is at home is the end of it.
        base, first = whole - size, _first(place)
        start = max(0, size + first) if first < 0 else min(size, max(0, first - base))
        file.seek(start)
        content = file.read(place.limit)
    return Piece(
        attempt=attempt.number,
        content=content,
        offset=base + start,
        size=whole,
        growing=attempt.open,
    )


def _from_afar(config: HopperConfig, job: Job, attempt: Attempt, place: Place) -> Piece:
    far = far_end(config, job, place.limit)
    try:
        part = far.part(job, attempt, _first(place), errors=place.errors)
    finally:
        far.close()
    return Piece(
        attempt=attempt.number,
        content=part.text.encode("latin-1") if part is not None else b"",
        offset=part.offset if part is not None else 0,
        size=part.size if part is not None else 0,
        growing=True,
    )


def _tail(piece: Piece, place: Place) -> Piece:
    if place.tail is None:
        return piece
    found = last_lines(piece.content, place.tail)
    content = piece.content if found is None else found
    return Piece(
        attempt=piece.attempt,
        content=content,
        offset=piece.offset + len(piece.content) - len(content),
        size=piece.size,
        growing=piece.growing,
    )
