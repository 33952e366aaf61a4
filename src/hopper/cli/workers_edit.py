"""The commands of ``hopper workers`` that change something."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hopper.cli.common import config_of, examples, printable
from hopper.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from hopper.ansible.host_keys import HostKey
    from hopper.config.model import HopperConfig

WORKER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")


@dataclass(frozen=True, kw_only=True)
class NewWorker:
    """What ``hopper workers add`` was told."""

    name: str
    host: str | None
    user: str | None
    port: int | None
    inbox: str | None
    outbox: str | None
    slots: int
    gpus: int
    tags: tuple[str, ...]
    connection: str
    key_file: Path | None

    @property
    def local(self) -> bool:
        """True for a worker on this machine."""
        return self.connection == "local"

    def variables(self) -> dict[str, object]:
        """Return its host variables; defaults are left out."""
        own = f"~/hopper/{self.name}"
        values: dict[str, object] = {
            "ansible_connection": "local" if self.local else None,
            "ansible_host": self.host,
            "ansible_user": self.user,
            "ansible_port": self.port,
            "ansible_ssh_private_key_file": str(self.key_file) if self.key_file else None,
            # Several on one machine must not share an Inbox.
            "hopper_inbox": self.inbox or (f"{own}/Inbox" if self.local else None),
            "hopper_outbox": self.outbox or (f"{own}/Outbox" if self.local else None),
            "hopper_slots": self.slots if self.slots != 1 else None,
            "hopper_gpus": self.gpus or None,
            "hopper_tags": list(self.tags) or None,
        }
        return {name: value for name, value in values.items() if value is not None}


@click.command(
    epilog=examples(
        "hopper workers add gpu1 --host 10.0.0.21 --user alice --slots 2 --gpus 2 --tag cuda",
        "hopper workers add here --connection local --setup",
        "hopper workers add gpu1 --host 10.0.0.21 --accept-key SHA256:abc...",
    )
)
@click.argument("name")
@click.option("--host", help="Address, or a name that ssh knows; NAME when left out.")
@click.option("--user", help="Who to log in as; what ssh says when left out.")
@click.option("--port", type=click.IntRange(1, 65535), help="The ssh port.")
@click.option("--inbox", metavar="FOLDER", help="Its Inbox; ~/Inbox when left out.")
@click.option("--outbox", metavar="FOLDER", help="Its Outbox; ~/Outbox when left out.")
@click.option("--slots", type=click.IntRange(1), default=1, help="Jobs at a time; 1.")
@click.option("--gpus", type=click.IntRange(0), default=0, help="Shared out over the slots; 0.")
@click.option("--tag", "tags", multiple=True, help="A tag that jobs may ask for; repeatable.")
@click.option("--connection", type=click.Choice(["ssh", "local"]), default="ssh")
@click.option(
    "--key",
    "key_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, resolve_path=True),
    help="The private key to log in with.",
)
@click.option("--accept-key", metavar="FINGERPRINT", help="Record its host key if it is this one.")
@click.option("--setup/--no-setup", default=None, help="Make its Inbox and Outbox at once.")
@click.option("--yes", is_flag=True, help="Accept its host key and set it up unasked.")
@click.pass_context
def add(
    ctx: click.Context,
    /,
    *,
    accept_key: str | None,
    setup: bool | None,
    yes: bool,
    **told: object,
) -> None:
    """Add a worker to the inventory, and record its host key after showing it."""
    worker = NewWorker(**told)  # type: ignore[arg-type]
    config = config_of(ctx)
    file = _inventory_to_edit(config)
    _check_new(config, worker)
    if not worker.local:
        _trust(config, worker, accept_key=accept_key, yes=yes)
    from hopper.ansible.inventory_file import add_worker

    add_worker(file, worker.name, worker.variables(), group=config.dispatch.workers_group)
    click.echo(f"added {worker.name} to {file}")
    if setup is None:
        setup = yes or (_interactive() and click.confirm("Make its Inbox and Outbox now?", True))
    if not setup:
        click.echo(f"next: hopper workers setup {worker.name}")
        return
    from hopper.cli.workers import look_and_show

    if not look_and_show(config, [worker.name], make=True):
        ctx.exit(1)


def _check_new(config: HopperConfig, worker: NewWorker) -> None:
    problem = next((text for wrong, text in _problems(worker) if wrong), None)
    if problem is not None:
        raise UsageError(problem)
    if worker.name in _known(config):
        raise UsageError(
            f"there is a worker {worker.name} already",
            way_out=f"edit it in the inventory, or 'hopper workers remove {worker.name}' first",
        )


def _problems(worker: NewWorker) -> Iterator[tuple[bool, str]]:
    name = worker.name
    yield (
        not WORKER_NAME.match(name) or name in {"all", "ungrouped"},
        f"{name!r} is no name for a worker; letters, digits, _ . - make one",
    )
    remote = worker.host or worker.user or worker.port or worker.key_file
    yield worker.local and bool(remote), "a local worker has no address, user or key"
    for value in (worker.host, worker.user):
        odd = value is not None and not re.fullmatch(r"[^\s-]\S*", value)
        yield odd, f"{value!r} is no address or user"
    for tag in worker.tags:
        yield not re.fullmatch(r"[^\s,]+", tag), "a tag is one word; give --tag several times"
    for folder in (worker.inbox, worker.outbox):
        odd = folder is not None and not folder.startswith(("/", "~/"))
        yield odd, f"{folder!r} must be absolute or begin with ~/ (in quotes)"


def _known(config: HopperConfig) -> set[str]:
    from hopper.bootstrap import read_inventory

    try:
        return set(read_inventory(config).workers)
    except ConfigError:
        # An inventory without workers yet; a broken one is told of when it is edited.
        return {worker.name for worker in config.workers}


def _trust(config: HopperConfig, worker: NewWorker, *, accept_key: str | None, yes: bool) -> None:
    from hopper.ansible import host_keys

    address = host_keys.Address(
        host=worker.host or worker.name,
        user=worker.user or "",
        port=worker.port,
        options=config.dispatch.ssh_options,
    )
    key = host_keys.shown_key(address)
    file = host_keys.known_hosts(address)
    click.echo(f"host key of {printable(key.name)}: {key.kind} {key.fingerprint}")
    if accept_key is not None and _bare(accept_key) != _bare(key.fingerprint):
        raise UsageError("that is not the key that was to be accepted", way_out="nothing was done")
    if host_keys.is_recorded(key, file):
        click.echo(f"it is in {file} already")
        return
    if accept_key is None and not yes:
        _ask(key)
    host_keys.record(key, file)
    click.echo(f"recorded it in {file}")


def _bare(fingerprint: str) -> str:
    return fingerprint.strip().removeprefix("SHA256:").rstrip("=")


def _ask(key: HostKey) -> None:
    if not _interactive():
        raise UsageError(
            "its host key is not known yet and nobody is here to ask",
            way_out=f"compare it, then --accept-key {key.fingerprint}",
        )
    click.echo("On that machine it is shown by: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
    if not click.confirm("Is it the right one?"):
        raise click.Abort


def _interactive() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


# --- remove


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
    from hopper.bootstrap import read_state

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
    config = config_of(ctx)
    _existing(config, names)
    _set_drained(config, names, drained=True)
    for name in names:
        jobs = len(_jobs_on(config, name))
        click.echo(f"{name} is drained{f'; {jobs} jobs are still on it' if jobs else ''}")


@click.command(epilog=examples("hopper workers resume gpu1", "hopper workers resume"))
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.pass_context
def resume(ctx: click.Context, *, names: tuple[str, ...]) -> None:
    """Let these workers take jobs again: ends drain, quarantine and back-off.

    With no name: ends the pause of all launching.
    """
    from hopper.bootstrap import command

    config = config_of(ctx)
    if not names:
        command(config, {"do": "resume"})
        click.echo("jobs are launched again")
        return
    drained = _existing(config, names)
    _set_drained(config, [name for name in names if name in drained], drained=False)
    command(config, {"do": "look", "workers": list(names)})
    for name in names:
        click.echo(f"{name} may take jobs again")


@click.command(epilog=examples("hopper workers pause", "hopper workers resume"))
@click.pass_context
def pause(ctx: click.Context) -> None:
    """Launch nothing on any worker until 'hopper workers resume'; following goes on."""
    from hopper.bootstrap import command

    command(config_of(ctx), {"do": "pause"})
    click.echo("nothing is launched until 'hopper workers resume'")


def _existing(config: HopperConfig, names: Sequence[str]) -> set[str]:
    """Return which workers are drained; UsageError for names that are none."""
    from hopper.bootstrap import read_inventory
    from hopper.doctor import chosen_workers

    reading = read_inventory(config)
    return {worker.name for worker in chosen_workers(reading, names) if worker.drained}


def _set_drained(config: HopperConfig, names: Sequence[str], *, drained: bool) -> None:
    from hopper.ansible.inventory_file import set_var

    for name in names:
        change = partial(set_var, host=name, key="hopper_drained", value=drained)
        _edit(config, name, change)


# --- the inventory's files


def _files(config: HopperConfig) -> list[Path]:
    files = [Path(source) for source in config.inventory if "," not in source]
    if not files:
        raise UsageError(
            f"{config.source} names no inventory file",
            way_out="set 'inventory: inventory.yml' there",
        )
    return files


def _inventory_to_edit(config: HopperConfig) -> Path:
    files = _files(config)
    editable = [
        file
        for file in files
        if file.suffix in {".yml", ".yaml"} and not (file.is_file() and os.access(file, os.X_OK))
    ]
    return (editable or files)[0]


def _edit(config: HopperConfig, name: str, change: Callable[[Path], None]) -> Path:
    """Make the change in the first inventory file that has the worker; return the file."""
    if any(worker.name == name for worker in config.workers):
        raise UsageError(
            f"{name} is named in the config itself", way_out=f"edit it in {config.source}"
        )
    refusal: UsageError | None = None
    for file in _files(config):
        try:
            change(file)
        except UsageError as error:
            refusal = refusal or error
        else:
            return file
    raise refusal or UsageError(f"no worker {name}")
