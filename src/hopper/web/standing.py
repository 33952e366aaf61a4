"""How everything stands, from what is known of the jobs already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from hopper.bootstrap.state import dispatching
from hopper.config.model import HopperConfig
from hopper.dispatch.overview import Overview
from hopper.documents.overview import whole_document
from hopper.documents.values import Json
from hopper.model.job import Job
from hopper.model.states import JobState
from hopper.operations.glance import RUN_STAYS
from hopper.web.changing import apart
from hopper.web.following.rows import CLUSTER, JobRow
from hopper.web.following.state import Following
from hopper.web.following.tallies import RunTally
from hopper.web.site import Site

_LATE = datetime.max.replace(tzinfo=UTC)
_STATES = {state.value: state for state in JobState}


async def status_document(site: Site, most: int) -> Json:
    """Return how everything stands now, with so many jobs of each list at most.

    It tells what ``hopper status --json`` does, which decodes every job; this only those it names.
    """
    following = site.following
    following.look()
    held = await apart(lambda: dispatching(site.config))
    stand = await site.places.stand(following)
    rows = [row for row in following.index.rows.values() if row.origin != CLUSTER]
    placed = sorted((row for row in rows if row.id in stand.rows), key=_begun)
    now = datetime.now(UTC)
    view = Overview(
        at=now,
        paused=stand.paused,
        counts=_counts(rows),
        held=sum(row.held for row in rows if row.state == "pending"),
        external=sum(row.origin == "external" for row in placed),
        on_workers=_decoded(following, placed, most),
        pending=_decoded(following, _waiting(rows, workers_names(site.config)), most),
        workers=stand.workers,
    )
    return whole_document(
        view,
        {"pid": held.pid, "host": held.host, "started": held.started} if held else None,
        backends=[place.view for place in stand.backends],
        runs=runs_now(following, now),
        inventory_error=stand.inventory_error,
    )


def workers_names(config: HopperConfig) -> frozenset[str]:
    """Return what a row names as its backend when its job is for workers."""
    return frozenset({"", *(one.name for one in config.backends if one.workers)})


def rank(row: JobRow) -> tuple[bool, int, datetime, str]:
    """Return what waiting jobs are ordered by: priority, then age; the held ones come last."""
    return (row.held, -row.priority, row.submitted_at or _LATE, row.id)


def runs_now(following: Following, now: datetime) -> list[RunTally]:
    """Return the runs that have not ended, or have just now, the oldest first."""
    return [
        tally
        for tally in following.run_tallies()
        if tally.ended_at is None or now - tally.ended_at < RUN_STAYS
    ]


def _waiting(rows: Iterable[JobRow], on_workers: frozenset[str]) -> list[JobRow]:
    """Return the pending jobs for workers as they will start, then all that are held."""
    waiting = (row for row in rows if row.state == "pending")
    return sorted((row for row in waiting if row.held or row.backend in on_workers), key=rank)


def _counts(rows: Iterable[JobRow]) -> Counter[JobState]:
    found = Counter(row.state for row in rows)
    return Counter({_STATES[word]: count for word, count in found.items() if word in _STATES})


def _begun(row: JobRow) -> tuple[datetime, str]:
    return (row.started_at or row.submitted_at or _LATE, row.id)


def _decoded(following: Following, rows: list[JobRow], most: int) -> tuple[Job, ...]:
    found = (following.job(row.id) for row in rows[:most])
    return tuple(job for job in found if job is not None)
