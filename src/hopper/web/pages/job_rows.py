"""Jobs as the lists of the pages show them, and as programs read them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from hopper.documents.values import Json, iso
from hopper.web.following.rows import CLUSTER, UNDER_WAY, JobRow
from hopper.web.following.state import Following
from hopper.web.pages.run_looks import task_word
from hopper.web.site import Site

VIEWS = frozenset({"jobs"})
"""The views whose pages show rows of jobs."""
ACTS = {
    "hold": "Hold",
    "release": "Release",
    "cancel": "Cancel",
    "requeue": "Run again",
}
"""What can be done to a job from a list."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedJob:
    """A row with what the template needs besides."""

    row: JobRow
    cpu_hours: float | None
    no_contact: bool
    """Its worker cannot be reached."""
    acts: tuple[tuple[str, str], ...]
    """Those of ACTS that fit it now, with their words."""

    @property
    def path(self) -> str:
        """Where its page is, below the root."""
        row = self.row
        if row.run and row.task:
            return f"/runs/{quote(row.run, safe='')}/tasks/{quote(task_word(row), safe='')}"
        if row.origin == CLUSTER:
            return f"/jobs/external/{quote(row.id)}"
        return f"/jobs/{quote(row.id, safe='')}"

    @property
    def waits(self) -> bool:
        """True where there is something to explain."""
        return self.row.origin != CLUSTER and self.row.state in {
            "pending",
            "submitted",
            "failed",
            "dep_failed",
        }


def listed(following: Following, rows: Iterable[JobRow]) -> list[ListedJob]:
    """Return rows as a list shows them now."""
    now = time.time()
    return [
        ListedJob(
            row=row,
            cpu_hours=row.cpu_hours(now),
            no_contact=following.no_contact(row) is not None,
            acts=tuple((act, ACTS[act]) for act in acts_for(row) if row.id in following.index.rows),
        )
        for row in rows
    ]


def acts_for(row: JobRow) -> Iterable[str]:
    """Yield what can be done to a live job as it stands."""
    if row.origin in {CLUSTER, "external"}:
        return
    if row.state == "pending":
        yield "release" if row.held else "hold"
    if not row.over and not row.cancelling:
        yield "cancel"
    if row.over:
        yield "requeue"


def send_rows(site: Site) -> None:
    """Have the streams of lists of jobs send the rows that change."""
    following = site.following

    def render(view: str, ids: Sequence[str]) -> str:
        if view not in VIEWS:
            return ""
        rows = [following.index.rows[one] for one in ids if one in following.index.rows]
        return site.rendering.shared(
            "job_rows.html",
            root=site.config.web.root_path,
            jobs=listed(following, rows),
            out_of_band=True,
        )

    following.hub.render = render


def row_document(job: ListedJob) -> Json:
    """Return a job of a list for programs."""
    row = job.row
    return {
        "id": row.id,
        "name": row.name,
        "task": row.task or None,
        "run": row.run or None,
        "workflow": row.workflow or None,
        "user": row.user or None,
        "state": row.state,
        "reason": row.reason or row.waits_for,
        "held": row.held,
        "cancel_requested": row.cancelling,
        "origin": row.origin,
        "backend": row.backend or None,
        "worker": row.worker or None,
        "node": row.node or None,
        "native_id": row.native_id or None,
        "priority": row.priority,
        "tags": list(row.tags),
        "cpus": row.cpus,
        "memory": row.memory,
        "gpus": row.gpus,
        "time_limit_seconds": row.time_limit,
        "partition": row.partition or None,
        "attempts": row.attempts,
        "submitted_at": iso(row.submitted_at),
        "state_since": iso(row.state_since),
        "started_at": iso(row.started_at),
        "ended_at": iso(row.ended_at),
        "exit_code": row.exit_code,
        "cpu_hours": job.cpu_hours,
        "utilization": row.utilization,
        "no_contact": job.no_contact and row.state in UNDER_WAY,
    }
