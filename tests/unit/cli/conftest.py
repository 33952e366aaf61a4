"""A hopper folder with a state that tests write themselves, and its command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hopper.bootstrap import inventory
from hopper.cli.main import hopper
from hopper.config.load import load
from hopper.config.model import HopperConfig
from hopper.dispatch.changes import Changes
from hopper.errors import HopperError
from hopper.model.attempt import Attempt, Outcome, Remains, ResultFile
from hopper.model.event import Event
from hopper.model.job import Job, JobSpec
from hopper.model.resources import Requirements
from hopper.model.states import JobState
from hopper.model.worker import Worker, WorkerRecord
from hopper.store.state import StateStore

NOW = datetime.now(UTC).replace(microsecond=0)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def job(
    job_id: str, state: JobState = JobState.PENDING, *, tags: tuple[str, ...] = (), **facts: Any
) -> Job:
    """A job; its name is its id without the tail."""
    name = facts.pop("name", job_id.rpartition("-")[0] or job_id)
    spec = JobSpec(
        name=name,
        requirements=Requirements(tags=frozenset(tags), gpus=facts.pop("gpus", 0)),
        after=facts.pop("after", ()),
        priority=facts.pop("priority", 0),
    )
    values: dict[str, Any] = {
        "submitted_at": ago(minutes=10),
        "zip_name": f"{job_id}.zip",
        "zip_sha256": "ab" * 32,
        "zip_size": 1234,
        **facts,
    }
    return Job(id=job_id, spec=spec, state=state, **values)


def attempt(worker: str, number: int = 1, **facts: Any) -> Attempt:
    values: dict[str, Any] = {
        "id": f"a{number:09d}",
        "slot": 0,
        "intended_at": ago(minutes=5),
        "started_at": ago(minutes=5),
        **facts,
    }
    return Attempt(number=number, worker=worker, **values)


def ended(worker: str, outcome: Outcome = Outcome.COMPLETED, **facts: Any) -> Attempt:
    values: dict[str, Any] = {
        "ended_at": ago(minutes=1),
        "outcome": outcome,
        "exit_code": 0 if outcome is Outcome.COMPLETED else 3,
        "remains": Remains.GONE,
        "released": True,
        **facts,
    }
    return attempt(worker, **values)


class Desk:
    """A hopper folder and its command line, run in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "hopper.yaml").write_text("inventory: inventory.yml\n", encoding="utf-8")
        self.workers: dict[str, Worker] = {}
        self.inventory_error = ""

    @property
    def config(self) -> HopperConfig:
        return load(self.folder / "hopper.yaml")

    def has(
        self,
        *jobs: Job,
        records: tuple[WorkerRecord, ...] = (),
        events: tuple[Event, ...] = (),
        settings: Mapping[str, object] | None = None,
    ) -> None:
        """Put jobs and what is known of workers into the state."""
        with StateStore.open(self.config.paths.db) as store:
            store.commit(
                Changes(jobs=jobs, workers=records, events=events, settings=settings or {})
            )

    def worker(self, name: str, record: Mapping[str, Any] | None = None, **facts: Any) -> None:
        """Put a worker into the inventory, seen a moment ago."""
        self.workers[name] = Worker(name=name, **facts)
        known: dict[str, Any] = {"last_contact": ago(seconds=5), "free_bytes": 5_000_000_000}
        self.has(records=(replace(WorkerRecord(name=name), **{**known, **(record or {})}),))

    def result(self, name: str, content: bytes = b"zip") -> ResultFile:
        """Put a result into the inbox at home."""
        path = self.config.paths.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return ResultFile(name=name, size=len(content), sha256="cd" * 32)

    def log(self, job_id: str, attempt_id: str, content: bytes) -> Path:
        """Put an attempt's log to where it lies at home."""
        path = self.config.paths.db / "logs" / job_id / f"{attempt_id}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def jobs(self) -> Mapping[str, Job]:
        with StateStore.open(self.config.paths.db, readonly=True) as store:
            return dict(store.jobs)

    def run(self, *arguments: str, code: int = 0, stdin: str | None = None) -> Result:
        """Run a command; the test fails when it leaves with another code."""
        done = CliRunner().invoke(
            hopper, ["--config", str(self.folder / "hopper.yaml"), *arguments], input=stdin
        )
        assert left_with(done) == code, f"{done.output}\n{done.exception!r}"
        return done

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def refused(self, *arguments: str, code: int = 2) -> str:
        """Run a command that is to be refused and return what it says."""
        done = self.run(*arguments, code=code)
        return str(done.exception) if isinstance(done.exception, HopperError) else done.stderr


def left_with(done: Result) -> int:
    return done.exception.exit_code if isinstance(done.exception, HopperError) else done.exit_code


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """An empty hopper folder; the inventory is what the test says, with no Ansible behind."""
    made = Desk(tmp_path)

    def read(config: HopperConfig) -> object:
        del config
        if made.inventory_error:
            raise HopperError(made.inventory_error)
        from hopper.ansible.roster import Reading
        from hopper.ansible.sweep import Sources

        return Reading(workers=dict(made.workers), sources=Sources(paths=("inventory.yml",)))

    monkeypatch.setattr(inventory, "read_inventory", read)
    return made
