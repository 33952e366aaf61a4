"""``hopper jobs``: the list of jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import chain

import click
from rich.text import Text

from hopper.bootstrap.state import read_state
from hopper.cli.common import (
    config_of,
    console,
    examples,
    json_option,
    limit_option,
    print_json,
    state_text,
    table,
)
from hopper.cli.times import a_moment
from hopper.documents.jobs import job_document, remark
from hopper.documents.words import ago
from hopper.model.job import Job
from hopper.model.states import JobState
from hopper.model.worker import WorkerRecord

SHOWN = 50
"""Jobs that are shown unless more are asked for."""


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which jobs are wanted."""

    states: frozenset[JobState]
    tags: frozenset[str]
    worker: str | None
    name: str | None
    since: datetime | None
    run: str | None = None
    backend: str | None = None
    its_runs: frozenset[str] = frozenset()
    """The runs of that backend: those on workers are told by them alone."""

    def __call__(self, job: Job) -> bool:
        """Return True for a job that is wanted."""
        return (
            (not self.states or job.state in self.states)
            and self.tags <= job.spec.requirements.tags
            and (self.worker is None or any(a.worker == self.worker for a in job.attempts))
            and (self.name is None or fnmatchcase(job.name, self.name))
            and (self.since is None or job.submitted_at >= self.since)
            and self.run in {None, job.run}
            and (self.backend in {None, job.backend} or job.run in self.its_runs)
        )


@click.command(
    epilog=examples(
        "hopper jobs",
        "hopper jobs --state failed --since 2d",
        "hopper jobs --name 'train-*' --json",
    )
)
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([str(state) for state in JobState]),
    help="Only those in this state; may be repeated.",
)
@click.option("--tag", "tags", multiple=True, help="Only those that ask for this tag.")
@click.option("--worker", help="Only those that are or were on this worker.")
@click.option("--run", metavar="RUN", help="Only the tasks of this run, by its whole id.")
@click.option("--backend", metavar="NAME", help="Only those for this backend.")
@click.option("--name", metavar="GLOB", help="Only those whose name matches.")
@click.option(
    "--since",
    type=a_moment,
    metavar="TIME",
    help="Only those submitted since: 10m, 2d, 2026-05-31.",
)
@limit_option(SHOWN)
@click.option("--all", "history", is_flag=True, help="Also those that left for the history.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    states: tuple[str, ...],
    tags: tuple[str, ...],
    worker: str | None,
    run: str | None,
    backend: str | None,
    name: str | None,
    since: datetime | None,
    limit: int,
    history: bool,
    as_json: bool,
) -> None:
    """List jobs, the newest last."""
    wanted = Filter(
        states=frozenset(map(JobState, states)),
        tags=frozenset(tags),
        worker=worker,
        name=name,
        since=since,
        run=run,
        backend=backend,
    )
    with read_state(config_of(ctx)) as store:
        its_runs = (run.id for run in store.runs.values() if run.backend == wanted.backend)
        wanted = replace(wanted, its_runs=frozenset(its_runs))
        everything: Iterable[Job] = store.jobs.values()
        if history:
            old = (job for job in store.history() if job.id not in store.jobs)
            everything = chain(everything, old)
        found = sorted(filter(wanted, everything), key=lambda job: (job.submitted_at, job.id))
        records = store.workers
        shown = found[-limit:] if limit else found
        if as_json:
            print_json([job_document(job, _record(job, records)) for job in shown])
            return
        runs = any(job.backend or job.run for job in shown)
        columns = ("RUN", "BACKEND") if runs else ("WORKER",)
        table(
            ("JOB", "STATE", *columns, ">AGE", "REMARK"),
            [_row(job, _record(job, records), runs=runs) for job in shown],
            empty="there are no such jobs",
        )
    if len(shown) < len(found) and console().is_terminal:
        click.echo(f"the newest {len(shown)} of {len(found)}; --limit 0 shows all", err=True)


def _record(job: Job, records: Mapping[str, WorkerRecord]) -> WorkerRecord | None:
    attempt = job.open_attempt
    return records.get(attempt.worker) if attempt is not None else None


def _row(job: Job, record: WorkerRecord | None, *, runs: bool) -> tuple[str | Text, ...]:
    attempt = job.attempt
    place = attempt.worker if attempt is not None else job.backend or "-"
    return (
        job.id,
        state_text(job),
        *((job.run or "-",) if runs else ()),
        place,
        ago(job.submitted_at).partition(" ")[0],
        remark(job, record),
    )
