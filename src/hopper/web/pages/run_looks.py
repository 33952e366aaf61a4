"""Runs as their pages look at them: the live ones in memory, old ones read from the history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hopper.bootstrap.state import read_state
from hopper.config.model import HopperConfig
from hopper.dispatch.run_views import RunView, task_id, view_of
from hopper.errors import NotThere
from hopper.model import wire
from hopper.model.job import Job
from hopper.web.changing import apart
from hopper.web.following.rows import Home, JobRow, job_row
from hopper.web.following.tallies import RunTally, tally
from hopper.web.site import Site

STATES = (
    "failed",
    "dep_failed",
    "running",
    "settling",
    "submitted",
    "pending",
    "completed",
    "cancelled",
)
"""States of tasks in the order in which a filter offers them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunLook:
    """A run with the rows of its tasks, in their order."""

    tally: RunTally
    rows: Sequence[JobRow]
    live: bool
    old: Mapping[str, Job]
    """The jobs of a run of the history."""

    @property
    def id(self) -> str:
        """Its id."""
        return self.tally.run.id

    @property
    def over(self) -> bool:
        """True once all of its tasks have ended."""
        return self.tally.ended_at is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A group of a run's tasks as the page shows it."""

    number: int
    """Its place among the groups of the run, which makes ids in the page."""
    name: str
    counts: Mapping[str, int]
    total: int
    """Its tasks that are wanted."""


async def look_at(site: Site, run_id: str) -> RunLook:
    """Return a run as it stands. NotThere."""
    run = site.following.newest_run(run_id)
    if run is not None:
        rows = site.following.index.of_run(run_id)
        return RunLook(tally=site.following.tally(run), rows=rows, live=True, old={})
    return await apart(lambda: _from_history(site.config, run_id))


def _from_history(config: HopperConfig, run_id: str) -> RunLook:
    with read_state(config) as store:
        run = store.run(run_id)
        jobs = store.jobs_of(run_id) if run is not None else []
    if run is None:
        raise NotThere(f"there is no run {run_id!r}", way_out="see the list of runs")
    home = Home(workflow=run.workflow, backend=run.backend, user=run.user)
    rows = [job_row(wire.to_json(job), home) for job in jobs]
    return RunLook(tally=tally(run, rows), rows=rows, live=False, old={job.id: job for job in jobs})


def whole_view(config: HopperConfig, run_id: str) -> RunView:
    """Return a run with all of its jobs decoded; for threads. NotThere."""
    with read_state(config) as store:
        run = store.run(run_id)
        if run is None:
            raise NotThere(f"there is no run {run_id!r}")
        return view_of(run, store.jobs_of(run_id))


def job_of(site: Site, look: RunLook, row: JobRow) -> Job | None:
    """Return the whole of a row's job; None where it has gone meanwhile."""
    return look.old.get(row.id) if not look.live else site.following.job(row.id)


def sections(look: RunLook, state: str) -> list[Section]:
    """Return the groups of a run that have tasks in a state; all for no state."""
    found: dict[str, Counter[str]] = {}
    for row in look.rows:
        found.setdefault(row.group, Counter())[row.state] += 1
    return [
        Section(
            number=number,
            name=name,
            counts=counts,
            total=counts[state] if state else counts.total(),
        )
        for number, (name, counts) in enumerate(found.items())
        if not state or counts[state]
    ]


def wanted_rows(look: RunLook, group: str | None, state: str) -> list[JobRow]:
    """Return the tasks of a group in a state; all for None and no state."""
    return [
        row
        for row in look.rows
        if (group is None or row.group == group) and (not state or row.state == state)
    ]


def task_word(row: JobRow) -> str:
    """Return what stands for a task in an address: its id, or its job's where that is odd."""
    return word_for(row.task, row.id)


def word_for(task: str, job: str) -> str:
    """Return what stands in an address for the task of a job."""
    odd = not task or "/" in task or task in {".", ".."} or not task.isprintable()
    return job if odd else task


def names_of(look: RunLook) -> dict[str, str]:
    """Return the tasks' ids by their jobs."""
    return {row.id: row.task or row.name for row in look.rows}


async def task_of(site: Site, run_id: str, task: str) -> tuple[RunLook, Job]:
    """Return a task of a run by its id or its job's. NotThere."""
    look = await look_at(site, run_id)
    for row in look.rows:
        if task in {row.task, row.id}:
            job = job_of(site, look, row)
            if job is not None:
                return look, job
    raise NotThere(f"run {run_id} has no task {task!r}", way_out="see the run's page")


def name_of(job: Job) -> str:
    """Return what a task is called."""
    return task_id(job)
