"""The port of the results at home that equal tasks may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hopper.errors import HopperError
from hopper.model.attempt import Attempt, ResultFile
from hopper.model.job import Job
from hopper.model.stored import StoredResult


class ResultGone(HopperError):
    """A stored result is not there any more, or is not what it was."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """Where a result lies, and what of it can be checked."""

    folder: str
    manifest: str
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Copied:
    """A result that was copied for a job."""

    folder: str
    """Where, below ``paths.inbox``."""
    results: tuple[ResultFile, ...]


class Shelf(Protocol):
    """The results at home that equal tasks may take."""

    def keep(self, job: Job, attempt: Attempt) -> Kept | None:
        """Make an attempt's result fit to be taken. None where it is not one that can be."""

    def take(self, job: Job, attempt: str, stored: StoredResult) -> Copied:
        """Copy a result to where the job's own would lie, as that attempt's; may be repeated.

        ResultGone where it is not what it was; another HopperError where it cannot be copied.
        """

    def there(self, stored: StoredResult) -> bool:
        """Return False when a result is gone; its content is not looked at."""


class NoShelf:
    """For those that never see a task end."""

    def keep(self, job: Job, attempt: Attempt) -> Kept | None:  # noqa: ARG002 - the port's names
        """Keep nothing."""
        return None

    def take(self, job: Job, attempt: str, stored: StoredResult) -> Copied:
        """Refuse."""
        raise HopperError(f"no result is taken here ({job.id}, {attempt}, {stored.key})")

    def there(self, stored: StoredResult) -> bool:  # noqa: ARG002 - the port's names
        """Say nothing against it."""
        return True
