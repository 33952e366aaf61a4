"""``hopper workers add``: a machine becomes a worker, its host key shown and recorded."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hopper.cli.common import config_of, examples
from hopper.documents.words import printable
from hopper.errors import ConfigError, UsageError
from hopper.operations.workers import inventory_files

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
    from hopper.cli.workers_look import look_and_show

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
    from hopper.bootstrap.inventory import read_inventory

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


def _inventory_to_edit(config: HopperConfig) -> Path:
    files = inventory_files(config)
    editable = [
        file
        for file in files
        if file.suffix in {".yml", ".yaml"} and not (file.is_file() and os.access(file, os.X_OK))
    ]
    return (editable or files)[0]
