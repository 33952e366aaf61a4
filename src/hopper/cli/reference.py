"""The reference of all commands, made from the click tree: ``python -m hopper.cli.reference``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from hopper.cli.main import COMMANDS, hopper

_HEAD = """\
# Command reference

Made from the code by `python -m hopper.cli.reference`; do not edit.

All commands take the config from `hopper --config FILE`, else from the file that
`$HOPPER_CONFIG` names, else from `./hopper.yaml`. They work while `hopper dispatch` runs, and
without it. Exit codes are 0, 1 (failed) and 2 (usage or config), unless a command says more.
A *JOB* is an id, the start of one, or a name. `--help` shows what is here.
"""
_WIDTH = 88
_EXAMPLES = "Examples:"


def reference() -> str:
    """Return the whole page, in Markdown."""
    parts = [_HEAD]
    for heading, names in COMMANDS.items():
        parts.append(f"## {heading}\n")
        for name in names:
            command = hopper.get_command(click.Context(hopper), name)
            if command is not None:
                parts += _sections(command, f"hopper {name}")
    return "\n".join(parts)


def leaves() -> Iterator[tuple[str, click.Command]]:
    """Yield every command that does something, with the words that call it."""
    for names in COMMANDS.values():
        for name in names:
            command = hopper.get_command(click.Context(hopper), name)
            if command is not None:
                yield from _leaves(command, f"hopper {name}")


def examples_of(command: click.Command) -> list[str]:
    """Return the command lines that a command's help shows as examples."""
    epilog = command.epilog or ""
    _, found, text = epilog.partition(_EXAMPLES)
    return [line.strip() for line in text.splitlines() if line.strip("\b ")] if found else []


def _leaves(command: click.Command, words: str) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield words, command
        return
    for name, child in command.commands.items():
        yield from _leaves(child, f"{words} {name}")


def _sections(command: click.Command, words: str) -> Iterator[str]:
    for name, leaf in _leaves(command, words):
        yield f"### {name}\n"
        yield f"```\n{_usage(leaf, name)}\n```\n"
        yield _description(leaf)
        options = list(_option_rows(leaf, name))
        if options:
            yield "| option | meaning |\n|---|---|\n" + "\n".join(options) + "\n"
        if lines := examples_of(leaf):
            yield "```sh\n" + "\n".join(lines) + "\n```\n"


def _usage(command: click.Command, words: str) -> str:
    with click.Context(command, info_name=words) as context:
        pieces = " ".join(command.collect_usage_pieces(context))
    return f"{words} {pieces}"


def _description(command: click.Command) -> str:
    paragraphs = (command.help or "").replace("\b\n", "").split("\n\n")
    return "\n\n".join(" ".join(part.split()) for part in paragraphs if part.strip()) + "\n"


def _option_rows(command: click.Command, words: str) -> Iterator[str]:
    with click.Context(command, info_name=words, terminal_width=_WIDTH) as context:
        for parameter in command.params:
            record = parameter.get_help_record(context)
            if record is not None and isinstance(parameter, click.Option):
                names, meaning = (" ".join(part.split()).replace("|", "\\|") for part in record)
                yield f"| `{names}` | {meaning} |"


if __name__ == "__main__":
    sys.stdout.write(reference())
