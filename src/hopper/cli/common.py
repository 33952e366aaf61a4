"""What the commands share: the config, finding jobs, and printing for people and for scripts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hopper.config.load import load
from hopper.config.model import HopperConfig
from hopper.errors import UnknownJob, UsageError
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


def printable(text: str) -> str:
    """Return a text from outside as one line that no terminal takes for commands."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def state_text(job: Job) -> Text:
    """Return a job's state in its colour."""
    word = "held" if job.held and job.state is JobState.PENDING else str(job.state)
    return Text(word, style=STATE_STYLES[job.state])


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """Return how long ago a moment was, in its largest unit."""
    if moment is None:
        return "-"
    return duration(((now or datetime.now(UTC)) - moment).total_seconds())


def duration(seconds: float) -> str:
    """Return a duration in its two largest units."""
    seconds = max(0, int(seconds))
    for size, unit, small, small_unit in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "m"),
        (60, "m", 1, "s"),
    ):
        if seconds >= size:
            rest = seconds % size // small
            return f"{seconds // size}{unit}{f' {rest}{small_unit}' if rest else ''}"
    return f"{seconds}s"


def size_text(count: int | None) -> str:
    """Return a number of bytes for people."""
    if count is None:
        return "-"
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def find_job(jobs: Mapping[str, Job], reference: str) -> Job:
    """Return the job that a person means: an id, the start of one, or a name.

    Raises UnknownJob, or UsageError where several answer.
    """
    if reference in jobs:
        return jobs[reference]
    found = [job for job in jobs.values() if job.name == reference]
    found = found or [job for job in jobs.values() if job.id.startswith(reference)]
    if not found:
        raise UnknownJob(reference)
    if len(found) > 1:
        newest = sorted(found, key=lambda job: job.submitted_at, reverse=True)
        names = ", ".join(job.id for job in newest[:5])
        raise UsageError(f"{reference!r} may be {names}", way_out="give the whole id")
    return found[0]
