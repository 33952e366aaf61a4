"""What all documents share."""

from __future__ import annotations

from datetime import datetime

Json = dict[str, object]


def iso(moment: datetime | None) -> str | None:
    """Return a time as JSON has it."""
    return moment.isoformat() if moment is not None else None
