"""``hopper run watch``: a run's progress, group by group, until it has ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from hopper.bootstrap.state import dispatching, read_state
from hopper.cli.common import config_of, console, examples, print_json
from hopper.cli.run_choosing import run_argument
from hopper.cli.run_progress import Progress, changes, progress
from hopper.cli.times import a_duration
from hopper.cli.waiting import TIMED_OUT
from hopper.dispatch.run_views import RunView, task_id, view_of
from hopper.documents.runs import run_document
from hopper.documents.words import printable
from hopper.errors import HopperError
from hopper.model.run import RunState
from hopper.model.states import JobState
from hopper.operations.finding import find_run
from hopper.operations.run_facts import Facts

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig

LOOK_EVERY = 0.2
"""Seconds between looks at what the dispatcher has written."""
REDRAW_EVERY = 1.0
NOBODY = "no dispatcher runs; tasks go on when 'hopper dispatch' does"
ESTIMATE_EVERY = 5.0
"""Seconds between estimates of what is left."""


@click.command(
    "watch",
    epilog=examples(
        "hopper run watch pipeline", "hopper run watch --timeout 2h pipeline-x19cyh && echo well"
    ),
)
@run_argument
@click.option(
    "--timeout", type=a_duration, metavar="DURATION", help="Watch no longer, as in 90s or 2h."
)
@click.pass_context
def watch(ctx: click.Context, *, reference: str, timeout: timedelta | None) -> None:
    """Follow a run until it has ended: a bar for each group of tasks, a line for each in a pipe.

    Exit code 0 when it has completed, 1 when not, 124 when time ran out.
    """
    config = config_of(ctx)
    with read_state(config) as store:
        run_id = find_run(store, reference).id
    ctx.exit(follow(config, run_id, timeout=timeout))


def follow(
    config: HopperConfig,
    run_id: str,
    *,
    timeout: timedelta | None = None,
    quiet: bool = False,
    as_json: bool = False,
) -> int:
    """Show a run until it has ended and return the exit code; ``quiet``: only how it ended."""
    looks = _looks(config, run_id, timeout)
    if quiet or as_json:
        last = _last(looks)
    elif console().is_terminal:
        last = _draw(looks)
    else:
        last = _write(looks)
    if as_json:
        print_json(run_document(last.view, left=last.left, cost=last.cost))
    else:
        _conclude(last)
    if last.view.ended_at is None:
        return TIMED_OUT
    return int(last.view.state is not RunState.COMPLETED)


def _looks(config: HopperConfig, run_id: str, timeout: timedelta | None) -> Iterator[Progress]:
    """Yield the run's progress when it has changed, and every second; the last is its end."""
    deadline = None if timeout is None else time.monotonic() + timeout.total_seconds()
    with read_state(config) as store:
        facts, left, estimated, drawn = Facts(config, store), None, 0.0, 0.0
        changed = hint = True
        while True:
            now = time.monotonic()
            late = deadline is not None and now >= deadline
            if changed or late or now - drawn >= REDRAW_EVERY:
                run = store.run(run_id)
                if run is None:
                    raise HopperError(f"run {run_id} was deleted")
                view = view_of(run, store.jobs_of(run_id))
                over = view.ended_at is not None
                if over or now - estimated >= ESTIMATE_EVERY:
                    left, estimated = facts.left(view), now
                cost = facts.cost(view) if over else None
                drawn = now
                if hint and not over and dispatching(config) is None:
                    click.echo(NOBODY, err=True)
                hint = False
                yield Progress(view=view, at=datetime.now(UTC), left=left, cost=cost)
                if over or late:
                    return
            time.sleep(LOOK_EVERY)
            changed = store.refresh()


def _last(looks: Iterator[Progress]) -> Progress:
    last = next(looks)
    for look in looks:
        last = look
    return last


def _draw(looks: Iterator[Progress]) -> Progress:
    from rich.live import Live

    out = console()
    last = next(looks)
    with Live(progress(last, out.width, out.height), console=out, auto_refresh=False) as live:
        for look in looks:
            last = look
            live.update(progress(last, out.width, out.height), refresh=True)
        live.update(progress(last, out.width, out.height), refresh=True)
    return last


def _write(looks: Iterator[Progress]) -> Progress:
    last: Progress | None = None
    for look in looks:
        for line in changes(last.view if last is not None else None, look.view):
            click.echo(line)
        last = look
    if last is None:
        raise HopperError("there was nothing to be seen of the run")
    return last


def _conclude(last: Progress) -> None:
    view: RunView = last.view
    for warning in view.run.warnings:
        click.echo(printable(f"hopper: {warning}"), err=True)
    for job in [job for job in view.jobs if job.state is JobState.FAILED][:10]:
        click.echo(printable(f"hopper: {task_id(job)} failed: {job.reason}"), err=True)
    said = str(view.state) if view.ended_at is not None else f"still {view.state}"
    click.echo(f"{view.run.id}: {said}")
