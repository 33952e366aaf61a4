"""``hopper web user``: the people who may log in on the web page."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from hopper.cli.common import config_of, examples, json_option, print_json, table
from hopper.cli.recording import on_record
from hopper.cli.times import local
from hopper.errors import HopperError, UsageError

if TYPE_CHECKING:
    from hopper.web.security.accounts import Account, Accounts
    from hopper.web.security.passwords import Passwords

ROLES = ("viewer", "operator", "admin")
LONGEST_LINE = 4096
"""Bytes that are read of a password."""

_stdin_option = click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the password from the first line of standard input instead of asking for it.",
)


@click.group(
    epilog=examples(
        "hopper web user add alice --role admin",
        "hopper web user list",
        "hopper web user passwd al",
    )
)
def user() -> None:
    """Make, list and change the users of the web page.

    Once there is one, the page asks for a login, on this machine too. A server that runs sees a
    change at once.
    """


@user.command(
    epilog=examples(
        "hopper web user add alice --role admin",
        "hopper web user add bob --role viewer --password-stdin < secret.txt",
    )
)
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    required=True,
    help="viewer: sees; operator: acts on jobs, runs and workers; admin: everything.",
)
@_stdin_option
@json_option
@click.pass_context
def add(ctx: click.Context, *, name: str, role: str, password_stdin: bool, as_json: bool) -> None:
    """Make a user; the password is asked for twice.

    JSON: name, role, created.
    """
    from hopper.web.security.accounts import check_name
    from hopper.web.security.roles import Role

    accounts, passwords = _accounts(ctx), _passwords()
    check_name(name)
    if name in accounts.all():
        raise UsageError(
            f"there is a user {name} already",
            way_out=f"'hopper web user passwd {name}' sets another password",
        )
    hashed = passwords.hashed(_password(name, from_stdin=password_stdin))
    made = accounts.add(name, Role(role), hashed)
    on_record(ctx, f"user {name} made as {role}")
    _tell(made, "added", as_json=as_json)


@user.command("list", epilog=examples("hopper web user list", "hopper web user list --json"))
@json_option
@click.pass_context
def show_all(ctx: click.Context, *, as_json: bool) -> None:
    """List the users.

    JSON: a list with name, role, created.
    """
    accounts = sorted(_accounts(ctx).all().values(), key=lambda account: account.name)
    if as_json:
        print_json([_document(account) for account in accounts])
        return
    table(
        ("USER", "ROLE", "CREATED"),
        [(account.name, str(account.role), local(account.created)) for account in accounts],
        empty="no users; 'hopper web user add NAME --role admin' makes one",
    )


@user.command(
    epilog=examples(
        "hopper web user passwd alice", "hopper web user passwd alice --password-stdin < new.txt"
    )
)
@click.argument("name")
@_stdin_option
@json_option
@click.pass_context
def passwd(ctx: click.Context, *, name: str, password_stdin: bool, as_json: bool) -> None:
    """Change a user's password; this ends all their sessions.

    JSON: name, role, created.
    """
    accounts, passwords = _accounts(ctx), _passwords()
    if name not in accounts.all():
        raise UsageError(f"no user {name!r}", way_out="see 'hopper web user list'")
    hashed = passwords.hashed(_password(name, from_stdin=password_stdin))
    changed = accounts.set_password(name, hashed)
    on_record(ctx, f"password of user {name} changed")
    _tell(changed, "password changed", as_json=as_json)


@user.command(epilog=examples("hopper web user role alice operator"))
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
@json_option
@click.pass_context
def role(ctx: click.Context, *, name: str, role: str, as_json: bool) -> None:
    """Change what a user may do, at once.

    JSON: name, role, created.
    """
    from hopper.web.security.roles import Role

    changed = _accounts(ctx).set_role(name, Role(role))
    on_record(ctx, f"user {name} made {role}")
    _tell(changed, "role changed", as_json=as_json)


@user.command(epilog=examples("hopper web user remove alice"))
@click.argument("name")
@json_option
@click.pass_context
def remove(ctx: click.Context, *, name: str, as_json: bool) -> None:
    """Remove a user; this ends all their sessions.

    JSON: removed.
    """
    from hopper.web.security.documents import web_folder
    from hopper.web.security.tokens import Tokens

    accounts = _accounts(ctx)
    accounts.remove(name)
    on_record(ctx, f"user {name} removed")
    if as_json:
        print_json({"removed": name})
    else:
        click.echo(f"{name}: removed")
    if not accounts.all() and not Tokens(web_folder(config_of(ctx).paths.db)).there():
        click.echo(
            "hopper: there are no users and tokens now: on this machine's own address the page "
            "is open to everybody who can log in to the machine",
            err=True,
        )


def _accounts(ctx: click.Context) -> Accounts:
    from hopper.web.security.accounts import Accounts
    from hopper.web.security.documents import web_folder

    return Accounts(web_folder(config_of(ctx).paths.db))


def _passwords() -> Passwords:
    try:
        from hopper.web.security.passwords import Passwords
    except ImportError as missing:
        raise HopperError(
            f"what the web page needs is not installed: {missing.name}",
            way_out="pip install 'jobhopper[web]'",
        ) from missing
    return Passwords()


def _password(name: str, *, from_stdin: bool) -> str:
    from hopper.web.security.passwords import check_password

    if from_stdin:
        password = _first_line(sys.stdin.buffer.readline(LONGEST_LINE))
    elif not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask for the password",
            way_out="give it with --password-stdin",
        )
    else:
        password = str(
            click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        )
    check_password(name, password)
    return password


def _first_line(line: bytes) -> str:
    try:
        return line.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise UsageError("the password is not UTF-8", way_out="write it in UTF-8") from None


def _tell(account: Account, said: str, *, as_json: bool) -> None:
    if as_json:
        print_json(_document(account))
    else:
        click.echo(f"{account.name}: {said}, {account.role}")


def _document(account: Account) -> dict[str, object]:
    return {
        "name": account.name,
        "role": str(account.role),
        "created": account.created.isoformat(),
    }
