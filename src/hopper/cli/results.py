"""``hopper results``: where the results of a job lie."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import click

from hopper.bootstrap.state import read_state
from hopper.cli.choosing import job_argument
from hopper.cli.common import config_of, examples, json_option, print_json
from hopper.errors import HopperError
from hopper.model.job import Job
from hopper.operations.finding import one_job
from hopper.operations.whereabouts import result_paths


@click.command(
    epilog=examples(
        "hopper results train-x19cyh", "hopper results train-x19cyh --copy-to ~/experiments"
    )
)
@job_argument
@click.option(
    "--copy-to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Copy them there; nothing there is overwritten.",
)
@json_option
@click.pass_context
def command(ctx: click.Context, *, reference: str, folder: Path | None, as_json: bool) -> None:
    """List the results of a job, one path a line.

    Exit code 1 when there are none (yet).
    """
    config = config_of(ctx)
    with read_state(config) as store:
        job = one_job(store, reference)
    paths = result_paths(config, job)
    if not paths:
        raise HopperError(_none_of(job), way_out=f"see 'hopper explain {job.id}'")
    gone = [path for path in paths if not path.is_file()]
    if folder is not None:
        if gone:
            raise HopperError(f"{gone[0]} is no longer there")
        paths = _copy(paths, folder)
    if as_json:
        print_json([{"path": str(path), "there": path.is_file()} for path in paths])
        return
    for path in paths:
        click.echo(str(path))
    for path in gone:
        click.echo(f"hopper: {path} is no longer there", err=True)
    ctx.exit(int(bool(gone)))


def _none_of(job: Job) -> str:
    if job.state.terminal:
        return f"{job.id} is {job.state} and has no results"
    return f"{job.id} is {job.state}; its results come home when it has ended"


def _copy(paths: Sequence[Path], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    taken = [folder / path.name for path in paths if (folder / path.name).exists()]
    if taken:
        raise HopperError(f"{taken[0]} is there already", way_out="name another folder")
    copies = []
    for path in paths:
        copy = folder / path.name
        # Beside first, so that a copy that breaks off is not taken for a result.
        part = folder / f".{path.name}.part"
        shutil.copyfile(path, part)
        part.rename(copy)
        copies.append(copy)
    return copies
