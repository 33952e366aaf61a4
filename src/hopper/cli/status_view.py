"""How ``hopper status`` looks: rows from an overview, for a terminal and for a pipe. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from hopper.cli.backend_tables import COLUMNS, backend_row
from hopper.cli.common import STATE_STYLES, grid, state_text
from hopper.cli.run_progress import bar
from hopper.cli.run_tables import run_row
from hopper.dispatch.overview import Overview, Standing, WorkerView
from hopper.dispatch.run_views import RunView
from hopper.documents.jobs import remark
from hopper.documents.words import ago, printable, size_text
from hopper.model.job import Job
from hopper.model.states import JobState
from hopper.operations.glance import Screen

STANDING_STYLES = {
    Standing.READY: "green",
    Standing.BUSY: "blue",
    Standing.DRAINED: "yellow",
    Standing.NEVER_SEEN: "yellow",
    Standing.QUARANTINED: "magenta",
}
"""All others are red."""

Row = tuple[str | Text, ...]
RUN_COLUMNS = ("RUN", "STATE", "", ">DONE", ">FAILED", ">AGE", "WORKFLOW")
RUNS = 10
"""Runs that are shown at most, the newest."""
BAR = 20


def renderable(screen: Screen) -> RenderableType:
    """Return the screen for a terminal."""
    view = screen.view
    parts: list[RenderableType] = [
        Text.assemble(("dispatcher  ", "bold"), *_dispatcher(screen)),
        Text.assemble(("jobs        ", "bold"), *_counts(view)),
    ]
    shown, left = _jobs(screen)
    if shown:
        parts += ["", grid(("JOB", "STATE", "ON", ">FOR", "REMARK"), _job_rows(screen, shown))]
    if left:
        parts.append(f"and {left} more; see 'hopper jobs'")
    if screen.inventory_error or view.workers:
        parts.append("")
    if screen.inventory_error:
        parts.append(Text(printable(f"inventory: {screen.inventory_error}"), style="red"))
    if view.workers:
        columns = ("WORKER", "STATE", ">JOBS", ">SEEN", ">FREE", "REMARK")
        parts.append(grid(columns, [_worker_row(worker, view.at) for worker in view.workers]))
    if screen.backends:
        parts += ["", grid(COLUMNS, [backend_row(one, view.at) for one in screen.backends])]
    if screen.runs:
        parts += ["", grid(RUN_COLUMNS, [_run_row(run, view.at) for run in screen.runs[-RUNS:]])]
    return Group(*parts)


def _run_row(run: RunView, now: datetime) -> Row:
    run_id, state, workflow, backend, done, failed, age, _ = run_row(run, now)
    return (run_id, state, bar(run.all, BAR), done, failed, age, f"{workflow} on {backend}")


def plain_lines(screen: Screen) -> Iterator[str]:
    """Yield the screen as tab-separated lines that begin with what they are about."""
    view = screen.view
    held = screen.dispatcher
    yield _line("dispatcher", f"running\t{held['pid']}" if held is not None else "not running")
    if view.paused:
        yield _line("dispatcher", "paused")
    for state in JobState:
        if view.counts.get(state):
            yield _line("count", str(state), str(view.counts[state]))
    shown, _ = _jobs(screen)
    for row in _job_rows(screen, shown):
        yield _line("job", *row)
    if screen.inventory_error:
        yield _line("inventory", screen.inventory_error)
    yield from _place_lines(screen)


def _place_lines(screen: Screen) -> Iterator[str]:
    now = screen.view.at
    for worker in screen.view.workers:
        yield _line("worker", *_worker_row(worker, now))
    for backend in screen.backends:
        yield _line("backend", *backend_row(backend, now))
    for run in screen.runs:
        yield _line("run", *run_row(run, now))


def _line(*cells: str | Text) -> str:
    texts = (cell.plain if isinstance(cell, Text) else cell for cell in cells)
    return "\t".join("\t".join(map(printable, text.split("\t"))) for text in texts)


def _dispatcher(screen: Screen) -> list[str | tuple[str, str]]:
    held = screen.dispatcher
    if held is None:
        said: list[str | tuple[str, str]] = [("not running", "yellow"), "; start 'hopper dispatch'"]
    else:
        since = _since(str(held["started"]), screen.view.at)
        said = [("running", "green"), f" (pid {held['pid']}{since})"]
    if screen.view.paused:
        said += [", ", ("paused", "yellow"), "; 'hopper workers resume' goes on"]
    return said


def _since(started: str, now: datetime) -> str:
    try:
        return f", for {ago(datetime.fromisoformat(started), now)}"
    except (ValueError, TypeError):
        return ""


def _counts(view: Overview) -> list[str | tuple[str, str]]:
    said: list[str | tuple[str, str]] = []
    for state in JobState:
        count = view.counts.get(state, 0)
        if not count:
            continue
        said += [", "] if said else []
        said.append((f"{count} {state}", STATE_STYLES[state]))
        if state is JobState.PENDING and view.held:
            said.append(f" ({view.held} held)")
    return said or ["none yet; 'hopper submit' one"]


def _jobs(screen: Screen) -> tuple[list[Job], int]:
    """Return the jobs to show, those on workers first, and how many more there are."""
    view, limit = screen.view, screen.limit
    count = len(view.on_workers) + len(view.pending)
    shown = list(view.on_workers[:limit])
    shown += view.pending[: limit - len(shown)]
    return shown, count - len(shown)


def _job_rows(screen: Screen, jobs: list[Job]) -> list[Row]:
    view = screen.view
    places = {backend.name: backend.record for backend in screen.backends}
    records = {worker.name: worker.record for worker in view.workers}
    rows: list[Row] = []
    for job in jobs:
        attempt = job.open_attempt
        record = records.get(attempt.worker) if attempt is not None else None
        if attempt is not None and job.backend:
            record = places.get(attempt.worker)
        since = job.state_since or job.submitted_at
        if job.state is JobState.RUNNING and attempt is not None:
            since = attempt.started_at or since
        rows.append(
            (
                job.id,
                state_text(job),
                attempt.worker if attempt is not None else "-",
                ago(since, view.at).partition(" ")[0],
                remark(job, record),
            )
        )
    return rows


def _worker_row(worker: WorkerView, now: datetime) -> Row:
    taken = f"{len(worker.jobs)}/{worker.slots}" if worker.slots else str(len(worker.jobs))
    return (
        worker.name,
        Text(str(worker.standing), style=STANDING_STYLES.get(worker.standing, "red")),
        taken,
        ago(worker.record.last_contact, now).partition(" ")[0],
        size_text(worker.record.free_bytes),
        _worker_remark(worker, now),
    )


def _worker_remark(worker: WorkerView, now: datetime) -> str:
    parts = []
    if worker.since is not None:
        parts.append(f"for {ago(worker.since, now)}")
    if worker.until is not None:
        parts.append(f"for another {ago(now, worker.until)}")
    if worker.worker is not None and worker.worker.drained and worker.standing != Standing.DRAINED:
        parts.append("drained")
    if worker.detail:
        parts.append(worker.detail)
    return ", ".join(parts)
