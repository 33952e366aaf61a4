"""The jobs of others on a cluster, from the first look to when they are gone. Pure.

Only what has changed is written: the time of the last look is the cluster's own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from hopper.model.backend import ExternalJob
from hopper.model.native import NativePhase, NativeSighting

MOST = 1000
"""Jobs of others on one cluster that are kept while they are there, and as many afterwards."""
LONGEST = 200
"""Characters of a text of theirs that are kept."""

Updates = dict[str, ExternalJob | None]
"""New values by id; None for those to be forgotten."""


def wanted(
    sightings: Iterable[NativeSighting], users: Collection[str], me: str
) -> list[NativeSighting]:
    """Return the jobs of those users, ``*`` for all of them; of oneself where none is named."""
    if "*" in users:
        return list(sightings)
    chosen = set(users) or {me}
    return [sighting for sighting in sightings if sighting.user and sighting.user in chosen]


def looked(
    known: Mapping[str, ExternalJob],
    sightings: Sequence[NativeSighting],
    *,
    backend: str,
    now: datetime,
    before: datetime | None,
) -> Updates:
    """Return what a look that saw all jobs changes of those that are ``known`` of the backend.

    ``before`` is the time of the look before it.
    """
    there = {_job_id(backend, item): item for item in sightings}
    live = {key: job for key, job in known.items() if job.gone_at is None}
    after = dict(known)
    for key, job in live.items():
        after[key] = _seen_again(job, there.get(key), now, before)
    room = MOST - sum(job.gone_at is None for job in after.values())
    alive = (key for key, item in there.items() if item.phase is not NativePhase.ENDED)
    fresh = [key for key in alive if key not in live]
    for key in fresh[: max(0, room)]:
        after[key] = _new(key, backend, there[key], now)
    updates: Updates = {key: job for key, job in after.items() if job != known.get(key)}
    return updates | dict.fromkeys(_too_many(after))


def _job_id(backend: str, sighting: NativeSighting) -> str:
    return f"{backend}/{sighting.native_id[:LONGEST]}"


def _new(key: str, backend: str, sighting: NativeSighting, now: datetime) -> ExternalJob:
    native_id = sighting.native_id[:LONGEST]
    blank = ExternalJob(
        id=key, backend=backend, native_id=native_id, first_seen=now, phase=sighting.phase
    )
    return _as_told(blank, sighting)


def _seen_again(
    job: ExternalJob, sighting: NativeSighting | None, now: datetime, before: datetime | None
) -> ExternalJob:
    if sighting is None:
        last = max(before or job.first_seen, job.first_seen)
        return replace(job, last_seen=last, gone_at=now)
    job = _as_told(job, sighting)
    if sighting.phase is NativePhase.ENDED:
        return replace(job, last_seen=now, gone_at=now)
    return job


def _as_told(job: ExternalJob, sighting: NativeSighting) -> ExternalJob:
    """Return the job as it is told of now. Why it waits is left out: that changes all the time."""
    return replace(
        job,
        phase=sighting.phase,
        word=sighting.word[:LONGEST],
        name=sighting.name[:LONGEST],
        user=sighting.user[:LONGEST],
        partition=sighting.partition[:LONGEST],
        node=sighting.node[:LONGEST],
        cpus=sighting.cpus,
        submitted_at=_time(sighting.submitted_at) or job.submitted_at,
        started_at=_time(sighting.started_at) or job.started_at,
    )


def _too_many(jobs: Mapping[str, ExternalJob]) -> list[str]:
    """Return the oldest of those that are gone, where there are too many."""
    gone = sorted((job.gone_at, key) for key, job in jobs.items() if job.gone_at is not None)
    return [key for _, key in gone[: max(0, len(gone) - MOST)]]


def _time(epoch: float | None) -> datetime | None:
    try:
        return None if epoch is None else datetime.fromtimestamp(epoch, UTC)
    except (OverflowError, OSError, ValueError):
        return None  # no time that anything has
