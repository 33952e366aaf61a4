"""The commands of ``hopper workers`` that change those that there are."""

from __future__ import annotations

from functools import partial

import click

from hopper.cli.common import config_of, examples
from hopper.errors import UsageError
from hopper.operations.workers import drain as drain_them
from hopper.operations.workers import edit_inventory, jobs_on
from hopper.operations.workers import resume as resume_them


@click.command(epilog=examples("hopper workers remove gpu1", "hopper workers remove gpu1 --force"))
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--force", is_flag=True, help="Though jobs are on it; they stay there unwatched.")
@click.pass_context
def remove(ctx: click.Context, *, names: tuple[str, ...], force: bool) -> None:
    """Take workers out of the inventory; what lies on them stays there."""
    from hopper.ansible.inventory_file import remove_worker

    config = config_of(ctx)
    for name in names:
        jobs = [] if force else jobs_on(config, name)
        if jobs:
            raise UsageError(
                f"{len(jobs)} jobs are on {name}: {', '.join(jobs[:5])}",
                way_out=f"'hopper workers drain {name}' and wait for them, or --force",
            )
    for name in names:
        file = edit_inventory(config, name, partial(remove_worker, name=name))
        click.echo(f"removed {name} from {file}")


# --- drain, resume, pause


@click.command(epilog=examples("hopper workers drain gpu1 gpu2"))
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.pass_context
def drain(ctx: click.Context, *, names: tuple[str, ...]) -> None:
    """Send no new jobs to these workers; those they have are followed to their end."""
    from hopper.bootstrap.state import dispatching

    config = config_of(ctx)
    for name, jobs in drain_them(config, names).items():
        click.echo(f"{name} is drained{f'; {jobs} jobs are still on it' if jobs else ''}")
    if dispatching(config) is not None:
        click.echo("the dispatcher that runs takes it up within seconds", err=True)


@click.command(epilog=examples("hopper workers resume gpu1", "hopper workers resume"))
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.pass_context
def resume(ctx: click.Context, *, names: tuple[str, ...]) -> None:
    """Let these workers take jobs again: ends drain, quarantine and back-off.

    With no name: ends the pause of all launching.
    """
    from hopper.bootstrap import commands

    config = config_of(ctx)
    if not names:
        commands.give(config, {"do": "resume"})
        click.echo("jobs are launched again")
        return
    resume_them(config, names)
    for name in names:
        click.echo(f"{name} may take jobs again")


@click.command(epilog=examples("hopper workers pause", "hopper workers resume"))
@click.pass_context
def pause(ctx: click.Context) -> None:
    """Launch nothing on any worker until 'hopper workers resume'; following goes on."""
    from hopper.bootstrap import commands

    commands.give(config_of(ctx), {"do": "pause"})
    click.echo("nothing is launched until 'hopper workers resume'")


# --- the inventory's files
