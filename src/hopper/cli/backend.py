"""``hopper backend``: the batch systems that the tasks of runs go to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from hopper.cli.backend_look import check, info, jobs
from hopper.cli.backend_tables import COLUMNS, backend_row
from hopper.cli.common import config_of, examples, json_option, print_json, table
from hopper.cli.login import keep_option, open_connection
from hopper.cli.workflow_choosing import backend_argument
from hopper.documents.backends import backend_document

if TYPE_CHECKING:
    from datetime import timedelta

    from hopper.config.model import HopperConfig
    from hopper.dispatch.backend_views import BackendView


@click.group(
    epilog=examples(
        "hopper backend list", "hopper backend check", "hopper backend login hpc-cluster"
    )
)
def command() -> None:
    """List, check, pause and resume batch systems, log in to them, see what they have.

    Backends are those of the config: slurm, pbs, lsf, gridengine, and local for this machine.
    """


for part in (check, jobs, info):
    command.add_command(part)


@command.command("list", epilog=examples("hopper backend list", "hopper backend list --json"))
@json_option
@click.pass_context
def show_all(ctx: click.Context, *, as_json: bool) -> None:
    """List the backends and how they stand, as far as is remembered.

    JSON: a list with name, type, host, state, detail, paused, counts (our jobs by state),
    max_concurrent, last_contact, no_contact_since, not_before, free_bytes, clock_skew_seconds.
    """
    views = _views(config_of(ctx))
    if as_json:
        print_json([backend_document(view) for view in views])
        return
    now = datetime.now(UTC)
    table(
        COLUMNS,
        [backend_row(view, now) for view in views],
        empty="no backends; add them to 'backends:' in the config",
    )


def _views(config: HopperConfig) -> tuple[BackendView, ...]:
    from hopper.bootstrap.backends import systems
    from hopper.bootstrap.state import read_state
    from hopper.dispatch.backend_views import backend_views
    from hopper.dispatch.book import Book

    with read_state(config) as store:
        book = Book(store.jobs.values(), store.workers.values(), store.settings)
    return backend_views(book, systems(config).targets())


@command.command("pause", epilog=examples("hopper backend pause hpc-cluster"))
@backend_argument
@json_option
@click.pass_context
def pause(ctx: click.Context, *, name: str, as_json: bool) -> None:
    """Submit nothing more to a backend; what it has is followed to its end.

    JSON: backend, paused.
    """
    _set_paused(ctx, name, "pause_backend", as_json=as_json)


@command.command("resume", epilog=examples("hopper backend resume hpc-cluster"))
@backend_argument
@json_option
@click.pass_context
def resume(ctx: click.Context, *, name: str, as_json: bool) -> None:
    """Let a backend have jobs again.

    JSON: backend, paused.
    """
    _set_paused(ctx, name, "resume_backend", as_json=as_json)


def _set_paused(ctx: click.Context, name: str, act: str, *, as_json: bool) -> None:
    from hopper.bootstrap import commands
    from hopper.operations.asking import find_backend

    config = config_of(ctx)
    answer = commands.give(config, {"do": act, "backend": find_backend(config, name).name})
    if as_json:
        print_json(answer)
    else:
        click.echo(f"{name}: {'paused' if answer['paused'] else 'goes on'}")


@command.command(
    "login",
    epilog=examples(
        "hopper backend login hpc-cluster", "hopper backend login hpc-cluster --keep 2d"
    ),
)
@backend_argument
@keep_option
@click.pass_context
def login(ctx: click.Context, *, name: str, keep: timedelta) -> None:
    """Open the ssh connection to a backend's login node at this terminal.

    For those that ask for a password or a second factor. Hopper uses this one connection for as
    long as it lives, and never asks for another.
    """
    from hopper.operations.asking import find_backend

    config = config_of(ctx)
    backend = find_backend(config, name)
    ctx.exit(open_connection(config, backend.inventory_host, backend.name, keep))
