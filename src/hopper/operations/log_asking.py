"""Parts of logs from where jobs run: workers, and login nodes of batch systems."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Protocol

from hopper.bootstrap import visiting
from hopper.config.model import HopperConfig
from hopper.dispatch.orders import remote_name, task_files
from hopper.errors import HopperError
from hopper.model.attempt import Attempt
from hopper.model.batch import ReadBatchLog
from hopper.model.job import Job
from hopper.model.orders import LogPart, Order, ReadLog

if TYPE_CHECKING:
    from hopper.operations.asking import Asking


class NoContact(HopperError):
    """The worker or backend could not be asked now."""


class FarEnd(Protocol):
    """Where a job runs."""

    def part(self, job: Job, attempt: Attempt, offset: int, *, errors: bool) -> LogPart | None:
        """Return the log from an offset on (below 0: from its end), or None; NoContact."""

    def close(self) -> None:
        """Let go of it."""


def far_end(config: HopperConfig, job: Job, limit: int) -> FarEnd:
    """Return where a job runs, to be asked for so many bytes at a time."""
    return _OnBackend(config, limit) if job.backend else _OnWorker(config, limit)


class _OnWorker:
    def __init__(self, config: HopperConfig, limit: int) -> None:
        self._limit = limit
        self._config = config
        self._visitor = visiting.Visitor(config)

    def part(self, job: Job, attempt: Attempt, offset: int, *, errors: bool) -> LogPart | None:
        worker = self._visitor.roster.workers().get(attempt.worker)
        if worker is None:
            raise HopperError(f"{attempt.worker} is not in the inventory any more")
        order = Order(
            id=secrets.token_hex(6),
            host=worker.name,
            inbox=worker.inbox,
            outbox=worker.outbox,
            log=ReadLog(
                attempt=attempt.id,
                offset=offset,
                limit=self._limit,
                name=remote_name(job),
                unpack_dirname=self._config.dispatch.remote_unpack_dirname,
                task=task_files(job),
                errors=errors,
            ),
            deadline=self._config.dispatch.order_timeout.total_seconds(),
        )
        report = self._visitor.carry_out([order]).get(worker.name)
        error = "it did not answer in time" if report is None else report.error
        if error:
            raise NoContact(f"no contact with {worker.name}: {error}")
        return report.log if report is not None else None

    def close(self) -> None:
        self._visitor.close()


class _OnBackend:
    def __init__(self, config: HopperConfig, limit: int) -> None:
        self._limit = limit
        from hopper.operations.asking import Asking

        self._config = config
        self._asking: Asking = Asking(config)

    def part(self, job: Job, attempt: Attempt, offset: int, *, errors: bool) -> LogPart | None:
        from hopper.operations.asking import answered, find_backend

        task = job.task
        own = (task.error_file if errors else task.output_file) if task is not None else ""
        log = ReadBatchLog(
            attempt=attempt.id,
            file=_file(own, errors=errors),
            working_dir=task.working_dir if task is not None else "~",
            offset=offset,
            limit=self._limit,
        )
        backend = find_backend(self._config, job.backend)
        report = self._asking.log(backend, log)
        if report.error:
            try:
                answered(report, backend)
            except HopperError as error:
                raise NoContact(error.what, way_out=error.way_out) from error
        return report.log

    def close(self) -> None:
        self._asking.close()


def _file(own: str, *, errors: bool) -> str:
    usual = "err" if errors else "out"
    # A file of the task's that is called as hopper's own is another.
    return f"./{own}" if own in {"out", "err"} else own or usual
