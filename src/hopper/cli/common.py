"""What the commands share: the config, finding jobs, and printing for people and for scripts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hopper.config.load import load
from hopper.config.model import HopperConfig
from hopper.documents.words import printable
from hopper.model.job import Job
from hopper.model.states import JobState

F = TypeVar("F", bound=Callable[..., Any])

READABLE = 30
"""Characters from which on a column is worth wrapping."""
STATE_STYLES = {
    JobState.PENDING: "yellow",
    JobState.SUBMITTED: "cyan",
    JobState.RUNNING: "blue",
    JobState.SETTLING: "blue",
    JobState.COMPLETED: "green",
    JobState.FAILED: "red",
    JobState.CANCELLED: "magenta",
    JobState.DEP_FAILED: "red",
}


def config_of(ctx: click.Context) -> HopperConfig:
    """Return the config that this call is about."""
    path = ctx.find_root().obj
    return load(path if isinstance(path, Path) else None)


def examples(*lines: str) -> str:
    """Return the examples for a command's ``--help``."""
    return "Examples:\n\n\b\n" + "\n".join(f"  {line}" for line in lines)


def json_option(command: F) -> F:
    """Add ``--json`` to a command that prints data."""
    option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
    return option(command)


def limit_option(shown: int) -> Callable[[F], F]:
    """Return the option ``--limit`` of a list that is cut after so many unless more are asked."""
    return click.option(
        "--limit",
        type=click.IntRange(0),
        default=shown,
        show_default=True,
        help="Only the newest so many; 0 for all.",
    )


def print_json(document: object) -> None:
    """Print a document as JSON."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def console(*, stderr: bool = False) -> Console:
    """Return where to print to: colours on a terminal, plain text in a pipe."""
    return Console(stderr=stderr, highlight=False, soft_wrap=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, empty: str) -> None:
    """Print a table that fits the terminal; tab-separated lines when piped."""
    rows = list(rows)
    out = console()
    if not out.is_terminal:
        for row in rows:
            click.echo("\t".join(_plain(cell) for cell in row))
        return
    if not rows:
        click.echo(empty)
        return
    out.print(grid(columns, rows))


def grid(
    columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, width: int | None = None
) -> Table:
    """Return a table for a terminal; the last column gives way to the others.

    A name that begins with ``>`` is that of a column set to the right. ``width`` is the
    terminal's. The last column wraps where that leaves it readable, else it is cut.
    """
    cells = [[_shown(cell) for cell in row] for row in rows]
    names = [column.removeprefix(">") for column in columns]
    taken = [
        max([len(name), *(row[number].cell_len for row in cells)]) + 2
        for number, name in enumerate(names)
    ]
    room = max(8, (width or console().width) - sum(taken[:-1]))
    drawn = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for number, name in enumerate(names):
        last = number == len(names) - 1
        drawn.add_column(
            name,
            no_wrap=not last or room < READABLE,
            overflow="ellipsis",
            max_width=room if last else None,
            justify="right" if columns[number].startswith(">") else "left",
        )
    for row in cells:
        drawn.add_row(*row)
    return drawn


def _shown(cell: str | Text) -> Text:
    return Text(printable(cell)) if isinstance(cell, str) else cell


def _plain(cell: str | Text) -> str:
    text = cell.plain if isinstance(cell, Text) else cell
    return printable(text)


def state_text(job: Job) -> Text:
    """Return a job's state in its colour."""
    word = "held" if job.held and job.state is JobState.PENDING else str(job.state)
    return Text(word, style=STATE_STYLES[job.state])
