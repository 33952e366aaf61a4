"""``hopper run cancel``, ``rerun`` and ``delete``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import cast

import click

from hopper.bootstrap import commands
from hopper.bootstrap.state import read_state
from hopper.cli.common import config_of, examples, json_option, print_json
from hopper.cli.run_choosing import no_cache_option, run_argument
from hopper.documents.words import printable
from hopper.errors import UsageError
from hopper.operations.finding import find_run
from hopper.operations.run_changes import delete_run, live_run_id, results_folder

TOLD = 20
"""Refusals that are told one by one."""


@click.command(
    "cancel",
    epilog=examples("hopper run cancel pipeline-x19cyh", "hopper run cancel pipeline --wait"),
)
@run_argument
@click.option("--wait", is_flag=True, help="Wait until all of its tasks have ended.")
@json_option
@click.pass_context
def cancel(ctx: click.Context, *, reference: str, wait: bool, as_json: bool) -> None:
    """End all tasks of a run that have not ended.

    Those that wait are cancelled at once, those on the backend when their end was seen. JSON:
    run, done (a word by job), refused (a line by job).
    """
    config = config_of(ctx)
    run_id = live_run_id(config, reference)
    answer = commands.give(config, {"do": "cancel_run", "run": run_id})
    done = _tell(answer, as_json=as_json)
    if not as_json:
        words = list(done.values())
        waiting = words.count("cancelling")
        said = f"{run_id}: {len(words) - waiting} cancelled, {waiting} being cancelled"
        click.echo(said if words else f"{run_id}: all of its tasks have ended")
    if wait and done:
        from hopper.cli.waiting import wait_for

        wait_for(config, list(done))
    ctx.exit(int(bool(answer.get("refused"))))


@click.command(
    "rerun",
    epilog=examples(
        "hopper run rerun --failed pipeline-x19cyh", "hopper run rerun pipeline --watch"
    ),
)
@run_argument
@click.option("--failed", is_flag=True, help="Only the tasks that did not complete.")
@no_cache_option
@click.option("--watch", "-w", is_flag=True, help="Follow it until it has ended.")
@json_option
@click.pass_context
def rerun(
    ctx: click.Context, *, reference: str, failed: bool, no_cache: bool, watch: bool, as_json: bool
) -> None:
    """Run the tasks of a run that have ended again, under the same id.

    What earlier attempts left at home is moved aside, not overwritten. The tasks stay as they
    were: to have a changed workflow, run it anew. Those with 'cache: true' take what an equal task
    has left, be it themselves, unless --no-cache is given. JSON: run, done, refused.
    """
    if watch and as_json:
        raise UsageError("--watch and --json do not go together")
    config = config_of(ctx)
    run_id = live_run_id(config, reference, exactly=True)
    body = {"do": "rerun", "run": run_id, "failed": failed, "no_cache": no_cache}
    answer = commands.give(config, body)
    done = _tell(answer, as_json=as_json)
    if not as_json:
        count = "1 task waits" if len(done) == 1 else f"{len(done)} tasks wait"
        click.echo(f"{run_id}: {count} again")
    if watch:
        from hopper.cli.run_watch import follow

        ctx.exit(follow(config, run_id))
    ctx.exit(int(bool(answer.get("refused"))))


@click.command(
    "delete",
    epilog=examples(
        "hopper run delete pipeline-x19cyh", "hopper run delete pipeline-x19cyh --results --yes"
    ),
)
@run_argument
@click.option("--results", is_flag=True, help="Also what came home of it.")
@click.option("--yes", "-y", "sure", is_flag=True, help="Do not ask first.")
@json_option
@click.pass_context
def delete(ctx: click.Context, *, reference: str, results: bool, sure: bool, as_json: bool) -> None:
    """Forget a run that has ended, its tasks and scripts. Results stay, but for --results.

    A run that has left for the history is taken out of it. JSON: run, jobs, results (the folder
    that was removed, or null).
    """
    config = config_of(ctx)
    with read_state(config) as store:
        run_id = find_run(store, reference, exactly=True).id
        folder = results_folder(config, store.jobs_of(run_id)) if results else None
    if not sure:
        _ask(run_id, folder or "")
    answer = delete_run(config, run_id, results=results)
    if as_json:
        print_json(answer)
    else:
        click.echo(f"{run_id}: deleted")


def _ask(run_id: str, folder: str) -> None:
    what = f"run {run_id}" + (f" and {folder}" if folder else "")
    if not sys.stdin.isatty():
        raise UsageError(f"this would delete {what}", way_out="say --yes if it shall")
    click.confirm(f"delete {what}?", abort=True, err=True)


def _tell(answer: Mapping[str, object], *, as_json: bool) -> Mapping[str, str]:
    done = cast("Mapping[str, str]", answer.get("done", {}))
    refused = cast("Mapping[str, str]", answer.get("refused", {}))
    if as_json:
        print_json({"run": answer.get("run"), "done": dict(done), "refused": dict(refused)})
    for text in list(refused.values())[:TOLD]:
        click.echo(printable(f"hopper: {text}"), err=True)
    if len(refused) > TOLD:
        click.echo(f"hopper: and {len(refused) - TOLD} more were refused", err=True)
    return done
