"""A worker: an inventory host that takes zip jobs through its Inbox and Outbox."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Worker:
    """What the inventory says of a worker (host variables ``hopper_*``)."""

    name: str
    address: str = ""
    """For people: user, host and port as the inventory has them."""
    inbox: str = "~/Inbox"
    """A leading ``~`` is expanded on the worker."""
    outbox: str = "~/Outbox"
    slots: int = 1
    """How many jobs it takes at a time."""
    gpus: int = 0
    """Shared out evenly over the slots."""
    tags: frozenset[str] = frozenset()
    drained: bool = False
    """Takes no new jobs; those it has are followed to their end."""

    def slot_gpus(self, slot: int) -> tuple[int, ...]:
        """Return the GPU indices that a slot has to itself (shared where they are too few)."""
        if not self.gpus:
            return ()
        if self.gpus < self.slots:
            return (slot % self.gpus,)
        return tuple(range(slot * self.gpus // self.slots, (slot + 1) * self.gpus // self.slots))


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerRecord:
    """What hopper has seen of a worker and remembers over a restart. Times are aware UTC."""

    name: str
    last_contact: datetime | None = None
    no_contact_since: datetime | None = None
    """Set while it cannot be reached."""
    contact_error: str = ""
    contact_failures: int = 0
    """Failed contacts in a row; the back-off follows from it."""
    contact_not_before: datetime | None = None
    failed_jobs: tuple[str, ...] = ()
    """Different jobs that failed here in a row."""
    quarantined_until: datetime | None = None
    quarantine_reason: str = ""
    quarantines: int = 0
    """Quarantines in a row; each doubles the next."""
    boot_id: str = ""
    clock_skew: float | None = None
    """Seconds that its clock is ahead of ours."""
    free_bytes: int | None = None
    """Free space where its Inbox lies."""
    unready: str = ""
    """Why it cannot take jobs although it answers; empty when it can."""
