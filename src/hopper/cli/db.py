"""``hopper db``: the state folder looked over, folded, taken out as JSON."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import click

from hopper.cli.common import config_of, examples, json_option, print_json
from hopper.config.model import HopperConfig
from hopper.documents.words import printable, size_text
from hopper.errors import UsageError


@click.group(epilog=examples("hopper db check", "hopper db compact", "hopper db export all.json"))
def command() -> None:
    """Check, compact or export what hopper remembers."""


@command.command("check", epilog=examples("hopper db check", "hopper db check --json"))
@json_option
@click.pass_context
def check(ctx: click.Context, *, as_json: bool) -> None:
    """Read all of the state and say what is wrong with it; may be used while dispatch runs.

    JSON: folder, ok, and findings with file, line, what, way_out, harmless.
    """
    from hopper.store.check import check as look_over

    folder = _folder(config_of(ctx))
    findings = look_over(folder)
    bad = any(not finding.harmless for finding in findings)
    if as_json:
        shown = [
            {
                "file": str(finding.file),
                "line": finding.line,
                "what": finding.what,
                "way_out": finding.way_out,
                "harmless": finding.harmless,
            }
            for finding in findings
        ]
        print_json({"folder": str(folder), "ok": not bad, "findings": shown})
    else:
        for finding in findings:
            place = f"{finding.file}:{finding.line}" if finding.line else str(finding.file)
            note = " (harmless)" if finding.harmless else ""
            end = f"; {finding.way_out}" if finding.way_out else ""
            click.echo(printable(f"{place}: {finding.what}{end}{note}"))
        if not bad:
            click.echo(f"{folder} is sound")
    ctx.exit(1 if bad else 0)


@command.command("compact", epilog=examples("hopper db compact"))
@click.pass_context
def compact(ctx: click.Context) -> None:
    """Fold the journal into the snapshot now; not while dispatch runs, which does it itself."""
    from hopper.store.state import StateStore

    folder = _folder(config_of(ctx))
    before = _size(folder)
    with StateStore.open(folder) as store:
        store.compact()
    click.echo(f"{folder}: {size_text(before)} before, {size_text(_size(folder))} now")


@command.command(
    "export", epilog=examples("hopper db export > all.json", "hopper db export all.json")
)
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.pass_context
def export(ctx: click.Context, *, file: Path | None) -> None:
    """Write jobs, history, workers, settings and events as one JSON object, a document a line.

    To standard output unless a new FILE is named. May be used while dispatch runs.
    """
    from hopper.store.check import export as write

    folder = _folder(config_of(ctx))
    if file is None:
        write(folder, sys.stdout)
        return
    try:
        target = file.open("x", encoding="utf-8")
    except FileExistsError as error:
        raise UsageError(f"{file} is there already", way_out="name a new file") from error
    try:
        with target:
            write(folder, target)
    except BaseException:
        with suppress(OSError):
            file.unlink()
        raise
    click.echo(f"wrote {file} ({size_text(file.stat().st_size)})", err=True)


def _folder(config: HopperConfig) -> Path:
    folder = config.paths.db
    if not folder.is_dir():
        raise UsageError(
            f"there is no state in {folder} yet",
            way_out="'hopper submit' or 'hopper dispatch' begins it",
        )
    return folder


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total
