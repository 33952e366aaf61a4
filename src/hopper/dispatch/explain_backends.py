"""Why a task waits for its backend, and where it is there: in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from hopper.dispatch.book import Book
from hopper.dispatch.contact import NEEDS_LOGIN
from hopper.dispatch.shares import Shares
from hopper.dispatch.spans import span_text
from hopper.model.attempt import Attempt
from hopper.model.backend import BatchTarget
from hopper.model.job import Job
from hopper.model.worker import WorkerRecord


def room(
    job: Job, book: Book, targets: Mapping[str, BatchTarget], now: datetime
) -> tuple[list[str], list[str]]:
    """Return why a task's backend does not take it, and what to do; nothing when it would."""
    target = targets.get(job.backend)
    if target is None:
        return [f"There is no backend {job.backend} in the config."], ["hopper backend list"]
    found = [*_of_backend(target, book, now), *_of_run(job, book)]
    return [text for text, _ in found], [way_out for _, way_out in found if way_out]


def _of_backend(target: BatchTarget, book: Book, now: datetime) -> Iterator[tuple[str, str]]:
    name, record = target.name, book.record(target.name)
    if record.no_contact_since is not None:
        lost = span_text(now - record.no_contact_since)
        yield f"{name} has not been reached for {lost} ({record.contact_error}).", away(record)
    elif record.unready:
        yield _silence(record), f"hopper backend check {name}"
    if name in book.paused_backends:
        yield f"{name} is paused.", f"hopper backend resume {name}"
    taken = len(book.placed.get(name, {}))
    if taken >= target.max_concurrent:
        yield f"{taken} jobs are on {name}, and its max_concurrent is {target.max_concurrent}.", ""


def _of_run(job: Job, book: Book) -> Iterator[tuple[str, str]]:
    run = book.runs.get(job.run)
    if run is None or run.max_concurrent is None:
        return
    there = sum(other.run == job.run for other in book.placed.get(job.backend, {}).values())
    if there >= run.max_concurrent:
        yield (
            f"{there} tasks of its run are on {job.backend}, which are as many as it may have.",
            "",
        )


def share(job: Job, book: Book) -> Iterator[tuple[str, str]]:
    """Yield why a task waits for workers though one is free: its run has its share of them."""
    run, shares = book.runs.get(job.run), Shares(book)
    if run is not None and not shares.free(run.id):
        there = shares.there(run.id)
        yield f"Its run has {there} on workers, as many as it may have.", ""


def away(record: WorkerRecord) -> str:
    """Return what to do about a backend that cannot be reached."""
    act = "login" if record.contact_error.startswith(NEEDS_LOGIN) else "check"
    return f"hopper backend {act} {record.name}"


def _silence(record: WorkerRecord) -> str:
    return f"The batch system of {record.name} does not answer ({record.unready})."


def unseen(job: Job, book: Book, targets: Mapping[str, BatchTarget]) -> list[str]:
    """Return why nothing is heard of a task, be its backend not in the config or silent."""
    if not job.backend:
        return []
    if job.backend in targets:
        record = book.record(job.backend)
        return [_silence(record)] if record.unready else []
    return [f"The config has no backend {job.backend} any more: until it has, nobody looks there."]


def queued(job: Job, attempt: Attempt, now: datetime) -> str:
    """Return where a task is that its batch system has taken and not started."""
    span = span_text(now - attempt.intended_at)
    why = f" ({attempt.waits_for})" if attempt.waits_for else ""
    return f"{job.id} is in the queue of {attempt.worker} as {attempt.native_id} for {span}{why}."
