"""Makes jobs of what arrives: zips in the queue folder, and zips of others in an Inbox. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hopper.dispatch.book import Book
from hopper.dispatch.commands import before, enter
from hopper.dispatch.desk import Desk
from hopper.dispatch.external import Found, put_external
from hopper.dispatch.ports import Arrival, Refusal
from hopper.model.event import EventKind
from hopper.model.job import Job, JobSpec
from hopper.model.orders import Report
from hopper.model.states import JobState
from hopper.model.worker import Worker


def ingest(desk: Desk, arrivals: Sequence[Arrival | Refusal]) -> None:
    """Take in what has arrived in the queue folder."""
    fit = []
    for arrival in arrivals:
        if isinstance(arrival, Refusal):
            _refuse(desk, arrival)
        else:
            fit.append(arrival)
    # Of those that came together, one may name another that comes after it in this list.
    while fit:
        ready = [arrival for arrival in fit if _known(desk, arrival)] or fit
        entered = {enter(desk, arrival).id for arrival in ready}
        fit = [arrival for arrival in fit if arrival.job_id not in entered]


def _known(desk: Desk, arrival: Arrival) -> bool:
    return all(before(desk, reference) is not None for reference in arrival.spec.after)


def _refuse(desk: Desk, refusal: Refusal) -> None:
    job = Job(
        id=refusal.job_id,
        spec=JobSpec(name=refusal.name),
        state=JobState.FAILED,
        submitted_at=desk.now,
        state_since=desk.now,
        zip_name=refusal.zip_name,
        source_name=refusal.name,
        reason=refusal.reason,
    )
    desk.put(job)
    desk.tell(EventKind.JOB_REJECTED, job=job.id, reason=refusal.reason)


def adopt(
    desk: Desk,
    report: Report,
    worker: Worker,
    *,
    under_way: frozenset[str],
    new_job_id: Callable[[str], str],
    new_attempt_id: Callable[[], str],
) -> None:
    """Adopt zips in a worker's Inbox that are nobody's job: each keeps its slot.

    ``under_way`` holds the names of zips that may be on their way there.
    """
    names = ours(desk.book, worker.name) | under_way
    taken = [
        attempt.slot
        for job in desk.book.placed.get(worker.name, {}).values()
        if (attempt := job.open_attempt) is not None
    ]
    for zip_name in report.zips:
        name = zip_name.removesuffix(".zip")
        if name in names:
            continue
        free = [slot for slot in range(worker.slots) if slot not in taken]
        slot = free[0] if free else worker.slots
        taken.append(slot)
        found = Found(
            job=new_job_id(name), attempt=new_attempt_id(), worker=worker.name, slot=slot, name=name
        )
        put_external(desk, found, f"{zip_name!r} was in its Inbox")


def ours(book: Book, worker: str) -> frozenset[str]:
    """Return the names that zips of our own jobs have on a worker."""
    known = [*book.placed.get(worker, {}).values(), *book.untidy.get(worker, {}).values()]
    return frozenset(job.remote_name or job.id for job in known)
