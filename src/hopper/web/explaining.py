"""Why a job waits, where it is, or why it failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import anyio

from hopper.dispatch.explain import Explanation, explain
from hopper.model.job import Job
from hopper.model.run import Run
from hopper.model.worker import WorkerRecord
from hopper.operations.explaining import log_end, situation
from hopper.web.changing import apart
from hopper.web.finding import the_job
from hopper.web.following.rows import CLUSTER
from hopper.web.site import Site

AT_ONCE = 100
"""Jobs that are decoded before others may go on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Explained:
    """A job with what there is to say of it."""

    job: Job
    said: Explanation
    lines: list[str]
    """The end of its log, where it failed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    jobs: Mapping[str, Job]
    workers: Mapping[str, WorkerRecord]
    settings: Mapping[str, object]
    runs: Mapping[str, Run]


async def explained(site: Site, job_id: str) -> Explained:
    """Return why a job waits, where it is, or why it failed. UnknownJob."""
    following = site.following
    job = await the_job(site, job_id)
    rows = following.index.rows.values()
    # To decode those that have ended as well would take seconds.
    wanted = {row.id for row in rows if not row.over and row.origin != CLUSTER}
    jobs: dict[str, Job] = {}
    for count, one in enumerate({*wanted, job.id, *job.spec.after}, 1):
        found = following.job(one)
        if found is not None:
            jobs[one] = found
        if not count % AT_ONCE:
            await anyio.sleep(0)
    store = following.store
    known = _Known(
        jobs=jobs,
        workers=dict(store.workers),
        settings=dict(store.settings),
        runs=dict(store.runs),
    )

    def told() -> Explained:
        said = explain(job, situation(site.config, known))
        return Explained(job=job, said=said, lines=log_end(site.config, job))

    return await apart(told)
