"""``hopper source``: repositories and folders where workflow files are found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from rich.text import Text

from hopper.cli.common import config_of, examples, json_option, print_json, table
from hopper.documents.sources import file_document, source_document
from hopper.documents.words import ago, printable

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig
    from hopper.config.workflows import Source
    from hopper.operations.sources import Synced


@click.group(
    epilog=examples("hopper source list", "hopper source sync", "hopper workflow run lab:plan.json")
)
def command() -> None:
    """List sources, look at them anew, and see the workflows in them.

    Their files are run by 'hopper workflow run SOURCE:FILE', which takes the newest commit.
    """


@command.command("list", epilog=examples("hopper source list", "hopper source list --json"))
@json_option
@click.pass_context
def show_all(ctx: click.Context, *, as_json: bool) -> None:
    """List the sources of the config as they were last seen.

    JSON: a list with name, type, backend, where, branch, glob, description, synced_at, sha,
    files, error.
    """
    config = config_of(ctx)
    _show(config, config.sources, as_json=as_json)


@command.command("sync", epilog=examples("hopper source sync", "hopper source sync lab --json"))
@click.argument("names", nargs=-1, metavar="[SOURCE]...")
@json_option
@click.pass_context
def sync(ctx: click.Context, *, names: tuple[str, ...], as_json: bool) -> None:
    """Look at sources now: fetch the newest commit, and find their workflow files.

    Exit code 1 when one could not be looked at. JSON: as for list.
    """
    from hopper.cli.progress import busy
    from hopper.operations import sources
    from hopper.operations.asking import Asking

    config = config_of(ctx)
    chosen = [sources.find_source(config, name) for name in names] or list(config.sources)
    errors = []
    with Asking(config) as asking:
        for source in chosen:
            with busy(f"looking at {source.name}"):
                seen = sources.sync(config, source, asking, now=datetime.now(UTC))
            if seen.error:
                errors.append(seen.error)
    _show(config, chosen, as_json=as_json)
    for error in errors:
        click.echo(printable(f"hopper: {error}"), err=True)
    ctx.exit(int(bool(errors)))


@command.command(
    "workflows", epilog=examples("hopper source workflows lab", "hopper source workflows --json")
)
@click.argument("names", nargs=-1, metavar="[SOURCE]...")
@json_option
@click.pass_context
def workflows(ctx: click.Context, *, names: tuple[str, ...], as_json: bool) -> None:
    """List the workflow files of sources as they were last seen.

    JSON: a list with workflow (as 'hopper workflow run' takes it), source, file, backend.
    """
    from hopper.operations import sources

    config = config_of(ctx)
    chosen = [sources.find_source(config, name) for name in names] or list(config.sources)
    seen = sources.remembered(config)
    rows = [
        (source, file)
        for source in chosen
        if source.name in seen
        for file in seen[source.name].files
    ]
    if as_json:
        print_json([file_document(source, file) for source, file in rows])
    else:
        table(
            ("WORKFLOW", "BACKEND"),
            [(f"{source.name}:{file}", source.backend) for source, file in rows],
            empty="no workflow files; 'hopper source sync' looks for them",
        )
    for source in chosen:
        if source.name not in seen:
            text = f"{source.name} was not looked at yet; run 'hopper source sync {source.name}'"
            click.echo(text, err=True)


def _show(config: HopperConfig, sources: Sequence[Source], *, as_json: bool) -> None:
    from hopper.operations.sources import remembered

    seen = remembered(config)
    if as_json:
        print_json([source_document(source, seen.get(source.name)) for source in sources])
        return
    table(
        ("SOURCE", "TYPE", "BACKEND", ">FILES", "COMMIT", "SEEN", "WHERE"),
        [_row(source, seen.get(source.name)) for source in sources],
        empty="no sources; add 'sources:' to the config",
    )


def _row(source: Source, seen: Synced | None) -> tuple[str | Text, ...]:
    count = f"{len(seen.files)}{'+' if seen.more else ''}" if seen is not None else "-"
    looked: str | Text = "never"
    if seen is not None:
        looked = f"{ago(seen.at)} ago"
        if seen.error:
            looked = Text(f"failed {looked}", style="red")
    return (
        source.name,
        str(source.type),
        source.backend,
        count,
        seen.sha[:10] or "-" if seen is not None else "-",
        looked,
        str(source.url or source.path),
    )
