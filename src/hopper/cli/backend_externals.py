"""``hopper backend jobs`` by what the dispatcher has seen of the jobs of others, asking nobody."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from hopper.bootstrap.state import read_state
from hopper.cli.common import ago, print_json, table
from hopper.cli.documents import Json, iso

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig
    from hopper.model.backend import ClusterRecord, ExternalJob


def show_seen(config: HopperConfig, backend: str, *, ended: bool, as_json: bool) -> None:
    """Print the jobs of others as last seen; ``ended``: those that are gone."""
    with read_state(config) as store:
        cluster = store.clusters.get(backend)
        jobs = [job for job in store.externals.values() if job.backend == backend]
    found = [job for job in jobs if (job.gone_at is not None) is ended]
    found.sort(key=lambda job: (job.gone_at or job.first_seen, job.id))
    if as_json:
        print_json([_document(job, cluster) for job in found])
        return
    table(
        ("NATIVE ID", "NAME", "USER", "STATE", "PARTITION", "NODE", ">CPUS", ">SEEN FOR", ">GONE"),
        [_row(job, cluster) for job in found],
        empty=f"no jobs of others are remembered of {backend}",
    )
    click.echo(_as_of(backend, cluster, len(found), ended=ended), err=True)


def _as_of(backend: str, cluster: ClusterRecord | None, shown: int, *, ended: bool) -> str:
    if cluster is None or cluster.seen_at is None:
        return f"{backend} was never seen; 'hopper dispatch' looks at it"
    said = f"as seen {ago(cluster.seen_at)} ago"
    if not ended and shown < cluster.others_count:
        said += f", {shown} of {cluster.others_count}: no more are kept"
    return said


def _document(job: ExternalJob, cluster: ClusterRecord | None) -> Json:
    return {
        "native_id": job.native_id,
        "name": job.name,
        "user": job.user,
        "state": job.word,
        "phase": _phase(job),
        "partition": job.partition,
        "node": job.node,
        "cpus": job.cpus,
        "submitted_at": iso(job.submitted_at),
        "started_at": iso(job.started_at),
        "first_seen": iso(job.first_seen),
        "last_seen": iso(_last_seen(job, cluster)),
        "gone_at": iso(job.gone_at),
    }


def _phase(job: ExternalJob) -> str:
    """Return where a job stands; how one that is gone ended is seldom known."""
    if job.gone_at is not None and job.phase != "ended":
        return "unknown"
    return str(job.phase)


def _last_seen(job: ExternalJob, cluster: ClusterRecord | None) -> datetime | None:
    if job.last_seen is not None:
        return job.last_seen
    return cluster.seen_at if cluster is not None else None


def _row(job: ExternalJob, cluster: ClusterRecord | None) -> tuple[str, ...]:
    last = _last_seen(job, cluster) or datetime.now(UTC)
    word = job.word or str(job.phase)
    return (
        job.native_id,
        job.name or "-",
        job.user or "-",
        word if _phase(job) != "unknown" else f"unknown, was {word}",
        job.partition or "-",
        job.node or "-",
        str(job.cpus) if job.cpus is not None else "-",
        ago(job.first_seen, last).partition(" ")[0],
        ago(job.gone_at).partition(" ")[0] if job.gone_at is not None else "-",
    )
