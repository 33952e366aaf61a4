"""The dispatcher, with or without its web page, as the text of a systemd user unit.

The format is that of systemd.unit(5), systemd.service(5) and systemd.syntax(7).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hopper.errors import UsageError

MARK = "# Written by 'hopper service install'; 'hopper service remove' takes it away."

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def quoted(value: str) -> str:
    """``value`` as one word of ``Environment=``: in quotes, C-escaped, no specifier expanded."""
    _refuse_unprintable(value)
    escaped = "".join(
        _ESCAPES.get(c) or (f"\\x{ord(c):02x}" if ord(c) < 32 or ord(c) == 127 else c)
        for c in value
    )
    return f'"{escaped.replace("%", "%%")}"'


def argument(value: str) -> str:
    """``value`` as one argument of ``ExecStart=``, where a dollar would name a variable."""
    return quoted(value).replace("$", "$$")


def render_unit(
    *, config: Path, python: Path, environment: Mapping[str, str], web: bool = False
) -> str:
    """The unit file that runs ``hopper dispatch``, or ``hopper web`` with the dispatcher beside it.

    Args:
        config: the absolute path of hopper.yaml.
        python: the absolute path of the Python that has hopper; its folder goes first on PATH.
        environment: further variables; of PATH the entries come behind Python's folder.
        web: whether the page is served too.

    Raises:
        UsageError: a path is not absolute, or a value holds what a unit file cannot.
    """
    for path in (config, python):
        if not path.is_absolute():
            raise UsageError(f"{path} is no absolute path")
    behind = environment.get("PATH") or "/usr/local/bin:/usr/bin:/bin"
    variables = {
        **environment,
        "HOPPER_CONFIG": str(config),
        "PATH": f"{python.parent}:{behind}",
        "PYTHONUNBUFFERED": "1",
    }
    command = "web --dispatch" if web else "dispatch"
    assignments = "\n".join(
        f"Environment={quoted(f'{name}={value}')}" for name, value in sorted(variables.items())
    )
    return f"""{MARK}
[Unit]
Description=hopper, the job dispatcher{" and its web page" if web else ""}

[Service]
Type=exec
{assignments}
ExecStart={_program(str(python))} -P -m hopper {command}
Restart=on-failure
RestartSec=15
# 2 is a mistake in the config: trying again mends nothing.
RestartPreventExitStatus=2
# Jobs of local workers live in this unit's control group and outlive the dispatcher.
KillMode=process
OOMPolicy=continue
TimeoutStopSec=90

[Install]
WantedBy=default.target
"""


def _program(path: str) -> str:
    """``path`` as the program of ``ExecStart=``."""
    if set(path) & set("'\"\\"):
        # systemd takes no program with these in its name, but any argument.
        return f"""/bin/sh -c 'exec "$$0" "$$@"' {argument(path)}"""
    # The program, unlike its arguments, is not searched for variables: a dollar stays single.
    return quoted(path)


def _refuse_unprintable(value: str) -> None:
    """A unit file is UTF-8 and holds no NUL."""
    if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise UsageError(f"{value!r} cannot stand in a unit file", way_out="rename it")
