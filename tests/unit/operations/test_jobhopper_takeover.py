"""hopper import: what becomes of a jobhopper's open jobs."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from hopper.bootstrap.state import read_state
from hopper.config.jobhopper import OpenJob
from hopper.config.load import load
from hopper.config.model import HopperConfig
from hopper.model.ids import JOB_ID
from hopper.model.job import Job, Origin
from hopper.model.states import JobState
from hopper.operations.takeover import Taken, stable_id, take_over

SHA = "ab" * 32


@pytest.fixture
def config(in_folder: Path) -> HopperConfig:
    (in_folder / "hopper.yaml").write_text("inventory: inventory.yml\n")
    for name in ("queue", "running", "elsewhere"):
        (in_folder / "state" / name).mkdir(parents=True)
    return load(in_folder / "hopper.yaml")


def job_zip(path: Path, script: str = "run_job.sh") -> Path:
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(script, "true\n")
    return path


def open_job(state: str, zip_path: Path | None = None, worker: str = "") -> OpenJob:
    return OpenJob(job_id=SHA, state=state, worker=worker, zip_path=zip_path)


def take(config: HopperConfig, job: OpenJob) -> Taken:
    [taken] = take_over(config, [job])
    return taken


def jobs(config: HopperConfig) -> dict[str, Job]:
    with read_state(config) as store:
        return dict(store.jobs)


def test_a_queued_job_in_the_queue_folder_is_not_queued_twice(config: HopperConfig) -> None:
    path = job_zip(config.paths.queue / "mine.zip")
    taken = take(config, open_job("queued", path))
    assert (taken.ok, taken.hopper_id) == (True, "")
    assert [p.name for p in config.paths.queue.iterdir()] == ["mine.zip"]
    assert not jobs(config)


def test_a_queued_job_from_elsewhere_becomes_pending_once(config: HopperConfig) -> None:
    path = job_zip(config.source.parent / "state/elsewhere/My Job.zip")
    for _ in range(2):
        taken = take(config, open_job("queued", path))
        assert taken.ok
    [job] = jobs(config).values()
    assert (job.id, job.name, job.state) == (taken.hopper_id, "My Job", JobState.PENDING)
    assert [p.name for p in config.paths.queue.iterdir()] == [job.zip_name]
    assert path.is_file(), "jobhopper's own files stay"


def test_a_job_that_has_gone_on_leaves_no_second_zip(config: HopperConfig) -> None:
    path = job_zip(config.source.parent / "state/elsewhere/mine.zip")
    taken = take(config, open_job("queued", path))
    zip_name = jobs(config)[taken.hopper_id].zip_name
    (config.paths.queue / zip_name).rename(config.paths.running / zip_name)
    assert take(config, open_job("queued", path)) == taken
    assert not list(config.paths.queue.iterdir())


@pytest.mark.parametrize("state", ["running", "dispatching"])
def test_a_launched_job_is_followed_once(config: HopperConfig, state: str) -> None:
    path = job_zip(config.paths.running / f"{SHA}.zip")
    for _ in range(2):
        taken = take(config, open_job(state, path, "w1"))
        assert taken.said == "followed on w1"
    [job] = jobs(config).values()
    assert (job.origin, job.remote_name, job.state) == (Origin.EXTERNAL, SHA, JobState.RUNNING)
    assert job.open_attempt is not None
    assert job.open_attempt.worker == "w1"


def test_the_zip_of_a_launched_job_leaves_the_queue_folder(config: HopperConfig) -> None:
    path = job_zip(config.paths.queue / f"{SHA}.zip")
    assert take(config, open_job("running", path, "w1")).ok
    assert not list(config.paths.queue.iterdir()), "or it would be launched a second time"
    assert (config.paths.running / f"{SHA}.zip").is_file()


def test_what_cannot_be_taken_over_says_why_and_the_rest_is(config: HopperConfig) -> None:
    bad = job_zip(config.source.parent / "state/elsewhere/bad.zip", script="other.sh")
    wrong = [open_job("queued"), open_job("queued", bad), open_job("running")]
    *refused, taken = take_over(config, [*wrong, open_job("running", None, "w1")])
    assert [one.ok for one in refused] == [False] * 3
    assert "not found" in refused[0].said
    assert "run_job.sh" in refused[1].said
    assert taken.ok


def test_ids_are_the_same_each_time_and_differ() -> None:
    one = OpenJob(job_id="a" * 64, state="queued", worker="", zip_path=Path("x y.zip"))
    other = OpenJob(job_id="b" * 64, state="queued", worker="", zip_path=Path("x y.zip"))
    assert stable_id(one) == stable_id(one) != stable_id(other)
    assert JOB_ID.match(stable_id(one))
    assert stable_id(one).startswith("x-y-")
