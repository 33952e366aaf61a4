"""``hopper config``: is the config right, and what is in force."""

from __future__ import annotations

from pathlib import Path

import click
import yaml

from hopper.cli.common import config_of, examples, json_option, print_json
from hopper.config.load import InvalidConfig, load, locate
from hopper.config.model import HopperConfig
from hopper.documents.words import printable
from hopper.errors import ConfigError


@click.group(epilog=examples("hopper config check", "hopper config show"))
def command() -> None:
    """Check the config, or show what is in force."""


@command.command(
    "check", epilog=examples("hopper config check", "hopper --config x.yaml config check")
)
@json_option
@click.pass_context
def check(ctx: click.Context, *, as_json: bool) -> None:
    """Say all that is wrong with the config, a line for each; exit code 2 when anything is.

    JSON: file, ok, problems.
    """
    named = ctx.find_root().obj
    place = locate(named if isinstance(named, Path) else None)
    try:
        config = load(place)
    except InvalidConfig as error:
        problems = error.problems
    else:
        problems = _unknown_kinds(config)
    if as_json:
        print_json({"file": str(place), "ok": not problems, "problems": list(problems)})
    else:
        for problem in problems:
            click.echo(f"hopper: {printable(problem)}", err=True)
        if not problems:
            click.echo(f"{place} is right")
    if problems:
        ctx.exit(2)


def _unknown_kinds(config: HopperConfig) -> tuple[str, ...]:
    """Return what is wrong with the backends' types, which other packages may add to."""
    from hopper.bootstrap.backends import systems

    try:
        systems(config)
    except ConfigError as error:
        return (str(error),)
    return ()


@command.command("show", epilog=examples("hopper config show", "hopper config show --json"))
@json_option
@click.pass_context
def show(ctx: click.Context, *, as_json: bool) -> None:
    """Print every key with the value in force, defaults and absolute paths included.

    JSON: the keys of hopper.yaml.
    """
    config = config_of(ctx)
    values = config.model_dump(mode="json")
    if as_json:
        print_json(values)
        return
    click.echo(f"# {printable(str(config.source))}, with the defaults")
    click.echo(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=1000), nl=False)
