"""Turns a visit into the order that a host is given. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from hopper.dispatch.book import Book
from hopper.dispatch.decisions import Visit
from hopper.dispatch.policy import time_limit
from hopper.dispatch.ports import OrderSettings, ReadyZip
from hopper.dispatch.settings import PolicySettings
from hopper.model.attempt import Attempt
from hopper.model.job import Job, Origin
from hopper.model.orders import External, Follow, Launch, Order, Release, Target, TaskFiles
from hopper.model.worker import Worker

DEFAULT_RESULTS = ("results",)


class OrderDesk:
    """Writes orders."""

    def __init__(self, settings: OrderSettings, policy: PolicySettings, incoming: Path) -> None:
        self._settings = settings
        self._policy = policy
        self._incoming = incoming

    def write(
        self,
        order_id: str,
        visit: Visit,
        worker: Worker,
        book: Book,
        zips: Mapping[str, ReadyZip],
        *,
        now: datetime,
        home_full: bool,
    ) -> Order:
        """Return the order of a visit. ``zips`` has those to be launched, by job.

        What has lost its job or its worker since the visit was decided is left out.
        """
        jobs = [job for job in _jobs(book, visit.follows) if job.open_attempt is not None]
        own = [job for job in jobs if job.origin is not Origin.EXTERNAL]
        others = [job for job in jobs if job.origin is Origin.EXTERNAL]
        suspect = book.record(worker.name).contact_failures > 0
        return Order(
            id=order_id,
            host=worker.name,
            inbox=worker.inbox,
            outbox=worker.outbox,
            incoming=str(self._incoming),
            transfer_mode=self._settings.transfer_mode,
            grace=int(self._policy.grace.total_seconds()),
            inline_limit=self._settings.inline_limit,
            fetch_limit=None if visit.bulk else self._settings.bulk_limit,
            cancels=self._targets(book, ((job_id, None) for job_id in visit.cancels)),
            discards=self._targets(book, visit.discards),
            releases=tuple(self._release(book, *item) for item in visit.releases),
            cleans=self._targets(book, visit.cleans),
            launches=tuple(
                self._launch(job, worker, zips[job.id])
                for job in _jobs(book, visit.launches)
                if job.id in zips and job.open_attempt is not None
            ),
            follows=tuple(self._follow(job, home_full) for job in own),
            externals=tuple(self._external(job, collect=not home_full, now=now) for job in others),
            deadline=None if visit.bulk else self._settings.deadline.total_seconds(),
            apart=visit.bulk or suspect,
        )

    def _targets(self, book: Book, items: Iterable[tuple[str, str | None]]) -> tuple[Target, ...]:
        targets = []
        for job_id, attempt_id in items:
            job = book.jobs.get(job_id)
            if job is None:
                continue
            attempt = job.open_attempt if attempt_id is None else job.find_attempt(attempt_id)
            if attempt is not None:
                targets.append(Target(attempt=attempt.id, name=remote_name(job)))
        return tuple(targets)

    def _release(self, book: Book, job_id: str, attempt_id: str) -> Release:
        job = book.jobs.get(job_id)
        attempt = job.find_attempt(attempt_id) if job is not None else None
        results = attempt.results if attempt is not None else ()
        names = tuple(result.remote_name for result in results if result.remote_name)
        return Release(attempt=attempt_id, files=names)

    def _launch(self, job: Job, worker: Worker, ready: ReadyZip) -> Launch:
        attempt = _open_attempt(job)
        limit = time_limit(job, self._policy)
        # A task's script sets its variables itself, each in its turn.
        env = dict(job.spec.env) if job.task is None else {}
        settings = self._settings
        if worker.gpus:
            gpus = worker.slot_gpus(attempt.slot)
            env.setdefault("CUDA_VISIBLE_DEVICES", ",".join(str(gpu) for gpu in gpus))
        return Launch(
            attempt=attempt.id,
            job_id=job.id,
            name=remote_name(job),
            zip_path=str(ready.path),
            zip_size=ready.size,
            zip_sha256=ready.sha256,
            unpacked_size=ready.unpacked_size,
            command=(job.task and settings.task_command) or settings.command,
            env=env,
            time_limit=int(limit.total_seconds()) if limit is not None else 0,
            slot=attempt.slot,
            slots=worker.slots,
            unpack_dirname=settings.unpack_dirname,
        )

    def _follow(self, job: Job, home_full: bool) -> Follow:
        return Follow(
            attempt=_open_attempt(job).id,
            name=remote_name(job),
            unpack_dirname=self._settings.unpack_dirname,
            globs=job.spec.results or DEFAULT_RESULTS,
            collect=not home_full,
            task=task_files(job),
        )

    def _external(self, job: Job, *, collect: bool, now: datetime) -> External:
        attempt = _open_attempt(job)
        settled = (
            attempt.ended_at is not None
            and (now - attempt.ended_at).total_seconds() >= self._policy.settle_seconds
        )
        return External(attempt=attempt.id, name=remote_name(job), collect=collect and settled)


def task_files(job: Job) -> TaskFiles | None:
    """Return where a task of a run leaves what is to come home; None for a zip."""
    task = job.task
    if task is None:
        return None
    return TaskFiles(
        working_dir=task.working_dir,
        output_file=task.output_file,
        error_file=task.error_file,
        outputs=task.outputs,
        generates_source=task.generates_source,
    )


def _jobs(book: Book, ids: Iterable[str]) -> list[Job]:
    return [book.jobs[job_id] for job_id in ids if job_id in book.jobs]


def remote_name(job: Job) -> str:
    """Return the name that a job's zip has on its worker, without ``.zip``."""
    return job.remote_name or job.id


def _open_attempt(job: Job) -> Attempt:
    attempt = job.open_attempt
    if attempt is None:
        raise ValueError(f"job {job.id} holds no worker")
    return attempt
