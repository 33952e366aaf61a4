"""The one place where a value becomes shell text."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from hopper.errors import HopperError


def quote(value: str) -> str:
    """Return the value as one word of shell text.

    Raises HopperError for a value with a NUL byte, which no shell can hold.
    """
    if "\0" in value:
        raise HopperError(f"{value!r} holds a NUL byte and cannot go to a shell")
    return shlex.quote(value)


def call(name: str, arguments: Iterable[str | int] = ()) -> str:
    """Return the shell text that calls a function or command with these arguments."""
    return " ".join([name, *(quote(str(argument)) for argument in arguments)])


def assignment(variable: str, value: str | int) -> str:
    """Return the shell text that gives a variable a value."""
    return f"{variable}={quote(str(value))}"
