"""What a task left, kept at home for tasks that are equal to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredResult:
    """A result at home that may be taken for that of an equal task. Its time is aware UTC."""

    key: str
    """SHA-256 of all that it depends on, those tasks included that the task came after."""
    folder: str
    """Where it lies, below ``paths.inbox``; or beside that, once it was moved aside."""
    owner: str
    """The attempt whose results the folder holds."""
    job: str
    """The job that it lies with."""
    run: str
    attempt: str
    """The attempt that ran; another than the owner where that had taken it itself."""
    worker: str
    """The backend or worker that had it."""
    manifest: str
    """SHA-256 of the list of its files."""
    size: int
    """Bytes of all its files."""
    kept_at: datetime
