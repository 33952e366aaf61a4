"""``hopper dispatch``: the loop itself."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import click

from hopper.bootstrap.state import read_state
from hopper.cli.common import config_of, examples
from hopper.dispatch.drive import Stop, Until
from hopper.documents.words import printable
from hopper.model.event import Event, EventKind
from hopper.model.states import JobState

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig

_QUIET = frozenset({EventKind.REMAINS_CLEANED, EventKind.LAUNCH_INTENDED})


@click.command(
    epilog=examples("hopper dispatch", "hopper dispatch --until-idle", "hopper dispatch --once")
)
@click.option("--once", is_flag=True, help="Look, launch and collect once, then end.")
@click.option("--until-idle", is_flag=True, help="End when no job is left that could go on.")
@click.option("--with-parent", is_flag=True, hidden=True, help="End when standard input does.")
@click.option("-q", "--quiet", is_flag=True, help="Do not tell what happens.")
@click.pass_context
def command(
    ctx: click.Context, *, once: bool, until_idle: bool, with_parent: bool, quiet: bool
) -> None:
    """Send jobs to workers, watch them and bring their results home.

    Runs until it is told to end (Ctrl-C or SIGTERM); jobs on workers go on running, and the
    next start carries on with them.
    """
    from hopper.bootstrap.dispatcher import Listener, dispatch

    if once and until_idle:
        raise click.UsageError("--once and --until-idle do not go together")
    config = config_of(ctx)
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop())
    if with_parent:
        threading.Thread(target=_end_with_parent, args=(stop,), daemon=True).start()

    def tell(event: Event) -> None:
        if not quiet and event.kind not in _QUIET:
            click.echo(event_line(event), err=True)

    dispatch(
        config,
        until=Until.ONCE if once else Until.IDLE if until_idle else Until.TOLD,
        stop=stop,
        listener=Listener(
            on_event=tell, on_trouble=lambda text: click.echo(f"hopper: {text}", err=True)
        ),
    )
    if until_idle and not stop.times:
        _tell_of_waiting(config)


def _end_with_parent(stop: Stop) -> None:
    """Say the word to end once whoever started this process is gone, however it went."""
    # Not by sys.stdin, whose lock would be in the way when Python ends.
    while os.read(0, 1024):
        pass
    stop()


def _tell_of_waiting(config: HopperConfig) -> None:
    """Say which jobs were left, since only a person can bring them further."""
    with read_state(config) as store:
        waiting = [job.id for job in store.jobs.values() if job.state is JobState.PENDING]
    if waiting:
        more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
        text = f"hopper: {waiting[0]}{more} still waiting; see 'hopper explain {waiting[0]}'"
        click.echo(text, err=True)


_BEFORE_PLACE = {
    EventKind.SUBMITTED_AS: "submitted to",
    EventKind.WORKER_REACHED: "contact again with",
    EventKind.WORKER_UNREACHABLE: "no contact with",
}
"""In place of the kind's name and "on", since the place may be a worker or a backend."""


def event_line(event: Event) -> str:
    """Return an event as a line for people."""
    when = event.at.astimezone().strftime("%H:%M:%S")
    what = str(event.kind).replace("_", " ")
    if event.kind is EventKind.JOB_STATE:
        what = f"{event.data.get('from')} → {event.data.get('to')}"
    where = f" on {event.worker}" if event.worker else ""
    if event.kind in _BEFORE_PLACE:
        what, where = _BEFORE_PLACE[event.kind], f" {event.worker}"
    who = f"{event.job}: " if event.job else ""
    reason = f" ({event.reason})" if event.reason else ""
    return printable(f"{when} {who}{what}{where}{reason}")
