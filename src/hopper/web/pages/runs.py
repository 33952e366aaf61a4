"""The list of runs."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from hopper.bootstrap.state import read_state
from hopper.config.model import HopperConfig
from hopper.documents.values import Json, iso
from hopper.errors import HopperError
from hopper.model.run import Run, RunState, run_state
from hopper.model.states import JobState
from hopper.web.changing import apart
from hopper.web.following.past import Past
from hopper.web.following.tallies import RunTally
from hopper.web.problems import wants_json
from hopper.web.rendering import wants_part
from hopper.web.security.access import Viewer
from hopper.web.site import OfSite

router = APIRouter()
Text = Annotated[str, Query(max_length=200)]

ROWS = 50
"""Runs on one page."""
_STATES = {state.value: state for state in JobState}
_NOT_WELL = ("failed", "dep_failed", "cancelled")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFilter:
    """Which runs are wanted; empty for what does not matter."""

    state: str = ""
    workflow: str = ""
    backend: str = ""
    user: str = ""
    history: bool = False

    def __call__(self, row: RunRow) -> bool:
        """Return True for one that is wanted."""
        run = row.run
        return (
            self.state in {"", row.state}
            and self.workflow in {"", run.workflow}
            and self.backend in {"", run.backend}
            and self.user in {"", run.user}
        )

    def query(self, **other: object) -> dict[str, object]:
        """Return it as an address's query."""
        said = {
            "state": self.state,
            "workflow": self.workflow,
            "backend": self.backend,
            "user": self.user,
            "history": "1" if self.history else "",
        }
        return {**said, **other}


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRow:
    """A run as the list shows it. Times are aware UTC."""

    run: Run
    state: str
    counts: Mapping[str, int]
    live: bool
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cpu_hours: float | None = None
    seconds: float | None = None
    """How long it has taken so far."""

    @property
    def total(self) -> int:
        """How many tasks it has."""
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        """How many of them have completed."""
        return self.counts.get("completed", 0)

    @property
    def failed(self) -> int:
        """How many ended otherwise."""
        return sum(self.counts.get(name, 0) for name in _NOT_WELL)

    @property
    def over(self) -> bool:
        """True once all have ended."""
        return self.state not in {RunState.PENDING, RunState.RUNNING}


@router.get("/runs", name="runs")
async def runs(
    *,
    request: Request,
    site: OfSite,
    _: Viewer,
    state: Text = "",
    workflow: Text = "",
    backend: Text = "",
    user: Text = "",
    history: Text = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    """Show the runs that the address asks for, the newest first: a page, its list, or JSON."""
    wanted = RunFilter(
        state=state, workflow=workflow, backend=backend, user=user, history=history == "1"
    )
    now = time.time()
    live = [row_of(tally, now) for tally in site.following.run_tallies()]
    old: list[RunRow] = []
    trouble = site.following.trouble
    if wanted.history:
        try:
            old = await apart(lambda: old_rows(site.config, site.following.past))
        except (HopperError, OSError, sqlite3.Error) as refusal:
            trouble = f"the history cannot be read: {refusal}"
    known = {row.run.id: row for row in [*old, *live]}
    rows = sorted(known.values(), key=lambda row: (row.run.created_at, row.run.id), reverse=True)
    found = [row for row in rows if wanted(row)]
    shown = found[(page - 1) * ROWS : page * ROWS]
    if wants_json(request):
        body = {"runs": [document(row) for row in shown], "total": len(found), "page": page}
        return JSONResponse(body)
    return site.rendering.page(
        request,
        "runs_part.html" if wants_part(request) else "runs.html",
        section="runs",
        wanted=wanted,
        rows=shown,
        total=len(found),
        page=page,
        last=max(1, -(-len(found) // ROWS)),
        choices_of=_choices(rows),
        priced=site.config.pricing is not None,
        states=[state.value for state in RunState],
        trouble=trouble,
    )


def row_of(tally: RunTally, now: float) -> RunRow:
    """Return the row of a live run; ``now`` in epoch seconds."""
    started, ended = tally.started_at, tally.ended_at
    until = ended or datetime.fromtimestamp(now, UTC)
    return RunRow(
        run=tally.run,
        state=tally.state.value,
        counts={state.value: count for state, count in tally.all.counts.items()},
        live=True,
        started_at=started,
        ended_at=ended,
        cpu_hours=tally.cpu_hours(now),
        seconds=(until - started).total_seconds() if started is not None else None,
    )


def old_rows(config: HopperConfig, past: Past) -> list[RunRow]:
    """Return the runs of the history; for threads."""
    counts = past.counts()
    with read_state(config) as store:
        runs = list(store.history_runs())
    return [_old_row(run, counts.get(run.id, {})) for run in runs]


def _old_row(run: Run, counts: Mapping[str, int]) -> RunRow:
    states = [_STATES[name] for name, count in counts.items() if name in _STATES and count]
    return RunRow(
        run=run,
        state=run_state(states, cancelled=run.cancelled).value,
        counts=counts,
        live=False,
    )


def _choices(rows: Iterable[RunRow]) -> Mapping[str, list[str]]:
    rows = list(rows)
    return {
        "workflow": sorted({row.run.workflow for row in rows if row.run.workflow}),
        "backend": sorted({row.run.backend for row in rows if row.run.backend}),
        "user": sorted({row.run.user for row in rows if row.run.user}),
    }


def document(row: RunRow) -> Json:
    """Return a run of the list for programs."""
    run = row.run
    return {
        "id": run.id,
        "workflow": run.workflow,
        "backend": run.backend,
        "state": row.state,
        "user": run.user or None,
        "created_at": iso(run.created_at),
        "started_at": iso(row.started_at),
        "ended_at": iso(row.ended_at),
        "tasks": row.total,
        "counts": {name: count for name, count in row.counts.items() if count},
        "cpu_hours": row.cpu_hours,
        "live": row.live,
    }
