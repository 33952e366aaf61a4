"""``hopper submit``: zips, folders and commands become jobs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hopper.cli.choosing import complete_job
from hopper.cli.common import config_of, console, examples, json_option, print_json
from hopper.cli.workflow_choosing import complete_backend
from hopper.documents.words import printable
from hopper.errors import UsageError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from hopper.operations.submitting import Queued

LARGE = 50_000_000
"""Bytes from which on reading or copying a zip is shown."""
backend_option = click.option(
    "--backend",
    metavar="NAME",
    shell_complete=complete_backend,
    help="Where they run: a backend of the config; else the workers.",
)
_COMMAND = "hopper.submit.command"


class _AfterDashes(click.Command):
    """Takes what follows ``--`` for a command to run, not for zips."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep what follows ``--`` apart."""
        if "--" in args:
            place = args.index("--")
            ctx.meta[_COMMAND] = tuple(args[place + 1 :])
            args = args[:place]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return what stands behind the command's name."""
        del ctx
        return ["[OPTIONS]", "ZIP...", "|", "FOLDER...", "|", "-- COMMAND..."]


@click.command(
    cls=_AfterDashes,
    epilog=examples(
        "hopper submit job.zip",
        "hopper submit --tag gpu --time-limit 2h jobs/*.zip",
        "hopper submit --include data --result 'out/*' -- python train.py --lr 0.1",
        "hopper submit --backend hpc-cluster --cpus 8 --memory 16G train.zip",
        "hopper submit --after prepare --wait train.zip",
    ),
)
@click.argument("sources", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--name", help="What the job is called; else as its zip.")
@click.option("--priority", type=int, help="Higher goes first.")
@click.option("--tag", "tags", multiple=True, help="A tag that its worker must have.")
@click.option("--gpus", type=int, help="GPUs that it needs.")
@click.option("--cpus", type=int, help="On a cluster: CPUs that it needs.")
@click.option("--memory", metavar="AMOUNT", help="On a cluster: memory for all of it, such as 4G.")
@click.option("--partition", metavar="NAME", help="On a cluster: its partition or queue.")
@click.option("--time-limit", metavar="DURATION", help="How long an attempt may run.")
@click.option("--retries", type=int, help="How often it is tried again when it fails.")
@click.option("--env", multiple=True, metavar="K=V", help="An environment variable for it.")
@click.option("--result", "results", multiple=True, metavar="GLOB", help="What to bring home.")
@click.option(
    "--after",
    multiple=True,
    metavar="JOB",
    shell_complete=complete_job,
    help="A job, by id or name, that must have completed before.",
)
@click.option(
    "--include",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="With a command: a file or folder to send along.",
)
@backend_option
@click.option("--hold", is_flag=True, help="It waits for 'hopper release'.")
@click.option("--wait", is_flag=True, help="Wait until the jobs have ended.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    sources: tuple[Path, ...],
    include: tuple[Path, ...],
    backend: str | None,
    hold: bool,
    wait: bool,
    as_json: bool,
    **said: Any,
) -> None:
    """Queue zips, folders or a command as jobs, and print their ids.

    Each zip or folder becomes a job; so does what follows --, packed with the files that it
    names or that --include does. The options go over what a zip's hopper-job.yaml says. They go
    to the workers, or with --backend to a cluster or this machine.
    """
    from hopper.operations.submitting import Submission, submit, wishes

    argv: Sequence[str] | None = ctx.meta.get(_COMMAND)
    _check(sources, include, argv, said["name"])
    config = config_of(ctx)
    submission = Submission(
        sources=sources,
        argv=tuple(argv or ()),
        include=include,
        wishes=wishes({**said, "env": _environment(said["env"])}),
        hold=hold,
        backend=backend,
    )
    queued = submit(config, submission, show_stage)
    _tell(queued, as_json=as_json and not wait, ids=not as_json)
    failed = any(one.state == "failed" for one in queued)
    if wait:
        from hopper.cli.wait import show_waited
        from hopper.cli.waiting import wait_for

        waited = wait_for(config, [one.job for one in queued])
        show_waited(waited, as_json=as_json)
        ctx.exit(waited.exit_code)
    ctx.exit(int(failed))


def _check(
    sources: Sequence[Path], include: Sequence[Path], argv: Sequence[str] | None, name: str | None
) -> None:
    if argv is not None and sources:
        raise UsageError("give zips or a command after --, not both")
    if argv is None and not sources:
        raise UsageError(
            "there is nothing to submit", way_out="name a zip or a folder, or a command after --"
        )
    if argv is not None and not argv:
        raise UsageError("there is no command", way_out="write it after --, as in: -- ./run 1 2")
    if include and argv is None:
        raise UsageError("--include goes with a command", way_out="write the command after --")
    if name is not None and len(sources) > 1:
        raise UsageError(f"{len(sources)} jobs cannot all be called {name!r}")


def _environment(pairs: Sequence[str]) -> dict[str, str]:
    env = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--env {pair!r} is not K=V")
        env[name] = value
    return env


def _tell(queued: Sequence[Queued], *, as_json: bool, ids: bool) -> None:
    if as_json:
        print_json([asdict(one) for one in queued])
    for one in queued:
        if ids:
            click.echo(one.job)
        if one.packed:
            click.echo(printable(f"packed with it: {', '.join(one.packed)}"), err=True)
        if one.state == "failed":
            click.echo(printable(f"hopper: {one.job}: {one.reason}"), err=True)


@contextmanager
def show_stage(what: str, path: Path, growing: Path | None) -> Iterator[None]:
    """Show on a terminal how far something is that takes long: a large copy, say."""
    out = console(stderr=True)
    size = path.stat().st_size if path.is_file() else 0
    if not out.is_terminal or (size < LARGE and path != growing and not path.is_dir()):
        yield
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        console=out,
        transient=True,
    ) as progress:
        task = progress.add_task(printable(f"{what} {path.name}"), total=size or None)
        done = threading.Event()
        watch = threading.Thread(target=_watch, args=(progress, task, growing, done), daemon=True)
        watch.start()
        try:
            yield
        finally:
            done.set()
            watch.join()


def _watch(progress: Progress, task: TaskID, growing: Path | None, done: threading.Event) -> None:
    """Show how much of a file is there, whatever hidden name it has while it is written."""
    while growing is not None and not done.wait(0.2):
        sizes = [0]
        name = growing.name.lstrip(".")
        for part in (*growing.parent.glob(f".*{name}*"), *growing.parent.glob(".*.packing")):
            with contextlib.suppress(OSError):
                sizes.append(part.stat().st_size)
        progress.update(task, completed=max(sizes))
