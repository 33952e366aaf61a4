"""``hopper backend check``, ``jobs`` and ``info``: what login nodes say now."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click
from rich.text import Text

from hopper.cli.backend_externals import show_seen
from hopper.cli.common import config_of, console, examples, json_option, print_json, table
from hopper.cli.workflow_choosing import backend_argument
from hopper.documents.backends import check_document, machines_document, native_job_document
from hopper.documents.words import printable, size_text
from hopper.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hopper.config.model import HopperConfig
    from hopper.operations.backend_looks import BackendCheck, Elsewhere, Machines


@click.command(
    "check", epilog=examples("hopper backend check", "hopper backend check hpc-cluster --json")
)
@click.argument("names", nargs=-1, metavar="[BACKEND]...")
@json_option
@click.pass_context
def check(ctx: click.Context, *, names: tuple[str, ...], as_json: bool) -> None:
    """Log in to backends and see whether they can take jobs; changes nothing but its own folder.

    Looked at: the login, the batch system's commands, the work folder, the clock, the
    accounting. Exit code 1 when one cannot take jobs. JSON: a list with backend, ok, error,
    missing, advice, free_bytes, clock_skew_seconds, accounting.
    """
    from hopper.cli.progress import busy
    from hopper.operations.asking import Asking, find_backend
    from hopper.operations.backend_looks import check as look

    config = config_of(ctx)
    chosen = [find_backend(config, name) for name in names or _all(config)]
    found = []
    with Asking(config) as asking:
        for backend in chosen:
            with busy(f"looking at {backend.name}"):
                found.append(look(config, backend, asking))
    if as_json:
        print_json([check_document(one) for one in found])
    else:
        _show_checks(found)
    ctx.exit(int(not all(one.ok for one in found)))


def _all(config: HopperConfig) -> list[str]:
    from hopper.bootstrap.backends import systems

    return list(systems(config).targets())


def _show_checks(found: Sequence[BackendCheck]) -> None:
    from hopper.cli.doctor import MARKS
    from hopper.operations.doctor import Verdict

    rows = []
    for one in found:
        verdict = Verdict.BAD if not one.ok else Verdict.WARNING if one.advice else Verdict.GOOD
        skew = "-" if one.clock_skew is None else f"{one.clock_skew:+.1f} s"
        said = [one.error, *(f"missing: {item}" for item in one.missing), *one.advice]
        text = "; ".join(part for part in said if part) or "ready"
        mark: str | Text = MARKS[verdict]
        rows.append((one.backend, mark, size_text(one.free_bytes), skew, text))
    table(("BACKEND", "", ">FREE", ">CLOCK", "FOUND"), rows, empty="no backends")


@click.command(
    "jobs",
    epilog=examples(
        "hopper backend jobs hpc-cluster",
        "hopper backend jobs hpc-cluster --seen",
        "hopper backend jobs here --json",
    ),
)
@backend_argument
@click.option("--all", "everybody", is_flag=True, help="Those of everybody.")
@click.option("--seen", is_flag=True, help="Ask nobody: those of others that were there last.")
@click.option("--history", is_flag=True, help="Ask nobody: those of others that are gone.")
@json_option
@click.pass_context
def jobs(
    ctx: click.Context, *, name: str, everybody: bool, seen: bool, history: bool, as_json: bool
) -> None:
    """List the jobs that a cluster has now, from elsewhere too, of the config's 'users'.

    The dispatcher remembers those of others, at most 1000 that are there and as many that are gone,
    for retention.days. JSON: a list with native_id, name, user, state (the cluster's word), phase,
    reason, partition, node, cpus, job (ours, or null), array (its id, where it is of one of our job
    arrays or stands for all of one; else null); with --seen or --history without the last two and
    reason, and with submitted_at, started_at, first_seen, last_seen, gone_at.
    """
    from hopper.cli.progress import busy
    from hopper.operations.asking import Asking, find_backend
    from hopper.operations.backend_looks import elsewhere

    config = config_of(ctx)
    backend = find_backend(config, name)
    if seen or history:
        if everybody or (seen and history):
            raise UsageError("--all, --seen and --history do not go together")
        show_seen(config, name, ended=history, as_json=as_json)
        return
    with busy(f"asking {name}"), Asking(config) as asking:
        found = elsewhere(config, backend, asking, everybody=everybody)
    if as_json:
        print_json([native_job_document(one) for one in found])
        return
    table(
        ("NATIVE ID", "NAME", "USER", "STATE", "PARTITION", "NODE", ">CPUS", "JOB", "REASON"),
        [_job_row(one) for one in found],
        empty=f"{name} has no such jobs",
    )


def _job_row(one: Elsewhere) -> tuple[str, ...]:
    seen = one.seen
    return (
        seen.native_id,
        seen.name or "-",
        seen.user or "-",
        seen.word or str(seen.phase),
        seen.partition or "-",
        seen.node or "-",
        str(seen.cpus) if seen.cpus is not None else "-",
        one.job or (f"array {one.array}" if one.array else "-"),
        seen.reason,
    )


@click.command(
    "info", epilog=examples("hopper backend info hpc-cluster", "hopper backend info here --json")
)
@backend_argument
@json_option
@click.pass_context
def info(ctx: click.Context, *, name: str, as_json: bool) -> None:
    """Show a cluster's machines, what of them is free, and the disk use of its clone_dir.

    JSON: backend, nodes, nodes_up, cpus, cpus_free, partitions, clone_dir, clone_bytes, clones,
    free_bytes.
    """
    from hopper.cli.progress import busy
    from hopper.operations.asking import Asking, find_backend
    from hopper.operations.backend_looks import machines

    config = config_of(ctx)
    backend = find_backend(config, name)
    with busy(f"asking {name}"), Asking(config) as asking:
        found = machines(config, backend, asking)
    if as_json:
        print_json(machines_document(found))
        return
    out = console()
    for label, text in _info_lines(found):
        out.print(f"{label:<12}", end="", style="bold", markup=False)
        out.print(printable(text), markup=False, soft_wrap=True)


def _info_lines(found: Machines) -> list[tuple[str, str]]:
    info = found.info
    lines = [("backend", found.backend)]
    if info is None:
        lines.append(("machines", found.trouble or "it does not tell"))
    else:
        lines += [
            ("nodes", f"{info.nodes_up} of {info.nodes} up"),
            ("cpus", f"{info.cpus_free} of {info.cpus} free"),
        ]
        counts = Counter(info.partitions)
        if counts:
            lines.append(("partitions", ", ".join(counts)))
    used = size_text(found.clone_bytes) if found.clone_bytes is not None else "not there"
    count = f" in {found.clones} clones" if found.clones else ""
    lines.append(("clone_dir", f"{found.clone_dir}: {used}{count}"))
    lines.append(("free", f"{size_text(found.free_bytes)} where work_dir is"))
    return lines
