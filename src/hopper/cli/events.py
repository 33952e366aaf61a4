"""``hopper events``: what has happened."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import click

from hopper.bootstrap.state import read_state
from hopper.cli.choosing import complete_job
from hopper.cli.common import config_of, examples
from hopper.cli.dispatch import event_line
from hopper.cli.times import a_moment
from hopper.errors import UnknownJob
from hopper.model.event import Event
from hopper.operations.finding import one_job
from hopper.store.values import to_json

if TYPE_CHECKING:
    from hopper.store.state import StateStore

SHOWN = 50
LOOK_EVERY = 0.25


@click.command(
    epilog=examples(
        "hopper events -f",
        "hopper events --job train-x19cyh",
        "hopper events --since 2h --json | jq .kind",
    )
)
@click.option("--job", "reference", metavar="JOB", shell_complete=complete_job, help="Of one job.")
@click.option("--since", type=a_moment, metavar="TIME", help="Since then: 10m, 2026-05-31T17:00.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what happens, until Ctrl-C.")
@click.option(
    "--limit",
    type=click.IntRange(0),
    help=f"Only the newest so many, 0 for all; {SHOWN} unless --since or --job is given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines for scripts.")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    reference: str | None,
    since: datetime | None,
    follow: bool,
    limit: int | None,
    as_json: bool,
) -> None:
    """Show what has happened, the newest last."""
    with read_state(config_of(ctx)) as store:
        job_id = _job_id(store, reference) if reference else None
        if limit is None:
            limit = 0 if since is not None or job_id is not None else SHOWN
        # Without a filter the newest need no search.
        narrow = since is None and job_id is None and limit
        after = max(0, store.last_seq - limit) if narrow else 0
        found: Iterable[Event] = store.events(job=job_id, since=since, after=after)
        last = max(after, _print(deque(found, limit) if limit else found, as_json=as_json))
        while follow:
            time.sleep(LOOK_EVERY)
            last = max(last, _print(store.events(job=job_id, after=last), as_json=as_json))


def _job_id(store: StateStore, reference: str) -> str:
    try:
        return one_job(store, reference).id
    except UnknownJob:
        # Of a job long gone, events may be all that is left.
        if next(store.events(job=reference, limit=1), None) is None:
            raise
        return reference


def _print(events: Iterable[Event], *, as_json: bool) -> int:
    """Print events and return the number of the last one, 0 without any."""
    last = 0
    for event in events:
        last = event.seq
        text = json.dumps(to_json(event), ensure_ascii=False) if as_json else _line(event)
        click.echo(text)
    return last


def _line(event: Event) -> str:
    return f"{event.at.astimezone():%Y-%m-%d} {event_line(event)}"
