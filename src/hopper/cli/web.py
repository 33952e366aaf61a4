"""``hopper web``: the web page and the HTTP API."""

from __future__ import annotations

import importlib.util

import click

from hopper.cli.common import config_of, examples
from hopper.cli.web_tokens import token
from hopper.cli.web_users import user
from hopper.config.model import HopperConfig
from hopper.errors import HopperError

NEEDS = ("argon2", "fastapi", "multipart", "prometheus_client", "sse_starlette", "uvicorn")
"""What of the extra is looked for before anything is imported."""


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "hopper web --dispatch",
        "hopper web --port 8080",
        "hopper web --host 0.0.0.0 --dispatch",
        "hopper web user add alice --role admin",
    ),
)
@click.option("--host", help="The address to listen on, in place of web.host.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="The port, in place of web.port; 0 for a free one.",
)
@click.option("--dispatch", is_flag=True, help="Run the dispatcher beside it, in this one command.")
@click.option("-q", "--quiet", is_flag=True, help="Do not tell what the dispatcher does.")
@click.pass_context
def command(
    ctx: click.Context, *, host: str | None, port: int | None, dispatch: bool, quiet: bool
) -> None:
    """Serve the web page and the HTTP API.

    It shows what the dispatcher knows, and passes on what people ask for. Without --dispatch it
    goes with a 'hopper dispatch' that runs elsewhere on this machine.
    """
    if ctx.invoked_subcommand is not None:
        return
    check_extra()
    config = config_of(ctx)
    web = config.web.model_copy(
        update={
            **({} if host is None else {"host": host}),
            **({} if port is None else {"port": port}),
        }
    )
    changed = config.model_copy(update={"web": web})
    _serve(changed.read_from(config.source), dispatch=dispatch, quiet=quiet)


command.add_command(user)
command.add_command(token)


def check_extra() -> None:
    """Raise where the web page's packages are not installed."""
    if any(importlib.util.find_spec(name) is None for name in NEEDS):
        raise HopperError(
            "the web page needs packages that are not installed",
            way_out="run: pip install 'jobhopper[web]'",
        )


def _serve(config: HopperConfig, *, dispatch: bool, quiet: bool) -> None:
    from hopper.web.app import create_app
    from hopper.web.beside import DispatcherBeside
    from hopper.web.connections import Connections, Limits
    from hopper.web.opening import open_site
    from hopper.web.serve import affordable, listen, page_address, serve

    site = open_site(config)
    listening = listen(config.web.host, config.web.port)
    address = page_address(listening, config)

    serve(
        create_app(site),
        listening,
        connections=Connections(affordable(Limits()), trusted=config.web.trusted_proxies),
        beside=DispatcherBeside(config, quiet=quiet) if dispatch else None,
        ready=lambda: click.echo(f"hopper: the page is at {address}", err=True),
    )
