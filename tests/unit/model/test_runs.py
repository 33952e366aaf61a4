from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hopper.model import wire
from hopper.model.attempt import Attempt
from hopper.model.job import Job, JobSpec
from hopper.model.places import task_folder
from hopper.model.run import RunState, run_state
from hopper.model.states import JobState
from hopper.model.task import Task, Usage

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("states", "cancelled", "expected"),
    [
        ("", False, RunState.COMPLETED),
        ("pending pending", False, RunState.PENDING),
        ("pending completed", False, RunState.RUNNING),
        ("running", False, RunState.RUNNING),
        ("completed completed", False, RunState.COMPLETED),
        ("completed completed", True, RunState.COMPLETED),
        ("completed failed", False, RunState.FAILED),
        ("failed dep_failed", False, RunState.FAILED),
        ("failed cancelled", True, RunState.CANCELLED),
        ("completed cancelled", False, RunState.CANCELLED),
    ],
)
def test_the_state_of_a_run(states: str, cancelled: bool, expected: RunState) -> None:
    assert run_state(map(JobState, states.split()), cancelled=cancelled) is expected


def test_what_a_use_comes_to() -> None:
    used = Usage(cpu_seconds=1800, elapsed_seconds=3600, cpus=2)
    assert used.cpu_efficiency == 0.25
    assert used.cpu_hours == 2
    for unknown in (
        Usage(),
        Usage(elapsed_seconds=3600),
        Usage(cpus=2),
        Usage(cpu_seconds=1, elapsed_seconds=0, cpus=2),
    ):
        assert unknown.cpu_efficiency is None
    assert Usage(cpus=2).cpu_hours is None


def job(task_id: str, run: str = "r1") -> Job:
    return Job(
        id="t-000001",
        spec=JobSpec(name="a"),
        state=JobState.PENDING,
        submitted_at=NOW,
        run=run,
        task=Task(id=task_id, command="true"),
    )


def test_each_task_has_a_folder_of_its_own() -> None:
    home = Path("/inbox")
    assert task_folder(home, job("sim.a")) == home / "r1" / "sim.a"
    assert task_folder(home, job("sim.a", run="")) == home / "jobs" / "t-000001"
    names = ["a/b", "a_b", "a b", "..", ".a", "a", "ü" * 200, "x" * 101, "x" * 102]
    folders = [task_folder(home, job(name)) for name in names]
    assert len(set(folders)) == len(names)
    for folder in folders:
        assert folder.parent == home / "r1"
        assert not folder.name.startswith(".")
        assert len(folder.name) < 120


def test_a_job_without_a_task_goes_by_its_name() -> None:
    plain = Job(id="t-1", spec=JobSpec(name="n"), state=JobState.PENDING, submitted_at=NOW, run="r")
    assert task_folder(Path("/i"), plain) == Path("/i/r/n")
    assert Attempt(id="a", number=1, worker="w", intended_at=NOW).slot == 0


def test_a_field_of_two_kinds_cannot_travel() -> None:
    @dataclass
    class Odd:
        field: int | str

    with pytest.raises(TypeError, match="no conversion"):
        wire.to_json(Odd(field=1))
