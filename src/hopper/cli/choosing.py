"""Which jobs a command is about: ids, the starts of ids, names, or a whole selection."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.shell_completion import CompletionItem

from hopper.config.load import load
from hopper.errors import HopperError, UsageError
from hopper.model.job import Job
from hopper.operations.finding import live_jobs
from hopper.operations.selecting import FAILED

if TYPE_CHECKING:
    from hopper.store.state import StateStore

F = TypeVar("F", bound=Callable[..., Any])

COMPLETIONS = 200
"""Ids that a shell is offered at most."""


# --- shell completion


def complete_job(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the ids of jobs; nothing where config or state cannot be read."""
    del param
    from hopper.bootstrap.state import read_state

    try:
        path = ctx.find_root().params.get("config_file")
        with read_state(load(path if isinstance(path, Path) else None)) as store:
            ids = [job_id for job_id in store.jobs if job_id.startswith(incomplete)]
            newest = sorted(ids[-COMPLETIONS:])
            return [CompletionItem(job_id, help=str(store.jobs[job_id].state)) for job_id in newest]
    except (HopperError, OSError):
        return []


def job_argument(command: F) -> F:
    """Add the argument JOB."""
    argument = click.argument("reference", metavar="JOB", shell_complete=complete_job)
    return argument(command)


def jobs_argument(*, required: bool) -> Callable[[F], F]:
    """Add the argument JOB…."""
    return click.argument(
        "references",
        metavar="JOB..." if required else "[JOB]...",
        nargs=-1,
        required=required,
        shell_complete=complete_job,
    )


# --- one job


# --- many jobs


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The jobs that a command that changes them is about, as the person named them."""

    references: tuple[str, ...] = ()
    every: bool = False
    failed: bool = False
    tags: tuple[str, ...] = ()
    sure: bool = False
    """No question is to be asked."""

    @property
    def by_rule(self) -> bool:
        """True when no job is named."""
        return self.every or self.failed or bool(self.tags)


def selection_options(*, failed: bool = False) -> Callable[[F], F]:
    """Add JOB… and the options that select jobs; the command gets a ``selection``."""

    def add(command: F) -> F:
        @functools.wraps(command)
        def with_selection(
            *args: object,
            references: tuple[str, ...],
            every: bool,
            tags: tuple[str, ...],
            sure: bool,
            failed: bool = False,
            **others: object,
        ) -> object:
            selection = Selection(
                references=references, every=every, failed=failed, tags=tags, sure=sure
            )
            return command(*args, selection=selection, **others)

        options = [
            jobs_argument(required=False),
            click.option("--all", "every", is_flag=True, help="All jobs that it can be done to."),
            click.option("--tag", "tags", multiple=True, help="Those that ask for this tag."),
            click.option("--yes", "-y", "sure", is_flag=True, help="Do not ask first."),
        ]
        if failed:
            options.append(click.option("--failed", is_flag=True, help="Those that have failed."))
        wrapped: Any = with_selection
        for option in reversed(options):
            wrapped = option(wrapped)
        return cast("F", wrapped)

    return add


def select(
    store: StateStore, selection: Selection, *, fits: Callable[[Job], bool], act: str
) -> list[str]:
    """Return the ids of the jobs that a person means; asks before it takes a whole selection.

    ``fits`` tells the jobs that the act can be done to; it counts only for selections. Raises
    UsageError where none is named, where names and selections are mixed, and where there is
    nobody to ask.
    """
    if selection.references and selection.by_rule:
        raise UsageError("name jobs, or select them by --all, --failed or --tag, not both")
    if selection.references:
        return live_jobs(store, selection.references)
    if not selection.by_rule:
        raise UsageError("no job was named", way_out="see 'hopper jobs' for their ids")
    chosen = [job for job in store.jobs.values() if fits(job) and _selected(job, selection)]
    if chosen and not selection.sure:
        _ask(chosen, act)
    return [job.id for job in chosen]


def _selected(job: Job, selection: Selection) -> bool:
    if selection.failed and job.state not in FAILED:
        return False
    return frozenset(selection.tags) <= job.spec.requirements.tags


def _ask(chosen: Sequence[Job], act: str) -> None:
    count = "1 job" if len(chosen) == 1 else f"{len(chosen)} jobs"
    if not sys.stdin.isatty():
        raise UsageError(f"this would {act} {count}", way_out="say --yes if it shall")
    click.confirm(f"{act} {count}?", abort=True, err=True)
