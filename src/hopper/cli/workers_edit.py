"""The commands of ``hopper workers`` that change those that there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hopper.cli.common import config_of, examples
from hopper.errors import UsageError

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig


@click.command(epilog=examples("hopper workers remove gpu1", "hopper workers remove gpu1 --force"))
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--force", is_flag=True, help="Though jobs are on it; they stay there unwatched.")
@click.pass_context
def remove(ctx: click.Context, *, names: tuple[str, ...], force: bool) -> None:
    """Take workers out of the inventory; what lies on them stays there."""
    from hopper.ansible.inventory_file import remove_worker

    config = config_of(ctx)
    for name in names:
        jobs = [] if force else _jobs_on(config, name)
        if jobs:
            raise UsageError(
                f"{len(jobs)} jobs are on {name}: {', '.join(jobs[:5])}",
                way_out=f"'hopper workers drain {name}' and wait for them, or --force",
            )
    for name in names:
        file = _edit(config, name, partial(remove_worker, name=name))
        click.echo(f"removed {name} from {file}")


def _jobs_on(config: HopperConfig, worker: str) -> list[str]:
    from hopper.bootstrap.state import read_state

    with read_state(config) as store:
        return [
            job.id
            for job in store.jobs.values()
            if (attempt := job.open_attempt) is not None and attempt.worker == worker
        ]


# --- drain, resume, pause


@click.command(epilog=examples("hopper workers drain gpu1 gpu2"))
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.pass_context
def drain(ctx: click.Context, *, names: tuple[str, ...]) -> None:
    """Send no new jobs to these workers; those they have are followed to their end."""
    from hopper.bootstrap.state import dispatching

    config = config_of(ctx)
    _existing(config, names)
    _set_drained(config, names, drained=True)
    for name in names:
        jobs = len(_jobs_on(config, name))
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
    drained = _existing(config, names)
    _set_drained(config, [name for name in names if name in drained], drained=False)
    commands.give(config, {"do": "look", "workers": list(names)})
    for name in names:
        click.echo(f"{name} may take jobs again")


@click.command(epilog=examples("hopper workers pause", "hopper workers resume"))
@click.pass_context
def pause(ctx: click.Context) -> None:
    """Launch nothing on any worker until 'hopper workers resume'; following goes on."""
    from hopper.bootstrap import commands

    commands.give(config_of(ctx), {"do": "pause"})
    click.echo("nothing is launched until 'hopper workers resume'")


def _existing(config: HopperConfig, names: Sequence[str]) -> set[str]:
    """Return which workers are drained; UsageError for names that are none."""
    from hopper.bootstrap.inventory import read_inventory
    from hopper.doctor import chosen_workers

    reading = read_inventory(config)
    return {worker.name for worker in chosen_workers(reading, names) if worker.drained}


def _set_drained(config: HopperConfig, names: Sequence[str], *, drained: bool) -> None:
    from hopper.ansible.inventory_file import set_var

    for name in names:
        change = partial(set_var, host=name, key="hopper_drained", value=drained)
        _edit(config, name, change)


# --- the inventory's files


def inventory_files(config: HopperConfig) -> list[Path]:
    """Return the inventory's files. UsageError where the config names none."""
    files = [Path(source) for source in config.inventory if "," not in source]
    if not files:
        raise UsageError(
            f"{config.source} names no inventory file",
            way_out="set 'inventory: inventory.yml' there",
        )
    return files


def _edit(config: HopperConfig, name: str, change: Callable[[Path], None]) -> Path:
    """Make the change in the first inventory file that has the worker; return the file."""
    if any(worker.name == name for worker in config.workers):
        raise UsageError(
            f"{name} is named in the config itself", way_out=f"edit it in {config.source}"
        )
    refusal: UsageError | None = None
    for file in inventory_files(config):
        try:
            change(file)
        except UsageError as error:
            refusal = refusal or error
        else:
            return file
    raise refusal or UsageError(f"no worker {name}")
