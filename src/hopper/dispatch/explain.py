"""Why a job waits, where it is, or why it failed: in sentences for a person. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hopper.dispatch.book import Book
from hopper.dispatch.dependencies import Readiness, readiness
from hopper.dispatch.explain_backends import away, queued, room, share, unseen
from hopper.dispatch.overview import Standing, WorkerView, worker_views
from hopper.dispatch.policy import fits, time_limit
from hopper.dispatch.settings import PolicySettings
from hopper.dispatch.spans import span_text
from hopper.model.attempt import Attempt, Outcome, Remains
from hopper.model.backend import BatchTarget
from hopper.model.job import Job, Origin
from hopper.model.resources import Requirements
from hopper.model.states import JobState
from hopper.model.worker import Worker


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """What there is to say of a job."""

    headline: str
    """The answer in one line."""
    reasons: tuple[str, ...] = ()
    """What it follows from."""
    advice: tuple[str, ...] = ()
    """What can be done about it."""
    position: int | None = None
    """How many pending jobs are before it in the queue; None for a job that is in none."""


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What an explanation depends on."""

    book: Book
    workers: Mapping[str, Worker]
    settings: PolicySettings
    now: datetime
    dispatching: bool = True
    """A dispatcher runs."""
    inventory_error: str = ""
    """Why the inventory could not be read; ``workers`` is empty then."""
    targets: Mapping[str, BatchTarget] = field(default_factory=dict)
    """The batch systems of the config, by backend."""


def explain(job: Job, situation: Situation) -> Explanation:
    """Return why a job waits, where it is, or how it ended."""
    if job.state is JobState.PENDING:
        return _pending(job, situation)
    if job.state.on_worker:
        return _placed(job, situation)
    return _ended(job, situation)


# --- pending


def _pending(job: Job, situation: Situation) -> Explanation:
    found = [*_own_reasons(job, situation), *_common_reasons(job, situation)]
    position = None
    if not job.held and not job.backend:
        position = bisect_left(situation.book.pending, job.rank)
    waits_for_room = not found
    room, hints = _room_reasons(job, situation)
    if waits_for_room and not room:
        found.append(("It is its turn: it starts as soon as the dispatcher comes to it.", ""))
    reasons = [text for text, _ in found] + room
    advice = [text for _, text in found if text] + hints
    if position:
        before = "1 job is" if position == 1 else f"{position} jobs are"
        reasons.append(f"{before} before it in the queue.")
    if job.failures:
        times = "once" if job.failures == 1 else f"{job.failures} times"
        reasons.append(f"It has failed {times} so far: {job.reason or 'no reason'}.")
    return Explanation(
        headline=f"{job.id} waits. {reasons[0]}",
        reasons=tuple(reasons[1:]),
        advice=tuple(dict.fromkeys(advice)),
        position=position,
    )


def _own_reasons(job: Job, situation: Situation) -> Iterator[tuple[str, str]]:
    """Yield what of the job itself keeps it back, each with what to do."""
    if job.held:
        yield "It is held.", f"hopper release {job.id}"
    if job.spec.after:
        ready, other = readiness(job, situation.book.jobs)
        if ready is not Readiness.READY:
            before = situation.book.jobs.get(other)
            state = before.state if before is not None else "gone"
            yield f"It comes after {other}, which is {state}.", f"hopper explain {other}"
    if job.not_before is not None and situation.now < job.not_before:
        left = span_text(job.not_before - situation.now)
        yield f"It is tried again in {left}, after a failed try.", ""


def _common_reasons(job: Job, situation: Situation) -> Iterator[tuple[str, str]]:
    """Yield what keeps all jobs back that are for workers, or all that are for backends."""
    book, limit = situation.book, situation.settings.max_concurrent
    if not situation.dispatching:
        yield "No dispatcher runs.", "hopper dispatch"
    if book.paused:
        yield "All launching is paused.", "hopper workers resume"
    if not job.backend and limit is not None and book.placed_count >= limit:
        yield (
            f"{book.placed_count} jobs are on workers, and dispatch.max_concurrent is {limit}.",
            "",
        )
    if not job.backend:
        yield from share(job, book)


