"""``hopper scan``: look at all workers once, and change nothing."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.text import Text

from hopper.cli.common import config_of, examples, json_option, print_json, table
from hopper.cli.progress import busy
from hopper.documents.words import size_text
from hopper.operations.scanning import Found, Seen, scan

PHASES = {
    "absent": "no trace",
    "staged": "arrived, not started",
    "running": "running",
    "ended": "ended",
    "rebooted": "ended by a reboot",
    "vanished": "gone without an exit code",
}


@click.command(epilog=examples("hopper scan", "hopper scan node1 node2", "hopper scan --json"))
@click.argument("names", metavar="[WORKER]...", nargs=-1)
@json_option
@click.pass_context
def command(ctx: click.Context, *, names: tuple[str, ...], as_json: bool) -> None:
    """Look at the workers once and show what is there; nothing is changed.

    Exit code 1 when one could not be reached.
    """
    config = config_of(ctx)
    with busy("looking at the workers"):
        found = scan(config, names)
    if as_json:
        print_json([one.document() for one in found])
    else:
        _show(found)
    ctx.exit(int(any(one.error for one in found)))


def _show(found: Sequence[Seen]) -> None:
    table(
        ("WORKER", "STATE", ">INBOX", ">FREE", ">CLOCK", "REMARK"),
        [_worker_row(one) for one in found],
        empty="there are no workers",
    )
    items = [(one.worker, item) for one in found for item in one.items]
    if items:
        click.echo("")
        table(
            ("ON", "JOB", "THERE", ">LOG", "RESULTS"),
            [_item_row(name, item) for name, item in items],
            empty="",
        )


def _worker_row(one: Seen) -> tuple[str | Text, ...]:
    if one.error:
        return (one.worker, Text("unreachable", style="red"), "-", "-", "-", one.error)
    state = Text("not set up", style="red") if one.missing else Text("reached", style="green")
    skew = "-" if one.clock_skew is None else f"{one.clock_skew:+.1f} s"
    remark = f"missing: {', '.join(one.missing)}" if one.missing else ""
    zips = f"{one.zips} zip" if one.zips == 1 else f"{one.zips} zips"
    return (one.worker, state, zips, size_text(one.free_bytes), skew, remark)


def _item_row(worker: str, item: Found) -> tuple[str | Text, ...]:
    there = PHASES.get(item.phase, item.phase)
    if item.exit_code is not None:
        there += f", exit code {item.exit_code}"
    if item.in_inbox:
        there += ", zip in the Inbox"
    if item.whose == "nobody":
        there = "a zip of somebody else's, not adopted yet"
    results = ", ".join(f"{name} ({size_text(size)})" for name, size in item.results)
    log = size_text(item.log_bytes) if item.log_bytes else "-"
    return (worker, item.job or item.name, there, log, results or "-")
