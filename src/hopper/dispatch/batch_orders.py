"""Writes the orders of the login nodes. Pure, but for what the batch systems are asked to say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from hopper.dispatch.batch_systems import BatchSystems
from hopper.dispatch.book import Book
from hopper.dispatch.decisions import BatchVisit
from hopper.dispatch.orders import DEFAULT_RESULTS
from hopper.dispatch.ports import OrderSettings
from hopper.errors import HopperError
from hopper.model.attempt import Attempt
from hopper.model.backend import BatchTarget
from hopper.model.batch import BatchOrder, CancelBatch, FollowBatch, Query, Submission, Withdrawal
from hopper.model.job import Job
from hopper.model.native import Followed


def no_zip(job: Job) -> Path:
    """Return where a job's zip lies, for those that send none."""
    raise HopperError(f"{job.id} has no zip here")


Troubles = list[tuple[str, str]]
"""Jobs for which nothing could be written, and why."""
_Members = list[tuple[Job, Attempt, Submission]]


ME = Query(name="me", shell="id -un")  # noqa: S604 # a field
"""Asks who hopper is on a login node, when it asks about the jobs of others."""


class BatchOrderDesk:
    """Turns a visit into an order."""

    def __init__(
        self,
        settings: OrderSettings,
        systems: BatchSystems,
        incoming: Path,
        zip_path: Callable[[Job], Path] = no_zip,
    ) -> None:
        self._settings = settings
        self._systems = systems
        self._incoming = incoming
        self._zip_path = zip_path

    def write(
        self,
        order_id: str,
        visit: BatchVisit,
        target: BatchTarget,
        book: Book,
        *,
        now: datetime,
        home_full: bool,
    ) -> tuple[BatchOrder, tuple[Followed, ...], Troubles]:
        """Return the order, the attempts that its queries ask about, and what went wrong."""
        troubles: Troubles = []
        follows = list(self._follows(visit, book, home_full=home_full))
        cleans = list(_attempts(visit.cleans, book))
        asked = tuple(followed_in(visit, book)) if visit.ask or visit.others else ()
        queries: tuple[Query, ...] = ()
        if visit.ask or visit.others:
            queries = tuple(self._systems.queries(target.name, asked, now=now, others=visit.others))
        if visit.others and queries:
            queries += (ME,)
        limit = self._settings.bulk_limit
        bulk = any(job.zip_size > limit for job in _jobs(visit.submits, book) if not job.task)
        order = BatchOrder(
            id=order_id,
            host=target.host,
            backend=target.name,
            program=target.program,
            work_dir=target.work_dir,
            incoming=str(self._incoming),
            inline_limit=max(self._settings.inline_limit, 4_000_000),
            fetch_limit=None,
            cancels=tuple(self._cancels(visit, book)),
            withdrawals=tuple(self._withdrawals(visit, book)),
            cleans=tuple(item.id for item in cleans if item.array_place is None),
            array_cleans=tuple((item.id, *place) for item in cleans if (place := item.array_place)),
            submissions=tuple(self._submissions(visit, book, troubles)),
            queries=queries,
            follows=tuple(follows),
            # A large zip takes its time, and is waited for.
            deadline=None if bulk else self._settings.deadline.total_seconds(),
            apart=bulk,
        )
        return order, asked, troubles

    def _submissions(
        self, visit: BatchVisit, book: Book, troubles: Troubles
    ) -> Iterator[Submission]:
        arrays: dict[str, _Members] = {}
        for job in _jobs(visit.submits, book):
            attempt = job.open_attempt
            if attempt is None:
                continue
            try:
                single = self._systems.submission(job, attempt, book.runs.get(job.run))
                if job.task is None:
                    single = self._with_zip(single, job)
            except HopperError as error:
                troubles.append((job.id, str(error)))
                continue
            if attempt.array:
                arrays.setdefault(attempt.array, []).append((job, attempt, single))
            else:
                yield single
        for members in arrays.values():
            yield from self._array(members, book, troubles)

    def _array(self, members: _Members, book: Book, troubles: Troubles) -> Iterator[Submission]:
        job = members[0][0]
        run = book.runs.get(job.run)
        try:
            yield self._systems.array_submission([m[1:] for m in members], job, run)
        except HopperError as error:
            troubles += [(member.id, str(error)) for member, _, _ in members]

    def _with_zip(self, submission: Submission, job: Job) -> Submission:
        path = self._zip_path(job)
        if not path.is_file():
            raise HopperError(f"its zip is not at {path}")
        return replace(submission, inputs=((str(path), f"{job.id}.zip"),))

    def _follows(self, visit: BatchVisit, book: Book, *, home_full: bool) -> Iterator[FollowBatch]:
        for job in _jobs(visit.follows, book):
            attempt = job.open_attempt
            if attempt is not None:
                collect = not home_full and not attempt.gathered
                yield _follow(job, attempt, self._settings.unpack_dirname, collect=collect)

    def _cancels(self, visit: BatchVisit, book: Book) -> Iterator[CancelBatch]:
        cancelled = [job.open_attempt for job in _jobs(visit.cancels, book)]
        # What ended is not to be cancelled, it is to be collected.
        going = [a for a in cancelled if a is not None and a.native_id and a.ending is None]
        at_once: dict[str, list[Attempt]] = {}
        for attempt in going:
            at_once.setdefault(attempt.array or attempt.id, []).append(attempt)
        for members in at_once.values():
            yield self._cancel(visit.backend, members)
        for attempt in _attempts(visit.discards, book):
            if attempt.native_id:
                yield self._cancel(visit.backend, [attempt])

    def _cancel(self, backend: str, attempts: Sequence[Attempt]) -> CancelBatch:
        first, *others = attempts
        command = self._systems.cancel_command(backend, [item.native_id for item in attempts])
        ids = tuple(item.id for item in others)
        return CancelBatch(attempt=first.id, command=command, others=ids)

    def _withdrawals(self, visit: BatchVisit, book: Book) -> Iterator[Withdrawal]:
        for job in _jobs(visit.cancels, book):
            attempt = job.open_attempt
            if attempt is not None and not attempt.native_id:
                yield self._withdraw(visit.backend, attempt)
        for attempt in _attempts(visit.discards, book):
            if not attempt.native_id:
                yield self._withdraw(visit.backend, attempt)

    def _withdraw(self, backend: str, attempt: Attempt) -> Withdrawal:
        lookup = self._systems.lookup_command(backend, attempt.array or attempt.id)
        return Withdrawal(attempt=attempt.id, lookup=lookup, array=attempt.array)


