"""``hopper doctor``: is everything there that jobs need."""

from __future__ import annotations

from collections.abc import Iterator

import click
from rich.text import Text

from hopper.cli.common import config_of, examples, json_option, print_json, table
from hopper.cli.progress import busy
from hopper.errors import ConfigError
from hopper.operations.doctor import Check, Verdict, bad, examine

MARKS = {
    Verdict.GOOD: Text("\N{CHECK MARK}", style="green"),
    Verdict.WARNING: Text("!", style="yellow"),
    Verdict.BAD: Text("\N{BALLOT X}", style="red"),
}


@click.command(epilog=examples("hopper doctor", "hopper doctor --json"))
@json_option
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """Check all that jobs need, from the config to each worker and backend.

    Exit code 1 when something keeps jobs from getting through. JSON: ok, and checks with
    subject, verdict (good, warning, bad), said, way_out.
    """
    with busy("looking around"):
        checks = list(_checks(ctx))
    ok = all(check.verdict is not Verdict.BAD for check in checks)
    if as_json:
        print_json({"ok": ok, "checks": [_document(check) for check in checks]})
    else:
        rows: list[list[str | Text]] = [
            [check.subject, MARKS[check.verdict], _words(check)] for check in checks
        ]
        table(("CHECK", "", "FOUND"), rows, empty="")
    ctx.exit(0 if ok else 1)


def _checks(ctx: click.Context) -> Iterator[Check]:
    try:
        config = config_of(ctx)
    except ConfigError as error:
        yield bad("config", error.what, error.way_out)
        return
    yield from examine(config)


def _words(check: Check) -> str:
    return f"{check.said}; {check.way_out}" if check.way_out else check.said


def _document(check: Check) -> dict[str, str]:
    return {
        "subject": check.subject,
        "verdict": str(check.verdict),
        "said": check.said,
        "way_out": check.way_out,
    }
