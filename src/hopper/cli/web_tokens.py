"""``hopper web token``: what programs and agents show the web server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from hopper.cli.common import config_of, examples, json_option, print_json, table
from hopper.cli.recording import on_record
from hopper.cli.times import a_duration, local

if TYPE_CHECKING:
    from hopper.web.security.tokens import Token, Tokens


@click.group(
    epilog=examples(
        "hopper web token create ci --role operator --expires 90d", "hopper web token list"
    )
)
def token() -> None:
    """Make, list and revoke the tokens of programs and agents.

    A program sends one as 'Authorization: Bearer TOKEN'. Once there is one, the page asks for a
    login, on this machine too.
    """


@token.command(
    epilog=examples(
        "hopper web token create ci --role operator --expires 90d",
        "hopper web token create gpu7 --role agent > gpu7.token",
    )
)
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(("viewer", "operator", "admin", "agent")),
    required=True,
    help="As for users; agent: may only pull jobs.",
)
@click.option(
    "--expires", type=a_duration, metavar="DURATION", help="How long it lasts; else until revoked."
)
@json_option
@click.pass_context
def create(
    ctx: click.Context, *, name: str, role: str, expires: timedelta | None, as_json: bool
) -> None:
    """Make a token and print it, once: only its hash is kept.

    JSON: name, role, created, expires, last_used, expired, token.
    """
    from hopper.web.security.roles import Role

    now = datetime.now(UTC)
    secret, made = _tokens(ctx).create(name, Role(role), now=now, lasts=expires)
    on_record(ctx, f"token {name} made as {role}")
    if as_json:
        print_json({**_document(made, now), "token": secret})
        return
    click.echo(secret)
    until = f"until {local(made.expires)}" if made.expires else "until it is revoked"
    click.echo(f"token {name}, {made.role}, {until}; it is not shown again", err=True)


@token.command("list", epilog=examples("hopper web token list", "hopper web token list --json"))
@json_option
@click.pass_context
def show_all(ctx: click.Context, *, as_json: bool) -> None:
    """List the tokens, without their secrets.

    JSON: a list with name, role, created, expires, last_used (to the hour), expired.
    """
    now, tokens = datetime.now(UTC), _tokens(ctx).all()
    if as_json:
        print_json([_document(one, now) for one in tokens])
        return
    table(
        ("TOKEN", "ROLE", "CREATED", "LAST USED", "EXPIRES"),
        [
            (
                one.name,
                str(one.role),
                local(one.created),
                local(one.last_used),
                "expired" if one.expired(now) else local(one.expires),
            )
            for one in tokens
        ],
        empty="no tokens; 'hopper web token create NAME --role viewer' makes one",
    )


@token.command(epilog=examples("hopper web token revoke ci"))
@click.argument("name")
@json_option
@click.pass_context
def revoke(ctx: click.Context, *, name: str, as_json: bool) -> None:
    """End a token, at once.

    JSON: revoked.
    """
    _tokens(ctx).revoke(name)
    on_record(ctx, f"token {name} revoked")
    if as_json:
        print_json({"revoked": name})
    else:
        click.echo(f"{name}: revoked")


def _tokens(ctx: click.Context) -> Tokens:
    from hopper.web.security.documents import web_folder
    from hopper.web.security.tokens import Tokens

    return Tokens(web_folder(config_of(ctx).paths.db))


def _document(token: Token, now: datetime) -> dict[str, object]:
    return {
        "name": token.name,
        "role": str(token.role),
        "created": token.created.isoformat(),
        "expires": token.expires.isoformat() if token.expires else None,
        "last_used": token.last_used.isoformat() if token.last_used else None,
        "expired": token.expired(now),
    }
