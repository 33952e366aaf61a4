"""``hopper workers``: who takes jobs, and whether they can."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from rich.text import Text

from hopper.cli.common import config_of, examples, json_option, print_json, table
from hopper.cli.login import login
from hopper.cli.workers_add import add
from hopper.cli.workers_edit import drain, pause, remove, resume
from hopper.cli.workers_look import look_and_show
from hopper.dispatch.overview import Standing, WorkerView, worker_views
from hopper.documents.overview import worker_document
from hopper.documents.words import ago, size_text

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig

STYLES = {
    Standing.READY: "green",
    Standing.BUSY: "blue",
    Standing.DRAINED: "yellow",
    Standing.NEVER_SEEN: "dim",
}


@click.group(
    epilog=examples(
        "hopper workers list",
        "hopper workers add gpu1 --host 10.0.0.21 --user alice --slots 2 --tag cuda",
        "hopper workers check",
    )
)
def command() -> None:
    """List, add, check, set up, drain and resume workers.

    Workers are the hosts of the inventory's group hopper_workers; edits keep its comments.
    """


for edit in (add, remove, drain, resume, pause, login):
    command.add_command(edit)


# --- list


@command.command("list", epilog=examples("hopper workers list", "hopper workers list --json"))
@json_option
@click.pass_context
def show(ctx: click.Context, *, as_json: bool) -> None:
    """List the workers of the inventory and how they stand, as far as is remembered.

    JSON: a list with name, state, detail, address, slots, gpus, tags, jobs, last_contact,
    no_contact_since, quarantined_until, free_bytes, clock_skew_seconds.
    """
    now = datetime.now(UTC)
    views = _views(config_of(ctx), now)
    if as_json:
        print_json([worker_document(view) for view in views])
        return
    rows = [_row(view, now) for view in views]
    columns = ("WORKER", "STATE", "JOBS", ">GPUS", ">FREE", "CONTACT", "ADDRESS", "TAGS, NOTES")
    table(columns, rows, empty="no workers; 'hopper workers add' makes one known")


def _views(config: HopperConfig, now: datetime) -> Sequence[WorkerView]:
    from hopper.bootstrap.inventory import read_inventory
    from hopper.bootstrap.state import read_state
    from hopper.dispatch.book import Book

    reading = read_inventory(config)
    with read_state(config) as store:
        book = Book(store.jobs.values(), store.workers.values(), store.settings)
    return worker_views(book, reading.workers, now)


def _row(view: WorkerView, now: datetime) -> list[str | Text]:
    worker = view.worker
    notes = [view.detail]
    if worker is not None:
        drained = worker.drained and view.standing is not Standing.DRAINED
        notes = [", ".join(sorted(worker.tags)), "drained" if drained else "", view.detail]
    contact = view.since or view.record.last_contact
    return [
        view.name,
        Text(str(view.standing), style=STYLES.get(view.standing, "red")),
        f"{len(view.jobs)}/{view.slots}",
        str(worker.gpus) if worker is not None and worker.gpus else "-",
        size_text(view.record.free_bytes),
        f"{'none for ' if view.since else ''}{ago(contact, now)}" if contact else "-",
        worker.address if worker is not None else "-",
        "; ".join(note for note in notes if note),
    ]


# --- check and setup


@command.command(
    "check", epilog=examples("hopper workers check", "hopper workers check gpu1 gpu2 --json")
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@json_option
@click.pass_context
def check(ctx: click.Context, *, names: tuple[str, ...], as_json: bool) -> None:
    """Log in to workers and say what they have and lack; changes nothing.

    Exit code 1 when one cannot take jobs. JSON: a list with worker, ready, unreachable,
    missing, advice, made, inbox, outbox, tools, zips, clock_skew_seconds, free_bytes.
    """
    _look(ctx, names, make=False, as_json=as_json)


@command.command("setup", epilog=examples("hopper workers setup", "hopper workers setup gpu1"))
@click.argument("names", nargs=-1, metavar="[NAME]...")
@json_option
@click.pass_context
def setup(ctx: click.Context, *, names: tuple[str, ...], as_json: bool) -> None:
    """Make the Inbox and Outbox of workers, and say what else they lack; again is harmless.

    Exit code 1 when one still cannot take jobs. JSON: as for check; made lists the folders.
    """
    _look(ctx, names, make=True, as_json=as_json)


def _look(ctx: click.Context, names: Sequence[str], *, make: bool, as_json: bool) -> None:
    if not look_and_show(config_of(ctx), names, make=make, as_json=as_json):
        ctx.exit(1)
