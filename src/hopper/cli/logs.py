"""``hopper logs``: what a job has printed, from home or live from its worker."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from hopper.bootstrap.state import read_state
from hopper.cli.choosing import job_argument
from hopper.cli.common import config_of, examples
from hopper.documents.words import printable
from hopper.operations.finding import one_job
from hopper.operations.log_reading import LogReading, Wanted
from hopper.operations.log_text import TerminalText

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig


@click.command(
    epilog=examples(
        "hopper logs train-x19cyh",
        "hopper logs -f train-x19cyh",
        "hopper logs --tail 20 train-x19cyh",
    )
)
@job_argument
@click.option("--follow", "-f", is_flag=True, help="Go on until the job has ended.")
@click.option(
    "--attempt", type=click.IntRange(1), metavar="N", help="Of that attempt; else of the newest."
)
@click.option("--tail", type=click.IntRange(0), metavar="N", help="Only the last N lines.")
@click.option("--bytes", "in_bytes", is_flag=True, help="With --tail: N is bytes.")
@click.option("--error", is_flag=True, help="Of a run's task: its standard error.")
@click.option("--raw", is_flag=True, help="Let a terminal have control sequences as they come.")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    reference: str,
    follow: bool,
    attempt: int | None,
    tail: int | None,
    in_bytes: bool,
    error: bool,
    raw: bool,
) -> None:
    """Print what a job has printed: standard output and error of its script.

    Of a job that runs, it is read from the worker or backend; in a pipe, byte for byte. A task
    of a run has its standard error apart.
    """
    if in_bytes and tail is None:
        raise click.UsageError("--bytes goes with --tail")
    config = config_of(ctx)
    with read_state(config) as store:
        job = one_job(store, reference)
    wanted = Wanted(attempt=attempt, tail=tail, in_bytes=in_bytes, follow=follow, errors=error)
    print_log(config, job.id, wanted, raw=raw)


def print_log(config: HopperConfig, job_id: str, wanted: Wanted, *, raw: bool) -> None:
    """Print the log of a job as far as it is wanted."""
    with read_state(config) as store:
        reading = LogReading(config, store, job_id, wanted, write=_writer(raw), say=_say)
        try:
            reading.run()
        finally:
            reading.close()


def _say(text: str) -> None:
    sys.stdout.flush()
    click.echo(printable(text), err=True)


def _writer(raw: bool) -> Callable[[bytes], None]:
    if raw or not sys.stdout.isatty():

        def as_it_is(part: bytes) -> None:
            sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()

        return as_it_is
    text = TerminalText()

    def printably(part: bytes) -> None:
        click.echo(text.feed(part), nl=False)

    return printably
