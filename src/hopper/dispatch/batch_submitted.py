"""What became of submissions and withdrawals. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hopper.dispatch.batch_systems import BatchSystems
from hopper.dispatch.desk import Desk
from hopper.dispatch.endings import end
from hopper.dispatch.remains import update_ended
from hopper.model.attempt import Attempt, Outcome, Remains
from hopper.model.batch import BatchOrder, BatchReport, Said, SubmitResult, Submitted
from hopper.model.event import EventKind
from hopper.model.job import Job
from hopper.model.states import JobState
from hopper.model.task import Usage


def take_in_submissions(
    desk: Desk, order: BatchOrder, report: BatchReport, systems: BatchSystems
) -> None:
    """Take in what was submitted, withdrawn and cancelled."""
    backend = order.backend
    arrays = array_members(desk, backend)
    for result in report.submitted:
        if result.attempt in arrays:
            _array_submitted(desk, backend, result, systems, arrays[result.attempt])
        else:
            _submitted(desk, backend, result, systems)
    for attempt_id in report.withdrawn:
        _withdrawn(desk, backend, attempt_id)
    for attempt_id, said in _cancels(order, report):
        if said.code != 0:
            _cancel_failed(desk, backend, attempt_id, said.stderr or said.stdout)
        elif desk.open_attempt(backend, attempt_id) is None:
            # It had been given up; nothing of it is wanted.
            update_ended(desk, backend, attempt_id, remains=Remains.UNWANTED)


def _cancels(order: BatchOrder, report: BatchReport) -> Iterator[tuple[str, Said]]:
    """Yield each attempt that was cancelled, with what was said to that."""
    others = {item.attempt: item.others for item in order.cancels}
    for attempt_id, said in report.cancelled:
        yield attempt_id, said
        yield from ((other, said) for other in others.get(attempt_id, ()))


def _submitted(desk: Desk, backend: str, result: SubmitResult, systems: BatchSystems) -> None:
    found = desk.open_attempt(backend, result.attempt)
    if found is None:
        return
    job, attempt = found
    native = systems.native_id(backend, result.said)
    if native and attempt.array:
        # What was said to the submission of its array.
        native = systems.member_id(backend, native, attempt.array_index)
    if native and result.verdict is not Submitted.UNDERWAY:
        _known_as(desk, job, attempt, native)
        return
    if words := systems.limit_reached(result.said):
        _postpone(desk, job, attempt, words)
        return
    reason = systems.refusal(backend, result.said)
    if result.verdict is Submitted.REFUSED:
        reason = reason or result.said.stderr.strip()
    if reason:
        refuse(desk, job, attempt, reason)
    elif words := (result.said.stderr or result.said.stdout).strip():
        reason = f"not submitted yet: {' '.join(words.split())[:300]}"
        desk.put(job.with_attempt(replace(attempt, waits_for=reason)))
        desk.tell(EventKind.TROUBLE, job=job.id, worker=backend, reason=reason)


def _known_as(desk: Desk, job: Job, attempt: Attempt, native: str) -> None:
    if attempt.native_id == native:
        return
    desk.put(job.with_attempt(replace(attempt, native_id=native, waits_for="")))
    desk.tell(
        EventKind.SUBMITTED_AS,
        job=job.id,
        worker=attempt.worker,
        reason=f"job {native}",
        attempt=attempt.id,
        native=native,
    )


def array_members(desk: Desk, backend: str) -> dict[str, list[str]]:
    """Return the jobs whose open attempts are members of job arrays, by array."""
    found: dict[str, list[str]] = {}
    for known in desk.book.placed.get(backend, {}).values():
        attempt = known.open_attempt
        if attempt is not None and attempt.array:
            found.setdefault(attempt.array, []).append(known.id)
    return found


def _array_submitted(
    desk: Desk,
    backend: str,
    result: SubmitResult,
    systems: BatchSystems,
    members: list[str],
) -> None:
    """Take in what became of a job array: of all its members alike."""
    jobs = [desk.job(job_id) for job_id in members]
    native = systems.native_id(backend, result.said)
    words = (result.said.stderr or result.said.stdout).strip()
    refused = result.verdict is Submitted.REFUSED or systems.refusal(backend, result.said)
    if native and result.verdict is not Submitted.UNDERWAY:
        for job in jobs:
            if (attempt := job.open_attempt) is not None:
                member = systems.member_id(backend, native, attempt.array_index)
                _known_as(desk, job, attempt, member)
    elif refused:
        # What is refused for many may be taken for some; each hears why it was not.
        for job in jobs:
            if (attempt := job.open_attempt) is not None:
                desk.put(job.with_attempt(_alone(attempt)))
        reason = f"a job array was refused, its {len(members)} jobs go one by one: {words}"
        desk.tell(EventKind.TROUBLE, worker=backend, reason=reason)
    elif words:
        reason = f"a job array of {len(members)} jobs is not submitted yet: {words}"
        desk.tell(EventKind.TROUBLE, worker=backend, reason=reason)


def _alone(attempt: Attempt) -> Attempt:
    """Return a member of a job array as one that goes by itself."""
    left = f"{attempt.array}.{attempt.array_index}"
    return replace(attempt, array="", array_index=0, left_array=left)


def _postpone(desk: Desk, job: Job, attempt: Attempt, words: str) -> None:
    """Have a job wait: the batch system takes no more of them for now."""
    reason = f"{attempt.worker} takes no more jobs for now: {words}"
    if job.cancel_requested:
        refuse(desk, job, attempt, reason)
        return
    desk.full.add(attempt.worker)
    desk.tell(EventKind.LAUNCH_VOIDED, job=job.id, worker=attempt.worker, reason=reason)
    attempt = replace(
        attempt,
        outcome=Outcome.NOT_STARTED,
        reason=reason,
        ended_at=desk.now,
        remains=Remains.UNWANTED,
        usage=Usage(),
    )
    # A job may have to wait often; that is not worth remembering each time.
    before = tuple(
        past
        for past in job.attempts
        if past.outcome is not Outcome.NOT_STARTED or past.remains is not Remains.GONE
    )
    desk.move(replace(job, attempts=before).with_attempt(attempt), JobState.PENDING, reason)


def refuse(desk: Desk, job: Job, attempt: Attempt, reason: str) -> None:
    """Give up an attempt that cannot be submitted, now or ever; its job has failed."""
    desk.tell(EventKind.LAUNCH_VOIDED, job=job.id, worker=attempt.worker, reason=reason)
    outcome = Outcome.CANCELLED if job.cancel_requested else Outcome.NOT_STARTED
    attempt = replace(
        attempt,
        outcome=outcome,
        reason=f"refused: {reason}",
        ended_at=desk.now,
        remains=Remains.UNWANTED,
        usage=Usage(),
    )
    end(desk, job.with_attempt(attempt), attempt)


def _withdrawn(desk: Desk, backend: str, attempt_id: str) -> None:
    found = desk.open_attempt(backend, attempt_id)
    if found is None:
        update_ended(desk, backend, attempt_id, remains=Remains.UNWANTED)
        return
    job, attempt = found
    attempt = replace(
        attempt,
        outcome=Outcome.CANCELLED,
        reason="cancelled before it was submitted",
        ended_at=desk.now,
        remains=Remains.UNWANTED,
        usage=Usage(),
    )
    end(desk, job.with_attempt(attempt), attempt)


def _cancel_failed(desk: Desk, backend: str, attempt_id: str, words: str) -> None:
    found = desk.open_attempt(backend, attempt_id)
    desk.tell(
        EventKind.TROUBLE,
        job=found[0].id if found else None,
        worker=backend,
        reason=f"its cancel was refused: {' '.join(words.split())[:300]}",
    )
