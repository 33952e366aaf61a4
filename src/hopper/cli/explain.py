"""``hopper explain``: why a job waits, where it is, or why it failed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from hopper.bootstrap import inventory
from hopper.bootstrap.backends import systems
from hopper.bootstrap.settings import policy_settings
from hopper.bootstrap.state import dispatching, read_state
from hopper.cli.choosing import job_argument, one_job
from hopper.cli.common import config_of, console, examples, json_option, print_json, printable
from hopper.cli.whereabouts import last_lines, log_at_home
from hopper.config.model import HopperConfig
from hopper.dispatch.book import Book
from hopper.dispatch.explain import Explanation, Situation, explain
from hopper.errors import HopperError
from hopper.model.job import Job
from hopper.model.states import JobState

if TYPE_CHECKING:
    from hopper.store.state import StateStore

LOG_LINES = 10


@click.command(epilog=examples("hopper explain train-x19cyh"))
@job_argument
@json_option
@click.pass_context
def command(ctx: click.Context, *, reference: str, as_json: bool) -> None:
    """Say why a job waits, where it is, or why it failed, and what can be done.

    JOB is an id, the start of one, or a name.
    """
    config = config_of(ctx)
    with read_state(config) as store:
        job = one_job(store, reference)
        said = explain(job, _situation(config, store))
    lines = _log_end(config, job)
    if as_json:
        print_json(
            {
                "id": job.id,
                "state": str(job.state),
                "headline": said.headline,
                "reasons": list(said.reasons),
                "advice": list(said.advice),
                "position": said.position,
                "log_end": lines,
            }
        )
    else:
        _tell(said, lines)


def _situation(config: HopperConfig, store: StateStore) -> Situation:
    error = ""
    workers = {}
    try:
        workers = dict(inventory.read_inventory(config).workers)
    except HopperError as refusal:
        error = str(refusal)
    return Situation(
        book=Book(store.jobs.values(), store.workers.values(), store.settings, store.runs.values()),
        workers=workers,
        settings=policy_settings(config),
        now=datetime.now(UTC),
        dispatching=dispatching(config) is not None,
        inventory_error=error,
        targets=systems(config).targets(),
    )


def _log_end(config: HopperConfig, job: Job) -> list[str]:
    if job.state is not JobState.FAILED or job.attempt is None:
        return []
    path = log_at_home(config, job, job.attempt)
    return last_lines(path, LOG_LINES) if path is not None else []


def _tell(said: Explanation, log_end: list[str]) -> None:
    out = console()
    out.print(printable(said.headline), style="bold", markup=False, soft_wrap=True)
    for reason in said.reasons:
        out.print(printable(reason), markup=False, soft_wrap=True)
    if log_end:
        out.print("The end of its log:", markup=False)
        for line in log_end:
            out.print(f"  | {printable(line)}", markup=False, soft_wrap=True)
    if said.advice:
        out.print("What to do:", markup=False)
        for line in said.advice:
            out.print(f"  {printable(line)}", markup=False, soft_wrap=True)