def followed_in(visit: BatchVisit, book: Book) -> Iterator[Followed]:
    """Yield the attempts that the batch system is to be asked about."""
    for job in _jobs((*visit.follows, *visit.accounts), book):
        attempt = job.attempt
        if attempt is not None and attempt.native_id:
            yield Followed(
                attempt=attempt.id, native_id=attempt.native_id, submitted_at=attempt.intended_at
            )


def _follow(job: Job, attempt: Attempt, unpack_dirname: str, *, collect: bool) -> FollowBatch:
    task = job.task
    over = attempt.ending is not None
    if task is None:
        return FollowBatch(
            attempt=attempt.id,
            collect=collect,
            over=over,
            outputs=job.spec.results or DEFAULT_RESULTS,
            zip_name=job.id,
            unpack_dirname=unpack_dirname,
        )
    return FollowBatch(
        attempt=attempt.id,
        collect=collect,
        working_dir=task.working_dir,
        output_file=task.output_file,
        error_file=task.error_file,
        outputs=task.outputs,
        generates_source=task.generates_source,
        array_log=f"{attempt.array}/log.{attempt.array_index}" if attempt.array else "",
        over=over,
    )


def _attempts(pairs: Iterable[tuple[str, str]], book: Book) -> Iterator[Attempt]:
    """Yield attempts that are named by their jobs' ids and their own."""
    for job_id, attempt_id in pairs:
        attempt = book.jobs[job_id].find_attempt(attempt_id)
        if attempt is not None:
            yield attempt


def _jobs(ids: Iterable[str], book: Book) -> Iterator[Job]:
    return (job for job_id in ids if (job := book.jobs.get(job_id)) is not None)