def _room_reasons(job: Job, situation: Situation) -> tuple[list[str], list[str]]:
    """Return why no worker takes the job, and what to do; nothing when one would."""
    if job.backend:
        return room(job, situation.book, situation.targets, situation.now)
    if situation.inventory_error:
        return [f"The inventory cannot be read: {situation.inventory_error}."], ["hopper doctor"]
    views = worker_views(situation.book, situation.workers, situation.now)
    inventory = [(view, view.worker) for view in views if view.worker is not None]
    if not inventory:
        return ["There are no workers."], ["hopper workers add"]
    fitting = [
        view
        for view, worker in inventory
        if any(fits(job, worker, slot) for slot in range(worker.slots))
    ]
    if not fitting:
        needs = job.spec.requirements
        return [_misfit(needs, [worker for _, worker in inventory])], ["hopper workers list"]
    if any(view.takes_jobs and not view.full for view in fitting):
        return [], []
    reasons = [f"{view.name} {_why_not(view, situation.now)}." for view in fitting]
    return reasons, list(dict.fromkeys(filter(None, map(_way_out, fitting))))


def _misfit(needs: Requirements, workers: list[Worker]) -> str:
    """Say which of the requirements no worker meets."""
    somewhere = frozenset().union(*(worker.tags for worker in workers))
    missing = sorted(needs.tags - somewhere)
    if missing:
        named = ", ".join(repr(tag) for tag in missing)
        return f"No worker has the tag{'s' if len(missing) > 1 else ''} {named}."
    able = [worker for worker in workers if needs.tags <= worker.tags]
    if not able:
        return f"No worker has all of the tags {', '.join(map(repr, sorted(needs.tags)))}."
    most = max(len(worker.slot_gpus(slot)) for worker in able for slot in range(worker.slots))
    which = "No worker with its tags" if needs.tags else "No worker"
    return f"{which} has a slot with {needs.gpus} GPUs; the most is {most}."


def _why_not(view: WorkerView, now: datetime) -> str:
    """Say why a worker that has what the job requires does not take it now."""
    detail = f" ({view.detail})" if view.detail else ""
    if view.standing is Standing.UNREACHABLE and view.since is not None:
        return f"has not been reached for {span_text(now - view.since)}{detail}"
    if view.standing is Standing.QUARANTINED and view.until is not None:
        return f"is in quarantine for another {span_text(view.until - now)}{detail}"
    if view.standing is Standing.NEVER_SEEN:
        return "has never been seen; it is looked at as soon as a dispatcher runs"
    if view.takes_jobs:
        return f"is full: {len(view.jobs)} of {view.slots} slots are taken"
    return f"is {view.standing}{detail}"


_WAYS_OUT = {
    Standing.UNREACHABLE: "hopper workers check {}",
    Standing.NOT_SET_UP: "hopper workers setup {}",
    Standing.QUARANTINED: "hopper workers resume {}",
    Standing.DRAINED: "hopper workers resume {}",
}


def _way_out(view: WorkerView) -> str:
    return _WAYS_OUT.get(view.standing, "").format(view.name)


# --- on a worker


def _placed(job: Job, situation: Situation) -> Explanation:
    attempt = job.open_attempt
    if attempt is None:
        return Explanation(headline=f"{job.id} is {job.state}.")
    record = situation.book.record(attempt.worker)
    reasons = []
    advice = []
    if record.no_contact_since is not None:
        span = span_text(situation.now - record.no_contact_since)
        reasons.append(
            f"There has been no contact with {attempt.worker} for {span}: {record.contact_error}."
        )
        reasons.append("Until it answers nothing is concluded; the job may go on there.")
        check = away(record) if job.backend else f"hopper workers check {attempt.worker}"
        advice += [check, f"hopper requeue --abandon {job.id}"]
    elif not situation.dispatching:
        reasons.append("No dispatcher runs, so nothing is known since it stopped.")
        advice.append("hopper dispatch")
    reasons += unseen(job, situation.book, situation.targets)
    if job.cancel_requested:
        reasons.append("It is being cancelled: it has ended once its processes are seen dead.")
    reasons += _limit(job, attempt, situation)
    return Explanation(
        headline=_where(job, attempt, situation.now),
        reasons=tuple(reasons),
        advice=tuple(advice) or (f"hopper logs -f {job.id}",),
    )


