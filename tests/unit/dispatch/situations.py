"""Jobs, workers and books as plain values, made up or by hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from hopper.dispatch.book import Book
from hopper.dispatch.decisions import Decision, Placement, Visit
from hopper.dispatch.snapshot import Snapshot
from hopper.model.attempt import Attempt, Outcome, Remains
from hopper.model.job import Job, JobSpec, Origin
from hopper.model.resources import Requirements
from hopper.model.states import JobState
from hopper.model.worker import Worker, WorkerRecord

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
TAGS = ("big", "fast")
NAMES = ("w0", "w1", "w2", "w3")
ON_WORKER = (JobState.SUBMITTED, JobState.RUNNING, JobState.SETTLING)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def attempt(name: str = "a000000001", worker: str = "w0", **parts: object) -> Attempt:
    values: dict[str, object] = {
        "id": name,
        "number": 1,
        "worker": worker,
        "slot": 0,
        "intended_at": NOW,
    }
    return Attempt(**{**values, **parts})  # type: ignore[arg-type]


def over(name: str = "a000000001", worker: str = "w0", **parts: object) -> Attempt:
    """An attempt that has ended."""
    values: dict[str, object] = {"outcome": Outcome.FAILED, "released": True}
    return attempt(name, worker, **{**values, **parts})


def job(
    job_id: str = "a-000001",
    state: JobState = JobState.PENDING,
    *attempts: Attempt,
    **parts: object,
) -> Job:
    """A job; ``tags``, ``gpus``, ``after``, ``priority``, ``retries`` go into its spec."""
    needs = Requirements(
        tags=frozenset(parts.pop("tags", ())),  # type: ignore[call-overload]
        gpus=parts.pop("gpus", 0),  # type: ignore[arg-type]
        time_limit=parts.pop("time_limit", None),  # type: ignore[arg-type]
    )
    named = {key: parts.pop(key) for key in ("after", "priority", "retries") if key in parts}
    spec = JobSpec(name=job_id.rpartition("-")[0], requirements=needs, **named)  # type: ignore[arg-type]
    values: dict[str, object] = {
        "submitted_at": NOW,
        "state_since": NOW,
        "zip_name": f"{job_id}.zip",
        "zip_size": 10,
        "zip_sha256": "ab",
        "remote_name": job_id,
    }
    values |= parts
    return Job(id=job_id, spec=spec, state=state, attempts=attempts, **values)  # type: ignore[arg-type]


def seen(name: str = "w0", **parts: object) -> WorkerRecord:
    """A worker that answered just now."""
    return replace(WorkerRecord(name=name, last_contact=NOW), **parts)  # type: ignore[arg-type]


@st.composite
def workers(draw: st.DrawFn) -> list[Worker]:
    return [
        Worker(
            name=name,
            slots=draw(st.integers(1, 3)),
            gpus=draw(st.sampled_from([0, 0, 1, 2])),
            tags=frozenset(draw(st.sets(st.sampled_from(TAGS)))),
            drained=draw(st.integers(0, 5)) == 0,
        )
        for name in NAMES[: draw(st.integers(1, 4))]
    ]


@st.composite
def records(draw: st.DrawFn, names: Sequence[str] = NAMES) -> list[WorkerRecord]:
    """What is known of workers: mostly that all is well."""
    ill = [
        {"no_contact_since": NOW, "contact_not_before": later(5), "contact_failures": 1},
        {"quarantined_until": later(60)},
        {"quarantined_until": NOW},
        {"unready": "missing: inbox"},
        {"last_contact": None},
        {"free_bytes": 5},
    ]
    return [
        seen(name, **draw(st.sampled_from([{}, {}, {}, {}, {}, *ill])))  # type: ignore[arg-type]
        for name in names
    ]


@st.composite
def attempts_of(draw: st.DrawFn, number: int) -> Attempt:
    remains = draw(st.sampled_from(Remains))
    return over(
        f"a{number:09}",
        draw(st.sampled_from(NAMES)),
        remains=remains,
        released=draw(st.booleans()),
        outcome=draw(st.sampled_from(Outcome)),
        keep_until=draw(st.sampled_from([None, NOW, later(60)])),
    )


@st.composite
def jobs(draw: st.DrawFn, most: int = 14) -> list[Job]:
    """Jobs of any state, each attempt on some worker and slot of its own."""
    count = draw(st.integers(0, most))
    places = draw(st.permutations([(name, slot) for name in NAMES for slot in range(3)]))
    made: list[Job] = []
    for number in range(count):
        state = draw(st.sampled_from([JobState.PENDING] * 6 + list(JobState)))
        older = [draw(attempts_of(number * 10))] if draw(st.integers(0, 3)) == 0 else []
        if state in ON_WORKER and places:
            worker, slot = places.pop()
            older.append(attempt(f"a{number * 10 + 1:09}", worker, slot=slot, number=2))
        elif state in ON_WORKER:
            state = JobState.PENDING
        ids = [f"j{other:02}-000000" for other in range(count + 1) if other != number]
        external = state in ON_WORKER and draw(st.integers(0, 3)) == 0
        made.append(
            job(
                f"j{number:02}-000000",
                state,
                *older,
                tags=draw(st.sets(st.sampled_from(TAGS), max_size=1)),
                gpus=draw(st.sampled_from([0, 0, 0, 1, 2])),
                priority=draw(st.integers(0, 2)),
                after=tuple(draw(st.lists(st.sampled_from(ids), max_size=1))) if ids else (),
                submitted_at=later(-draw(st.integers(0, 5))),
                held=draw(st.integers(0, 5)) == 0,
                not_before=draw(st.sampled_from([None, None, NOW, later(9)])),
                cancel_requested=draw(st.integers(0, 5)) == 0,
                zip_size=draw(st.sampled_from([1, 10, 100_000_000])),
                refused_by=draw(st.sampled_from(["", *NAMES])),
                origin=Origin.EXTERNAL if external else Origin.ZIP,
            )
        )
    return made


def snapshot(
    jobs: list[Job] | tuple[Job, ...] = (),
    workers: list[Worker] | None = None,
    records: list[WorkerRecord] | None = None,
    **parts: Any,
) -> Snapshot:
    """What the policy is given."""
    workers = [Worker(name="w0")] if workers is None else workers
    records = [seen(worker.name) for worker in workers] if records is None else records
    book = Book(jobs, records, parts.pop("stored", None))
    return Snapshot(book=book, workers={worker.name: worker for worker in workers}, **parts)


def placements(decisions: list[Decision]) -> list[Placement]:
    return [item for item in decisions if isinstance(item, Placement)]


def visits(decisions: list[Decision]) -> dict[tuple[str, bool], Visit]:
    return {(item.worker, item.bulk): item for item in decisions if isinstance(item, Visit)}
