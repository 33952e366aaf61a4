"""``hopper show``: all that is known of a job."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import click

from hopper.bootstrap.state import read_state
from hopper.cli.choosing import job_argument
from hopper.cli.common import config_of, console, examples, json_option, print_json, state_text
from hopper.cli.times import local
from hopper.cli.usage import usage_lines
from hopper.config.memory import format_memory
from hopper.config.model import HopperConfig
from hopper.documents.jobs import remark, whole_job_document
from hopper.documents.words import ago, duration, printable, size_text
from hopper.model.attempt import Attempt
from hopper.model.job import Job
from hopper.model.worker import WorkerRecord
from hopper.operations.finding import one_job
from hopper.operations.whereabouts import log_at_home, logs_at_home, result_paths

Lines = Iterator[tuple[str, str]]


@click.command(epilog=examples("hopper show train-x19cyh", "hopper show train-x19cyh --json"))
@job_argument
@json_option
@click.pass_context
def command(ctx: click.Context, *, reference: str, as_json: bool) -> None:
    """Show all that is known of a job: what it asks for, its attempts, results and log.

    JOB is an id, the start of one, or a name.
    """
    config = config_of(ctx)
    with read_state(config) as store:
        job = one_job(store, reference)
        attempt = job.open_attempt
        record = store.workers.get(attempt.worker) if attempt is not None else None
    if as_json:
        results, logs = result_paths(config, job), logs_at_home(config, job)
        print_json(whole_job_document(job, record, results=results, logs=logs))
        return
    width = 12
    out = console()
    for name, text in _lines(config, job, record):
        out.print(f"{name:<{width}}", end="", style="bold", markup=False)
        out.print(
            state_text(job) if name == "state" else printable(text),
            markup=False,
            soft_wrap=True,
        )


def _lines(config: HopperConfig, job: Job, record: WorkerRecord | None) -> Lines:
    yield "job", job.id
    yield "name", job.name
    yield "state", str(job.state)
    yield from _task(job)
    if said := remark(job, record):
        yield "", said
    yield "submitted", _when(job.submitted_at)
    if job.state_since is not None:
        yield "since", _when(job.state_since)
    if job.not_before is not None and not job.state.terminal:
        yield "not before", local(job.not_before)
    yield from _wishes(job)
    if job.zip_name:
        yield "zip", f"{job.source_name or job.zip_name}, {size_text(job.zip_size)}"
        yield "sha256", job.zip_sha256 or "-"
    for attempt in job.attempts:
        yield from _attempt(config, job, attempt)
    for path in result_paths(config, job):
        yield "result", f"{path}{'' if path.exists() else ' (no longer there)'}"


def _task(job: Job) -> Lines:
    """Yield what a job of a run is to do, and where."""
    task = job.task
    if task is None:
        return
    if job.run:
        yield "run", job.run
    yield "task", task.id
    if job.backend:
        yield "backend", job.backend
    yield "folder", task.working_dir
    yield "command", " ; ".join(task.command.strip().splitlines())


def _wishes(job: Job) -> Lines:
    """Yield what the job asks for, as far as it asks for anything."""
    spec, needs = job.spec, job.spec.requirements
    limit = needs.time_limit
    said = (
        ("priority", str(spec.priority) if spec.priority else ""),
        ("tags", ", ".join(sorted(needs.tags))),
        ("gpus", str(needs.gpus) if needs.gpus else ""),
        ("cpus", str(needs.cpus or "")),
        ("memory", format_memory(needs.memory) if needs.memory else ""),
        ("partition", needs.partition),
        ("time limit", duration(limit.total_seconds()) if limit is not None else ""),
        ("retries", f"{spec.retries}, {job.failures} used" if spec.retries else ""),
        ("after", ", ".join(spec.after)),
        *(("env", f"{name}={value}") for name, value in spec.env.items()),
        ("results", ", ".join(spec.results)),
    )
    yield from ((name, text) for name, text in said if text)


def _attempt(config: HopperConfig, job: Job, attempt: Attempt) -> Lines:
    yield "", ""
    native = f" as {attempt.native_id}" if attempt.native_id else ""
    place = native if job.backend else f", slot {attempt.slot}"
    if attempt.taken_from is not None:
        source = attempt.taken_from
        yield f"attempt {attempt.number}", f"{attempt.id}, which ran nowhere"
        run = f" of {source.run}" if source.run else ""
        yield "  from", f"{source.job}{run}, attempt {source.attempt}"
        yield from _left(config, job, attempt)
        return
    yield f"attempt {attempt.number}", f"{attempt.id} on {attempt.worker}{place}"
    if attempt.array:
        yield "  array", f"index {attempt.array_index} of the job array {attempt.array}"
    if job.backend:
        yield from usage_lines(attempt)
    if attempt.started_at is not None:
        yield "  started", _when(attempt.started_at)
    if attempt.ended_at is not None:
        began = attempt.started_at
        took = (attempt.ended_at - began).total_seconds() if began is not None else None
        ran = f", ran {duration(took)}" if took is not None else ""
        yield "  ended", f"{_when(attempt.ended_at)}{ran}"
    outcome = attempt.outcome or attempt.ending
    if outcome is not None:
        code = f", exit code {attempt.exit_code}" if attempt.exit_code is not None else ""
        yield "  outcome", f"{outcome}{code}"
    if attempt.reason:
        yield "  reason", attempt.reason
    yield from _left(config, job, attempt)


def _left(config: HopperConfig, job: Job, attempt: Attempt) -> Lines:
    """Yield where the logs of an attempt are, and what else is left of it."""
    path = log_at_home(config, job, attempt)
    if path is not None:
        yield "  log", f"{path}, {size_text(path.stat().st_size)}"
    elif attempt.log_bytes:
        yield "  log", f"{size_text(attempt.log_bytes)} on {attempt.worker}; 'hopper logs {job.id}'"
    errors = log_at_home(config, job, attempt, errors=True) if job.task is not None else None
    if errors is not None:
        yield "  errors", f"{errors}, {size_text(errors.stat().st_size)}"
    if attempt.keep_until is not None and attempt.remains == "kept" and not job.backend:
        yield "  kept", f"its folder on {attempt.worker}, until {local(attempt.keep_until)}"


def _when(moment: datetime) -> str:
    return f"{local(moment)} ({ago(moment)} ago)"