def _where(job: Job, attempt: Attempt, now: datetime) -> str:
    if job.state is JobState.SUBMITTED and job.backend and attempt.native_id:
        return queued(job, attempt, now)
    if job.state is JobState.SUBMITTED:
        span = span_text(now - attempt.intended_at)
        still = attempt.waits_for or "its start is not confirmed yet"
        return f"{job.id} was given to {attempt.worker} {span} ago; {still}."
    if job.state is JobState.RUNNING:
        whose = ", launched by somebody else" if job.origin is Origin.EXTERNAL else ""
        since = attempt.started_at or attempt.intended_at
        return f"{job.id} runs on {attempt.worker} since {span_text(now - since)}{whose}."
    if job.origin is Origin.EXTERNAL:
        return f"{job.id} has left the Inbox of {attempt.worker}; its results are awaited."
    how = f" ({attempt.reason})" if attempt.reason else ""
    return f"{job.id} has ended on {attempt.worker}{how}; its results are coming home."


def _limit(job: Job, attempt: Attempt, situation: Situation) -> list[str]:
    limit = time_limit(job, situation.settings)
    if job.state is not JobState.RUNNING or limit is None or attempt.started_at is None:
        return []
    left = attempt.started_at + limit - situation.now
    if left > timedelta():
        return [f"Its time limit of {span_text(limit)} ends it in {span_text(left)}."]
    return [f"Its time limit of {span_text(limit)} is over; it is being ended."]


# --- ended


def _ended(job: Job, situation: Situation) -> Explanation:
    if job.state is JobState.COMPLETED:
        count = len(job.attempt.results) if job.attempt is not None else 0
        results = "1 result is" if count == 1 else f"{count} results are"
        return Explanation(
            headline=f"{job.id} has completed; {results} at home.",
            advice=(f"hopper results {job.id}",),
        )
    if job.state is JobState.DEP_FAILED:
        _, other = readiness(job, situation.book.jobs)
        return Explanation(
            headline=f"{job.id} never started: {job.reason or 'a job before it did not complete'}.",
            advice=(
                *((f"hopper explain {other}", f"hopper requeue {other}") if other else ()),
                f"hopper requeue {job.id}",
            ),
        )
    if job.state is JobState.CANCELLED:
        reason = f": {job.reason}" if job.reason and job.reason != "cancelled" else ""
        return Explanation(
            headline=f"{job.id} was cancelled{reason}.", advice=(f"hopper requeue {job.id}",)
        )
    return _failed(job, situation)


def _failed(job: Job, situation: Situation) -> Explanation:
    attempt = job.attempt
    if attempt is None:
        mend = "mend the zip and submit it anew" if job.task is None else f"hopper requeue {job.id}"
        return Explanation(headline=f"{job.id} was never sent: {job.reason}.", advice=(mend,))
    reasons = []
    tries = len(job.attempts)
    if tries > 1:
        reasons.append(f"It was tried {tries} times.")
    if attempt.outcome is Outcome.ABANDONED:
        reasons.append(f"What may still run on {attempt.worker} is killed once it answers.")
    advice = [f"hopper logs {job.id}"]
    if job.task is not None:
        advice = [f"hopper logs --error {job.id}", *advice]
    if attempt.remains is Remains.KEPT and not job.backend:
        left = attempt.keep_until - situation.now if attempt.keep_until else None
        kept = f" for another {span_text(left)}" if left is not None else ""
        reasons.append(f"Its folder is kept on {attempt.worker}{kept}.")
        advice.append(f"hopper shell {job.id}")
    advice.append(f"hopper requeue {job.id}")
    reason = job.reason or attempt.reason or "for a reason that was not told"
    return Explanation(
        headline=f"{job.id} failed on {attempt.worker}: {reason}.",
        reasons=tuple(reasons),
        advice=tuple(advice),
    )
