"""What the commands that change jobs share: one command to the state, one line a job."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

import click

from hopper.bootstrap import commands
from hopper.bootstrap.state import read_state
from hopper.cli.choosing import Selection, select, selection_options
from hopper.cli.common import config_of, examples, json_option, print_json
from hopper.documents.words import printable
from hopper.model.job import Job

SHOWN = 20
"""Lines that a terminal is given at most."""


@dataclass(frozen=True, kw_only=True)
class Changed:
    """What came of a change: a word for each job that it was done to, a line for each refused."""

    done: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """1 when one was refused."""
        return int(bool(self.refused))


def change_command(
    act: str, purpose: str, *, fits: Callable[[Job], bool], lines: tuple[str, ...]
) -> click.Command:
    """Return the command for an act on jobs that needs nothing but the jobs.

    ``purpose`` is the first line of its help, ``lines`` are its examples; ``fits`` tells the
    jobs that it can be done to, which counts only where jobs are not named one by one.
    """

    @click.command(
        help=f"{purpose}\n\nJOB is an id, the start of one, or a name.", epilog=examples(*lines)
    )
    @selection_options()
    @json_option
    @click.pass_context
    def command(ctx: click.Context, *, as_json: bool, selection: Selection) -> None:
        changed = change_jobs(ctx, selection, {"do": act}, fits=fits, act=act, as_json=as_json)
        ctx.exit(changed.exit_code)

    return command


def change_jobs(
    ctx: click.Context,
    selection: Selection,
    body: Mapping[str, object],
    *,
    fits: Callable[[Job], bool],
    act: str,
    as_json: bool,
) -> Changed:
    """Have a change made to the selected jobs and tell what came of each."""
    config = config_of(ctx)
    with read_state(config) as store:
        ids = select(store, selection, fits=fits, act=act)
    changed = Changed()
    if ids:
        answer = commands.give(config, {**body, "jobs": ids})
        changed = Changed(
            done=cast("Mapping[str, str]", answer.get("done", {})),
            refused=cast("Mapping[str, str]", answer.get("refused", {})),
        )
    if as_json:
        print_json({"done": changed.done, "refused": changed.refused})
    elif ids:
        _tell(changed.done, changed.refused)
    else:
        click.echo(f"there is no job to {act}", err=True)
    return changed


def _tell(done: Mapping[str, str], refused: Mapping[str, str]) -> None:
    limit = SHOWN if sys.stdout.isatty() else len(done) + len(refused)
    for job_id, word in list(done.items())[:limit]:
        click.echo(printable(f"{job_id}: {word}"))
    if len(done) > limit:
        click.echo(f"and {len(done) - limit} more")
    for text in list(refused.values())[:limit]:
        click.echo(printable(f"hopper: {text}"), err=True)
    if len(refused) > limit:
        click.echo(f"hopper: and {len(refused) - limit} more were refused", err=True)
