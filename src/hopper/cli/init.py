"""``hopper init``: the first files."""

from __future__ import annotations

import os
from pathlib import Path

import click

from hopper.cli.common import examples
from hopper.config.starter import EXAMPLE_JOB, StarterFile, starter_files
from hopper.errors import UsageError


@click.command(epilog=examples("hopper init", "hopper init ~/jobs"))
@click.argument("folder", default=".", type=click.Path(path_type=Path), metavar="[DIR]")
def command(*, folder: Path) -> None:
    """Write a commented config, an inventory and an example job.

    A file that is there already stays as it is.
    """
    for file in starter_files():
        word = "wrote" if write_new(folder, file) else "kept "
        click.echo(f"{word} {folder / file.path}")
    click.echo(_next_steps(folder))


def write_new(folder: Path, file: StarterFile) -> bool:
    """Write a file unless its name is taken; tell whether it was written."""
    path = folder / file.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file.mode)
    except FileExistsError as error:
        if path.is_file():
            return False
        raise UsageError(f"{error.filename or path} is in the way") from error
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as writer:
        writer.write(file.content)
    return True


def _next_steps(folder: Path) -> str:
    steps = [
        ("hopper workers setup", "make the folders of the two workers on this machine"),
        (f"hopper submit {EXAMPLE_JOB}", "hand in the example job"),
        ("hopper dispatch --until-idle", "send it out and bring its results home"),
        (f"hopper results {EXAMPLE_JOB}", "where they are"),
        ("hopper workers add NAME --host ADDRESS", "a machine of yours, by ssh"),
    ]
    if folder.resolve() != Path.cwd():
        steps.insert(0, (f"cd {click.format_filename(folder)}", ""))
    lines = [f"  {what:<40}{f'# {why}' if why else ''}".rstrip() for what, why in steps]
    return "\n".join(["", "Next:", *lines])
