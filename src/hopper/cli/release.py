"""``hopper release``: held jobs may start again."""

from __future__ import annotations

from hopper.cli.changing import change_command
from hopper.operations.selecting import is_held

command = change_command(
    "release",
    "Let held jobs start.",
    fits=is_held,
    lines=("hopper release train-x19cyh", "hopper release --all --yes"),
)
