"""How the batch systems stand, for a person. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hopper.dispatch.book import Book
from hopper.dispatch.contact import NEEDS_LOGIN
from hopper.model.backend import BatchTarget
from hopper.model.states import JobState
from hopper.model.worker import WorkerRecord


class BackendStanding(StrEnum):
    """How a batch system stands, the most telling word first."""

    NEEDS_LOGIN = NEEDS_LOGIN
    """It wants what only a person has: a second factor, a password."""
    UNREACHABLE = "unreachable"
    """It could not be reached when it was last tried."""
    NOT_ANSWERING = "not answering"
    """Its login node answers, its batch system does not."""
    MISSING = "not in the config"
    """It has jobs, and the config does not name it any more."""
    PAUSED = "paused"
    """Nothing is submitted to it."""
    NEVER_SEEN = "never seen"
    """No dispatcher has talked to it yet."""
    BUSY = "busy"
    """It has jobs of ours."""
    READY = "ready"
    """It waits for jobs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BackendView:
    """A batch system as it stands."""

    name: str
    standing: BackendStanding
    record: WorkerRecord
    target: BatchTarget | None = None
    paused: bool = False
    counts: Mapping[JobState, int]
    """Its jobs of ours in each state, those too that wait at home."""

    @property
    def detail(self) -> str:
        """Why it stands so."""
        away = self.record.contact_error.removeprefix(f"{NEEDS_LOGIN}: ")
        return away or self.record.unready

    @property
    def since(self) -> datetime | None:
        """Since when it cannot be reached."""
        return self.record.no_contact_since

    @property
    def under_way(self) -> int:
        """How many jobs of ours it has."""
        return sum(count for state, count in self.counts.items() if state.on_worker)


def backend_views(book: Book, targets: Mapping[str, BatchTarget]) -> tuple[BackendView, ...]:
    """Return how each batch system stands: those of the config, then others that have jobs."""
    counts: dict[str, Counter[JobState]] = {}
    for job in book.jobs.values():
        if job.backend:
            counts.setdefault(job.backend, Counter())[job.state] += 1
    gone = sorted(
        name
        for name, states in counts.items()
        if name not in targets and any(not state.terminal for state in states)
    )
    return tuple(_view(name, targets, book, counts) for name in (*targets, *gone))


def _view(
    name: str,
    targets: Mapping[str, BatchTarget],
    book: Book,
    counts: Mapping[str, Counter[JobState]],
) -> BackendView:
    own = counts.get(name, Counter())
    paused = name in book.paused_backends
    record = book.record(name)
    target = targets.get(name)
    busy = any(count for state, count in own.items() if state.on_worker)
    return BackendView(
        name=name,
        standing=_standing(target, record, paused=paused, busy=busy),
        record=record,
        target=target,
        paused=paused,
        counts=own,
    )


def _standing(
    target: BatchTarget | None, record: WorkerRecord, *, paused: bool, busy: bool
) -> BackendStanding:
    lost = record.no_contact_since is not None
    cases: Sequence[tuple[bool, BackendStanding]] = (
        (lost and record.contact_error.startswith(NEEDS_LOGIN), BackendStanding.NEEDS_LOGIN),
        (lost, BackendStanding.UNREACHABLE),
        (target is None, BackendStanding.MISSING),
        (bool(record.unready), BackendStanding.NOT_ANSWERING),
        (paused, BackendStanding.PAUSED),
        (record.last_contact is None, BackendStanding.NEVER_SEEN),
        (busy, BackendStanding.BUSY),
    )
    return next((standing for applies, standing in cases if applies), BackendStanding.READY)
