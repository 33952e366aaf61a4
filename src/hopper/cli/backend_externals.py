"""``hopper backend jobs`` by what the dispatcher has seen of the jobs of others, asking nobody."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from hopper.bootstrap.state import read_state
from hopper.cli.common import print_json, table
from hopper.documents.externals import external_document, known_phase, last_seen_at
from hopper.documents.words import ago

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
        print_json([external_document(job, cluster) for job in found])
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


def _row(job: ExternalJob, cluster: ClusterRecord | None) -> tuple[str, ...]:
    last = last_seen_at(job, cluster) or datetime.now(UTC)
    word = job.word or str(job.phase)
    return (
        job.native_id,
        job.name or "-",
        job.user or "-",
        word if known_phase(job) != "unknown" else f"unknown, was {word}",
        job.partition or "-",
        job.node or "-",
        str(job.cpus) if job.cpus is not None else "-",
        ago(job.first_seen, last).partition(" ")[0],
        ago(job.gone_at).partition(" ")[0] if job.gone_at is not None else "-",
    )
