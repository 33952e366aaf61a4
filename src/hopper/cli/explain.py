"""``hopper explain``: why a job waits, where it is, or why it failed."""

from __future__ import annotations

import click

from hopper.bootstrap.state import read_state
from hopper.cli.choosing import job_argument
from hopper.cli.common import config_of, console, examples, json_option, print_json
from hopper.dispatch.explain import Explanation, explain
from hopper.documents.jobs import explanation_document
from hopper.documents.words import printable
from hopper.operations.explaining import log_end, situation
from hopper.operations.finding import one_job


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
        said = explain(job, situation(config, store))
    lines = log_end(config, job)
    if as_json:
        print_json(explanation_document(job, said, lines))
    else:
        _tell(said, lines)


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
