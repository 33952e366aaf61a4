"""``hopper workers login``, and what it shares with ``hopper backend login``.

Opens the ssh connection that hopper shares, at a person's terminal.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hopper.bootstrap import commands, inventory
from hopper.cli.common import config_of, examples
from hopper.cli.times import a_duration
from hopper.documents.words import duration
from hopper.errors import UsageError

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig

F = TypeVar("F", bound=Callable[..., Any])

KEEP = "12h"
_ASKING = (
    "BatchMode=no",
    "KbdInteractiveAuthentication=yes",
    "PasswordAuthentication=yes",
    "PreferredAuthentications=gssapi-with-mic,hostbased,publickey,keyboard-interactive,password",
    "ControlMaster=auto",
)
"""What ssh is to be told where a person can answer."""


def keep_option(command: F) -> F:
    """Add ``--keep``."""
    return click.option(
        "--keep",
        type=a_duration,
        default=KEEP,
        show_default=True,
        metavar="DURATION",
        help="How long the connection stays open while nothing uses it.",
    )(command)


@click.command("login", epilog=examples("hopper workers login gpu1"))
@click.argument("name", metavar="WORKER")
@keep_option
@click.pass_context
def login(ctx: click.Context, *, name: str, keep: timedelta) -> None:
    """Open the ssh connection to a worker at this terminal.

    For those that ask for a password or a second factor. Hopper uses this one connection for as
    long as it lives.
    """
    config = config_of(ctx)
    if name not in inventory.read_inventory(config).workers:
        raise UsageError(f"no worker {name!r}", way_out="see 'hopper workers list'")
    ctx.exit(open_connection(config, name, name, keep))


def open_connection(config: HopperConfig, host: str, name: str, keep: timedelta) -> int:
    """Log in to a host of the inventory and leave the connection open; return the exit code.

    ``name`` is what it is called in hopper; the dispatcher is told to try it at once.
    """
    words = inventory.login_words(config, host)
    if not words:
        click.echo(f"{name} is this machine; no login is needed")
        return 0
    ended = subprocess.run(asking_words(words, keep), check=False)
    if ended.returncode != 0:
        click.echo(f"hopper: the login to {name} failed; ssh has said why", err=True)
        return 1
    commands.give(config, {"do": "look", "workers": [name]})
    idle = duration(keep.total_seconds())
    click.echo(f"{name}: the connection is open, and closes when it was idle for {idle}")
    return 0


def asking_words(words: Sequence[str], keep: timedelta) -> list[str]:
    """Return the command that logs in where a person can answer, and leaves again at once.

    ``words`` is how a terminal is opened there. ssh takes the first value that it is told of
    each option, so these go before all others.
    """
    seconds = max(1, int(keep.total_seconds()))
    told = [f"-o{option}" for option in (*_ASKING, f"ControlPersist={seconds}s")]
    rest = [word for word in words[1:-1] if word != "-t"]
    return [words[0], *told, *rest, words[-1], "true"]
