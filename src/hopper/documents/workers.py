"""Looks at workers as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hopper.ansible.looks import Look


def look_document(seen: Look) -> dict[str, object]:
    """Return what a look at a worker has shown."""
    return {
        "worker": seen.worker,
        "ready": seen.ready,
        "unreachable": seen.unreachable,
        "missing": list(seen.missing),
        "advice": list(seen.advice),
        "made": list(seen.made),
        "inbox": seen.inbox,
        "outbox": seen.outbox,
        "tools": dict(seen.tools),
        "zips": list(seen.zips),
        "clock_skew_seconds": seen.clock_skew,
        "free_bytes": seen.free_bytes,
    }
