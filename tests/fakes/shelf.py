"""Results at home that equal tasks may take, in memory."""

from __future__ import annotations

from hopper.dispatch.shelf import Copied, Kept, ResultGone
from hopper.errors import HopperError
from hopper.model.attempt import Attempt, ResultFile
from hopper.model.job import Job
from hopper.model.stored import StoredResult


class FakeShelf:
    """``gone`` holds attempts whose results are not there any more; ``full`` takes no copies."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.gone: set[str] = set()
        self.copies: list[tuple[str, str]] = []
        """Jobs that took something, and whose."""
        self.full = False

    def keep(self, job: Job, attempt: Attempt) -> Kept | None:
        self.held.add(attempt.id)
        return Kept(folder=f"{job.run}/{job.id}", manifest="ab", size=3)

    def take(self, job: Job, attempt: str, stored: StoredResult) -> Copied:
        if self.full:
            raise HopperError("no room at home")
        if not self.there(stored):
            raise ResultGone(f"what {stored.job} left is gone")
        self.held.add(attempt)
        self.copies.append((job.id, stored.job))
        folder = f"{job.run}/{job.id}"
        return Copied(
            folder=folder, results=(ResultFile(name=f"{folder}/stdout.log", size=3, sha256="ab"),)
        )

    def there(self, stored: StoredResult) -> bool:
        return stored.owner not in self.gone
