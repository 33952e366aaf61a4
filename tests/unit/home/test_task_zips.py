"""Zips of tasks, made at home when their turn has come."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hopper.config.model import Paths
from hopper.dispatch.ports import ReadyZip
from hopper.errors import UsageError
from hopper.home.files import sha256
from hopper.home.task_zips import PackedTasks
from hopper.model.attempt import Attempt
from hopper.model.job import Job, JobSpec, Origin
from hopper.model.run import GitVersion, Run
from hopper.model.states import JobState
from hopper.model.task import Task
from tests.conftest import Eventually

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def job(task: Task, attempt: str = "a000000001") -> Job:
    return Job(
        id="fit-abcdef",
        spec=JobSpec(name="fit"),
        state=JobState.SUBMITTED,
        submitted_at=NOW,
        origin=Origin.RUN,
        run="r",
        task=task,
        attempts=(Attempt(id=attempt, number=1, worker="w1", intended_at=NOW),),
    )


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(db=tmp_path / "db")


@pytest.fixture
def packed(paths: Paths) -> Iterator[PackedTasks]:
    def script(job: Job, run: object) -> str:
        assert job.open_attempt is not None
        return f"# {job.open_attempt.id}\necho hello\n"

    with closing(PackedTasks(paths, script)) as tasks:
        yield tasks


def made(packed: PackedTasks, job: Job, eventually: Eventually) -> ReadyZip:
    found: list[ReadyZip] = []

    def there() -> bool:
        found.extend(ready for ready in [packed.zip_of(job, None)] if ready is not None)
        return bool(found)

    eventually(there)
    return found[0]


@pytest.mark.parametrize(
    ("folder", "where"), [(".", "work"), ("sub/d", "work/sub/d"), ("/data", "inputs")]
)
def test_a_task_and_its_inputs_in_a_zip(
    packed: PackedTasks, tmp_path: Path, folder: str, where: str, eventually: Eventually
) -> None:
    (tmp_path / "a b.py").write_text("print()")
    (tmp_path / "a b.py").chmod(0o755)
    task = Task(
        id="fit",
        command="echo",
        working_dir=folder,
        inputs=(f"{tmp_path}/a b.py:a b.py", f"{tmp_path}/a b.py:deep/x"),
    )
    ready = made(packed, job(task), eventually)
    with zipfile.ZipFile(ready.path) as archive:
        assert set(archive.namelist()) == {"run_job.sh", f"{where}/a b.py", f"{where}/deep/x"}
        assert b"echo hello" in archive.read("run_job.sh")
        assert archive.getinfo(f"{where}/deep/x").external_attr >> 16 == stat.S_IFREG | 0o755
        assert ready.unpacked_size == sum(member.file_size for member in archive.infolist())
    assert (ready.size, ready.sha256) == (ready.path.stat().st_size, sha256(ready.path))


def test_each_attempt_has_its_own_and_none_is_left(
    packed: PackedTasks, eventually: Eventually
) -> None:
    task = Task(id="fit", command="echo", working_dir=".")
    first = made(packed, job(task), eventually)
    again = made(packed, job(task), eventually)
    assert again == first
    second = made(packed, job(task, "a000000002"), eventually)
    assert second.sha256 != first.sha256
    assert zipfile.ZipFile(second.path).read("run_job.sh").startswith(b"# a000000002")
    packed.drop(job(task))
    assert not second.path.exists()
    packed.drop(job(task))
    assert made(packed, job(task), eventually).path.exists()


def test_what_a_crash_left_is_replaced(
    packed: PackedTasks, paths: Paths, eventually: Eventually
) -> None:
    (paths.db / "packed").mkdir(parents=True)
    (paths.db / "packed/fit-abcdef.zip").write_bytes(b"torn")
    ready = made(packed, job(Task(id="fit", command="echo", working_dir=".")), eventually)
    assert zipfile.is_zipfile(ready.path)


def test_an_input_that_is_gone_is_told_at_once(packed: PackedTasks, tmp_path: Path) -> None:
    task = Task(id="fit", command="echo", inputs=(f"{tmp_path}/gone:gone",))
    with pytest.raises(UsageError, match="gone cannot be read: No such file"):
        packed.zip_of(job(task), None)


def test_an_input_that_is_another_by_now_is_told(packed: PackedTasks, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("new")
    inputs = (f"{tmp_path}/in:in",)
    task = Task(id="fit", command="echo", inputs=inputs, input_sums=("0" * 64,))
    with pytest.raises(UsageError, match="in has changed since the run was made"):
        packed.zip_of(job(task), None)
    whole = Task(id="fit", command="echo", inputs=inputs, input_sums=(sha256(tmp_path / "in"),))
    packed.zip_of(job(whole), None)


def test_a_clone_at_home_is_what_it_runs_in(
    packed: PackedTasks, tmp_path: Path, eventually: Eventually
) -> None:
    clone = tmp_path / "clone"
    (clone / ".git").mkdir(parents=True)
    (clone / ".git/config").touch()
    (clone / "deep").mkdir()
    (clone / "deep/run.py").write_text("print()")
    git = GitVersion(repo="r", branch="main", sha="0" * 40, folder=str(clone))
    run = Run(id="r", workflow="w", backend="farm", on_workers=True, created_at=NOW, git=git)
    inputs = (f"{clone}/deep/run.py:deep/run.py", f"{clone}/deep/run.py:again.py")
    mine = job(Task(id="fit", command="echo", working_dir=".", inputs=inputs))
    eventually(lambda: packed.zip_of(mine, run))
    ready = packed.zip_of(mine, run)
    assert ready is not None
    with zipfile.ZipFile(ready.path) as archive:
        assert set(archive.namelist()) == {"run_job.sh", "work/deep/run.py", "work/again.py"}
        assert ready.unpacked_size == sum(member.file_size for member in archive.infolist())
    gone = replace(run, git=replace(git, folder=str(tmp_path / "gone")))
    packed.drop(mine)
    with pytest.raises(UsageError, match=r"the clone .* is gone"):
        packed.zip_of(mine, gone)
