"""A state folder like that of a busy lab: `python bench/web_state.py FOLDER [--runs N] …`.

Runs of many tasks, most of them over and some under way, a few zips on workers, and a history of
jobs that ended in the last twelve months; with a config that names a cluster nobody can reach.
"""

from __future__ import annotations

import argparse
import random
import sys
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hopper.dispatch.changes import Changes
from hopper.model.attempt import Attempt, Outcome, Remains
from hopper.model.event import Event, EventKind
from hopper.model.job import Job, JobSpec, Origin
from hopper.model.run import Run
from hopper.model.states import JobState
from hopper.model.task import BatchResources, Task, Usage
from hopper.model.worker import WorkerRecord
from hopper.store import retention
from hopper.store.state import StateStore

CONFIG = """\
workers:
  - {{name: box-1, host: 127.0.0.1, user: nobody, inbox_dir: /none/in, outbox_dir: /none/out}}
backends:
  - {{name: hpc, type: slurm, max_concurrent: 500, ssh: {{host: 127.0.0.1, port: 9, user: nobody}}}}
paths:
  queue: {0}/queue
  inbox: {0}/inbox
  running: {0}/running
  done: {0}/done
  failed: {0}/failed
  db: {0}/db
  log: {0}/hopper.log
"""
PEOPLE = ("alice", "bob", "carol", "dmitri")
GROUP = 25
"""Tasks of a group: ``fit.7.12``."""
AT_ONCE = 2000
"""Jobs that are written in one commit."""


def make_state(folder: Path, *, runs: int = 20, tasks: int = 1000, history: int = 100_000) -> Path:
    """Write the state below a folder and return the config that goes with it."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "hopper.yaml"
    config.write_text(CONFIG.format(folder), encoding="utf-8")
    rng = random.Random(7)  # noqa: S311 - figures that can be had again
    now = datetime.now(UTC).replace(microsecond=0)
    with StateStore.open(folder / "db") as store:
        for number in range(runs):
            run = _run(number, now - timedelta(hours=7 * (runs - number)))
            jobs = list(_tasks(run, tasks, rng, over=number < runs - 5))
            _commit(store, run, jobs)
        box = WorkerRecord(name="box-1", last_contact=now, free_bytes=10**12)
        store.commit(Changes(workers=(box,)))
        store.compact()
    old = [_old(number, now, rng) for number in range(history)]
    retention.archive(folder / "db", old)
    return config


def _run(number: int, created: datetime) -> Run:
    return Run(
        id=f"sweep-{number:06d}",
        workflow=f"sweep-{number % 4}",
        backend="hpc",
        created_at=created,
        max_concurrent=200,
        description="a parameter sweep",
        user=PEOPLE[number % len(PEOPLE)],
    )


def _tasks(run: Run, count: int, rng: random.Random, *, over: bool) -> Iterator[Job]:
    for number in range(count):
        group, place = divmod(number, GROUP)
        task = Task(
            id=f"fit.{group}.{place}",
            command=f"python fit.py --group {group} --seed {place}",
            working_dir="~/study",
            resources=BatchResources(cpus=4, memory=8 << 30, partition="normal"),
            variables={"HOPPER_RUN_ID": run.id, "OMP_NUM_THREADS": "4"},
        )
        share = number / count
        state = _state(share, rng) if not over else _ended(rng)
        yield job_of(
            f"{run.id}-{number:06d}",
            state,
            run.created_at + timedelta(seconds=number),
            rng,
            run=run,
            task=task,
        )


def _ended(rng: random.Random) -> JobState:
    return JobState.FAILED if rng.random() < 0.02 else JobState.COMPLETED


def _state(share: float, rng: random.Random) -> JobState:
    if share < 0.6:
        return _ended(rng)
    if share < 0.75:
        return JobState.RUNNING
    return JobState.SUBMITTED if share < 0.8 else JobState.PENDING


def job_of(
    job_id: str,
    state: JobState,
    at: datetime,
    rng: random.Random,
    *,
    run: Run | None = None,
    task: Task | None = None,
) -> Job:
    """Return a job in that state with what it would have left behind."""
    attempts: tuple[Attempt, ...] = ()
    if state is not JobState.PENDING:
        attempts = (_attempt(job_id, state, at, rng),)
    return Job(
        id=job_id,
        spec=JobSpec(name=task.id if task is not None else "train"),
        state=state,
        submitted_at=at,
        state_since=at + timedelta(minutes=5),
        origin=Origin.RUN if run is not None else Origin.ZIP,
        backend=run.backend if run is not None else "",
        run=run.id if run is not None else "",
        task=task,
        remote_name=job_id,
        user=run.user if run is not None else PEOPLE[0],
        reason="exit code 1" if state is JobState.FAILED else "",
        attempts=attempts,
    )


def _attempt(job_id: str, state: JobState, at: datetime, rng: random.Random) -> Attempt:
    seconds = rng.uniform(60, 7200)
    over = state.terminal
    started = at + timedelta(seconds=30) if state is not JobState.SUBMITTED else None
    usage = Usage(
        cpu_seconds=seconds * 3.4, elapsed_seconds=seconds, cpus=4, peak_memory=3 << 30, node="n17"
    )
    outcome = Outcome.COMPLETED if state is JobState.COMPLETED else Outcome.FAILED
    return Attempt(
        id=f"a{zlib.crc32(job_id.encode()) % 10**9:09d}",
        number=1,
        worker="hpc",
        intended_at=at,
        started_at=started,
        ended_at=at + timedelta(seconds=seconds) if over else None,
        outcome=outcome if over else None,
        exit_code=int(state is JobState.FAILED) if over else None,
        native_id=str(10_000 + rng.randrange(10**7)),
        node="n17" if started else "",
        usage=usage if over else None,
        gathered=over,
        remains=Remains.GONE if over else Remains.PRESENT,
        log_bytes=4000,
    )


def _old(number: int, now: datetime, rng: random.Random) -> Job:
    at = now - timedelta(minutes=5 * number + 45_000)
    return job_of(f"old-{number:06d}", _ended(rng), at, rng)


def _commit(store: StateStore, run: Run, jobs: list[Job]) -> None:
    for start in range(0, len(jobs), AT_ONCE):
        part = jobs[start : start + AT_ONCE]
        events = [
            Event(kind=EventKind.JOB_STATE, at=job.submitted_at, job=job.id, data={"to": job.state})
            for job in part
        ]
        store.commit(Changes(jobs=tuple(part), runs=(run,), events=tuple(events)))


def main() -> None:
    """Write a state."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--history", type=int, default=100_000)
    said = parser.parse_args()
    print(make_state(said.folder, runs=said.runs, tasks=said.tasks, history=said.history))


if __name__ == "__main__":
    main()
