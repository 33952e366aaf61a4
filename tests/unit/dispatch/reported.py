"""What the tests of login nodes' reports share: a job there, and what is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hopper.backends.systems import Systems
from hopper.config.backends import Backend, Ssh
from hopper.dispatch.batch_reports import reconcile_batch
from hopper.dispatch.batch_sightings import Answered
from hopper.dispatch.book import Book
from hopper.dispatch.desk import Desk
from hopper.dispatch.settings import PolicySettings
from hopper.model.attempt import Attempt, ResultFile
from hopper.model.batch import (
    BatchOrder,
    BatchReport,
    SideSighting,
)
from hopper.model.job import Job
from hopper.model.native import BatchReading, NativePhase, NativeSighting
from hopper.model.states import JobState
from tests.unit.dispatch.situations import NOW, attempt
from tests.unit.dispatch.test_submissions import batch_job

AT = "b000000001"
ORDER = BatchOrder(id="o", host="cl", backend="cl")
SYSTEMS = Systems(
    [Backend(name="cl", type="slurm", ssh=Ssh(host="h"))], Path("/templates"), Path("/scripts")
)
HOME = {AT: (ResultFile(name="stdout.log", size=1, sha256="ab"),)}
EPOCH = NOW.timestamp()


def there(state: JobState = JobState.RUNNING, native: str = "7", **parts: Any) -> Job:
    held = attempt(AT, "cl", native_id=native, **parts.pop("attempt", {}))
    return batch_job("a-000001", state, held, **parts)


def side(code: int | None = None, **parts: Any) -> SideSighting:
    ended = None if code is None else EPOCH
    return SideSighting(
        attempt=AT, native="7", started_at=EPOCH - 9, exit_code=code, ended_at=ended, **parts
    )


def native(phase: NativePhase, **parts: Any) -> NativeSighting:
    return NativeSighting(native_id="7", phase=phase, **parts)


def told(
    job: Job,
    *,
    sides: tuple[SideSighting, ...] = (),
    landed: bool = True,
    reading: BatchReading | None = None,
    now: Any = NOW,
    **report: Any,
) -> tuple[Job, Desk]:
    desk = Desk(book=Book([job]), settings=PolicySettings(), now=now)
    answered = Answered(
        order=ORDER,
        report=BatchReport(order="o", host="cl", at=EPOCH, sides=sides, **report),
        reading=reading or BatchReading(queue_seen=True),
        landed=HOME if landed else {},
    )
    reconcile_batch(desk, answered, SYSTEMS)
    return desk.job(job.id), desk


def newest(job: Job) -> Attempt:
    assert job.attempt is not None
    return job.attempt
