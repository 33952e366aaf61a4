"""``hopper service``: the dispatcher, and its web page if wanted, as a systemd user unit."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from shutil import which

import click

from hopper.cli.common import config_of, examples, json_option, print_json
from hopper.cli.web import check_extra
from hopper.errors import HopperError
from hopper.service.unit import render_unit
from hopper.service.user import ServiceState, UserService, run_command, unit_folder

PASSED_ON = ("SSH_AUTH_SOCK", "ANSIBLE_CONFIG", "ANSIBLE_VAULT_PASSWORD_FILE", "LANG", "PATH")
"""Variables that the unit keeps from the shell that installs it."""
KEYS = ("name", "path", "installed", "active", "enabled", "pid", "lingers")

name_option = click.option(
    "--name", default="hopper", show_default=True, help="The unit's name, without .service."
)


@click.group(epilog=examples("hopper service install", "hopper service status"))
def command() -> None:
    """Have systemd run hopper dispatch or hopper web, from login or boot on."""


@command.command(
    "install",
    epilog=examples(
        "hopper service install",
        "hopper service install --web",
        "hopper service install --name lab",
    ),
)
@name_option
@click.option(
    "--web", is_flag=True, help="Serve the web page too, as 'hopper web --dispatch' does."
)
@click.option("--print", "only_print", is_flag=True, help="Print the unit; install nothing.")
@click.pass_context
def install(ctx: click.Context, *, name: str, web: bool, only_print: bool) -> None:
    """Write a user unit for this config and start it; again is harmless."""
    if web:
        check_extra()
    config = config_of(ctx)
    kept = {key: os.environ[key] for key in PASSED_ON if os.environ.get(key)}
    # The path as it is called by: resolving it would leave the virtual environment.
    text = render_unit(config=config.source, python=Path(sys.executable), environment=kept, web=web)
    if only_print:
        click.echo(text, nl=False)
        return
    state = _service(name).install(text)
    click.echo(f"{state.name} is {state.active} ({state.path})")
    _hint(state)


@command.command("status", epilog=examples("hopper service status", "hopper service status --json"))
@name_option
@json_option
@click.pass_context
def status(ctx: click.Context, *, name: str, as_json: bool) -> None:
    """Say how the unit stands; exit code 1 unless it is active.

    JSON: name, path, installed, active, enabled, pid, lingers.
    """
    state = _service(name).state()
    if as_json:
        print_json({key: getattr(state, key) for key in KEYS})
    elif not state.installed:
        click.echo(f"{state.name} is not installed; 'hopper service install' does it")
    else:
        pid = f", pid {state.pid}" if state.pid else ""
        click.echo(f"{state.name} is {state.active}, {state.enabled}{pid} ({state.path})")
        _hint(state)
        click.echo(f"its log: journalctl --user -u {state.name}")
    ctx.exit(0 if state.installed and state.active == "active" else 1)


@command.command("remove", epilog=examples("hopper service remove"))
@name_option
def remove(*, name: str) -> None:
    """Stop the dispatcher and take the unit away; jobs on workers run on."""
    service = _service(name)
    if service.remove():
        click.echo(f"{service.name} is gone; jobs on workers run on")
    else:
        click.echo(f"there is no {service.name}")


def _service(name: str) -> UserService:
    if which("systemctl") is None:
        raise HopperError(
            "this machine has no systemd",
            way_out="run 'hopper dispatch' under tmux or nohup, or from your own init",
        )
    folder = unit_folder(os.environ, Path.home())
    return UserService(folder=folder, run=run_command, name=name)


def _hint(state: ServiceState) -> None:
    if state.installed and state.lingers is False:
        click.echo("it ends when you log out; 'loginctl enable-linger' lets it run on")
