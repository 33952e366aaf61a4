"""How runs and their tasks look in tables and lines. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rich.text import Text

from hopper.cli.common import state_text
from hopper.dispatch.run_views import RunView, elapsed_seconds, taken_count, task_id
from hopper.documents.words import ago, duration, printable, size_text
from hopper.model.attempt import Attempt
from hopper.model.job import Job
from hopper.model.run import RunState
from hopper.model.states import JobState

if TYPE_CHECKING:
    from hopper.pricing import Estimate

RUN_STYLES = {
    RunState.PENDING: "yellow",
    RunState.RUNNING: "blue",
    RunState.COMPLETED: "green",
    RunState.FAILED: "red",
    RunState.CANCELLED: "magenta",
}
Row = tuple[str | Text, ...]


def run_row(view: RunView, now: datetime) -> Row:
    """Return a run as a row: id, state, workflow, backend, done, failed, age, by."""
    run, tasks = view.run, view.all
    return (
        run.id,
        Text(str(view.state), style=RUN_STYLES[view.state]),
        run.workflow,
        run.backend,
        f"{tasks.completed}/{tasks.total}",
        str(tasks.not_well) if tasks.not_well else "-",
        ago(run.created_at, now).partition(" ")[0],
        run.user or "-",
    )


def run_lines(
    view: RunView, *, left: timedelta | None = None, cost: Estimate | None = None
) -> Iterator[Text]:
    """Yield what is said of a run above its tasks."""
    run = view.run
    state = Text(str(view.state), style=RUN_STYLES[view.state])
    said: list[tuple[str, str | Text]] = [("run", run.id), ("workflow", run.workflow)]
    if run.description:
        said.append(("", run.description))
    count = taken_count(view)
    cached = f" ({count} by results of equal tasks)" if count else ""
    counts = Text.assemble(state, f", {counts_text(view)}{cached}")
    said += [("state", counts), ("backend", run.backend)]
    if run.git is not None:
        said.append(("commit", f"{run.git.sha} ({run.git.branch} of {run.git.repo})"))
    if view.started_at is not None and view.ended_at is not None:
        took = (view.ended_at - view.started_at).total_seconds()
        said.append(("took", duration(took)))
    if left is not None:
        said.append(("left", f"about {duration(left.total_seconds())}, as long as it took before"))
    if cost is not None:
        said.append(("cost", cost_text(cost)))
    said += [("warning", warning) for warning in run.warnings]
    for name, value in said:
        text = Text(printable(value)) if isinstance(value, str) else value
        yield Text.assemble((f"{name:<10}", "bold"), text)


def counts_text(view: RunView) -> str:
    """Return how many tasks are in which state."""
    counts = view.all.counts
    said = [f"{counts[state]} {state}" for state in JobState if counts.get(state)]
    return ", ".join(said) or "no tasks"


def cost_text(cost: Estimate) -> str:
    """Return what a run would have cost, and what that is the sum of."""
    total = cost.costed + cost.uncosted
    return f"${cost.total:.2f} ({cost.costed}/{total} tasks, {cost.price_type} in {cost.region})"


def _where(job: Job, attempt: Attempt | None) -> str:
    """Return the cluster's machine, or the worker."""
    if attempt is None:
        return "-"
    return attempt.node or ("-" if job.backend else attempt.worker)


def task_row(job: Job, now: datetime) -> Row:
    """Return a task: id, state, native id, node, time, CPU efficiency, peak memory, remark."""
    attempt = job.attempt
    usage = attempt.usage if attempt is not None else None
    efficiency = usage.cpu_efficiency if usage is not None else None
    return (
        task_id(job),
        state_text(job),
        attempt.native_id or "-" if attempt is not None else "-",
        _where(job, attempt),
        _time(attempt, now),
        f"{efficiency:.0%}" if efficiency is not None else "-",
        size_text(usage.peak_memory) if usage is not None else "-",
        task_remark(job),
    )


def _time(attempt: Attempt | None, now: datetime) -> str:
    if attempt is None or attempt.started_at is None:
        return "-"
    seconds = elapsed_seconds(attempt)
    if seconds is None:
        seconds = (now - attempt.started_at).total_seconds()
    return duration(seconds)


def task_remark(job: Job) -> str:
    """Return what is to be said beside a task's state."""
    attempt = job.attempt
    waits = attempt.waits_for if attempt is not None and job.state is JobState.SUBMITTED else ""
    cancelling = "being cancelled" if job.cancel_requested and not job.state.terminal else ""
    again = f"attempt {len(job.attempts)}" if len(job.attempts) > 1 else ""
    return ", ".join(text for text in (cancelling, job.reason, waits, again) if text)
