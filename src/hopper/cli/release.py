"""``hopper release``: held jobs may start again."""

from __future__ import annotations

from hopper.cli.changing import change_command

command = change_command(
    "release",
    "Let held jobs start.",
    fits=lambda job: job.held and not job.state.terminal,
    lines=("hopper release train-x19cyh", "hopper release --all --yes"),
)
