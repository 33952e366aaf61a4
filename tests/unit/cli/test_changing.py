"""cancel, requeue, hold, release, priority, submit: what they do to the state."""

from __future__ import annotations

import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hopper.bootstrap import commands
from hopper.cli import choosing
from hopper.errors import HopperError
from hopper.model.attempt import Outcome
from hopper.model.job import Origin
from hopper.model.states import JobState
from hopper.model.task import Task
from hopper.store.errors import NoAnswer
from hopper.store.lock import StateLock
from hopper.store.mailbox import Mailbox
from tests.conftest import Eventually
from tests.unit.cli.conftest import Desk, attempt, ended, job


@pytest.fixture
def mixed(desk: Desk) -> Desk:
    desk.has(
        job("a-1aaaaa", tags=("gpu",)),
        job("b-2aaaaa", held=True),
        job("c-3aaaaa", JobState.RUNNING, attempts=(attempt("node1"),), tags=("gpu",)),
        job("d-4aaaaa", JobState.FAILED, attempts=(ended("node1", Outcome.FAILED),)),
        job("e-5aaaaa", JobState.DEP_FAILED, after=("d-4aaaaa",)),
        job("f-6aaaaa", JobState.COMPLETED, attempts=(ended("node1"),)),
        job("g-7aaaaa", JobState.FAILED, zip_sha256="", reason="it is not a zip"),
        job("h-8aaaaa", JobState.RUNNING, attempts=(attempt("node2"),), origin=Origin.EXTERNAL),
    )
    for each in desk.jobs().values():
        if not each.state.terminal:
            zip_path = desk.config.paths.queue / each.zip_name
            zip_path.parent.mkdir(parents=True, exist_ok=True)
            zip_path.write_bytes(b"zip")
    return desk


def states(desk: Desk) -> dict[str, JobState]:
    return {job_id[0]: each.state for job_id, each in desk.jobs().items()}


# --- what is chosen


def test_names_starts_and_ids(mixed: Desk) -> None:
    done = mixed.run("hold", "a", "b-2")
    assert done.stdout == "a-1aaaaa: held\nb-2aaaaa: held\n"
    assert mixed.jobs()["a-1aaaaa"].held


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (["cancel", "--all"], "abc"),
        (["cancel", "--tag", "gpu"], "ac"),
        (["hold", "--all"], "a"),
        (["release", "--all"], "b"),
        (["priority", "7", "--all"], "abch"),
        (["requeue", "--failed"], "de"),
        (["requeue", "--all"], "def"),
        (["requeue", "--all", "--abandon"], "cdef"),
    ],
)
def test_a_selection_takes_what_the_act_fits(mixed: Desk, words: list[str], ids: str) -> None:
    document = mixed.json(*words, "--yes")
    assert "".join(sorted(job_id[0] for job_id in document["done"])) == ids
    assert document["refused"] == {}


def test_a_selection_takes_tasks_of_runs_too(desk: Desk) -> None:
    of_run: dict[str, Any] = {"origin": Origin.RUN, "zip_sha256": "", "zip_name": "", "run": "r"}
    desk.has(
        job("a-1aaaaa", task=Task(id="a", command=":"), **of_run),
        job("d-4aaaaa", JobState.FAILED, task=Task(id="d", command=":"), **of_run),
    )
    assert list(desk.json("cancel", "--all", "--yes")["done"]) == ["a-1aaaaa"]
    assert list(desk.json("requeue", "--failed", "--yes")["done"]) == ["d-4aaaaa"]


def test_a_selection_is_asked_about(mixed: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "say --yes" in mixed.refused("cancel", "--all")
    assert states(mixed)["a"] is JobState.PENDING

    class Terminal:
        @staticmethod
        def isatty() -> bool:
            return True

    class System:
        stdin = Terminal()

    monkeypatch.setattr(choosing, "sys", System())
    assert "cancel 3 jobs?" in mixed.run("cancel", "--all", code=1, stdin="n\n").stderr
    assert states(mixed)["a"] is JobState.PENDING
    mixed.run("cancel", "--all", stdin="y\n")
    assert states(mixed)["a"] is JobState.CANCELLED


def test_a_selection_of_none_is_no_failure(desk: Desk) -> None:
    assert "there is no job to cancel" in desk.run("cancel", "--all").stderr
    assert desk.json("cancel", "--all") == {"done": {}, "refused": {}}


def test_nothing_named_and_too_much_named(mixed: Desk) -> None:
    assert "no job was named" in mixed.refused("cancel")
    assert "not both" in mixed.refused("cancel", "a", "--all")
    assert "no job 'zz'" in mixed.refused("cancel", "a", "zz")
    assert states(mixed)["a"] is JobState.PENDING


# --- what is done


def test_one_refusal_does_not_keep_the_others_back(mixed: Desk) -> None:
    done = mixed.run("cancel", "a", "f", code=1)
    assert done.stdout == "a-1aaaaa: cancelled\n"
    assert "f-6aaaaa is completed already" in done.stderr


def test_requeue_takes_ids_both_ways(mixed: Desk) -> None:
    for each in ("d", "f"):
        zip_path = (
            mixed.config.paths.failed
            / mixed.jobs()[f"{each}-{'4' if each == 'd' else '6'}aaaaa"].zip_name
        )
        zip_path.parent.mkdir(parents=True, exist_ok=True)
        zip_path.write_bytes(b"zip")
    mixed.run("requeue", "--job-id", "d-4aaaaa", "f")
    assert states(mixed)["d"] is states(mixed)["f"] is JobState.PENDING


def test_requeue_of_what_runs_needs_abandon(mixed: Desk) -> None:
    assert "--abandon" in mixed.run("requeue", "c", code=1).stderr
    mixed.run("requeue", "c", "--abandon")
    requeued = mixed.jobs()["c-3aaaaa"]
    assert requeued.state is JobState.PENDING
    assert requeued.attempts[0].outcome is Outcome.ABANDONED


def test_priority_may_be_negative(mixed: Desk) -> None:
    mixed.run("priority", "-5", "a")
    assert mixed.jobs()["a-1aaaaa"].spec.priority == -5
    mixed.refused("priority", "high", "a")


def test_cancel_can_wait(mixed: Desk) -> None:
    mixed.run("cancel", "a", "--wait")
    done = mixed.run("cancel", "c", "--wait", "--timeout", "0", code=124)
    assert "not seen dead yet" in done.stderr


# --- beside a dispatcher


@pytest.fixture
def dispatcher(mixed: Desk) -> Iterator[list[dict[str, object]]]:
    """Somebody who holds the lock, answers each command, and keeps what was asked."""
    asked: list[dict[str, object]] = []
    over = threading.Event()
    folder = mixed.config.paths.db
    box = Mailbox(folder)

    def serve() -> None:
        while not over.wait(0.01):
            for command in box.take():
                asked.append(dict(command.body))
                ids = command.body.get("jobs")
                named = ids if isinstance(ids, list) else []
                answer = {"done": dict.fromkeys(named, "cancelled"), "refused": {}}
                box.answer(command, answer if named else {"job": command.body["job"]})

    with StateLock.acquire(folder, command="hopper dispatch"):
        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        over.set()
        thread.join()


def test_many_jobs_are_one_command(mixed: Desk, dispatcher: list[dict[str, object]]) -> None:
    mixed.run("cancel", "--all", "--yes")
    assert [body["do"] for body in dispatcher] == ["cancel"]
    assert dispatcher[0]["jobs"] == ["a-1aaaaa", "b-2aaaaa", "c-3aaaaa"]


# --- submit


def a_zip(path: Path, job_file: str = "", script: str = "run_job.sh") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(script, "echo hello\n")
        if job_file:
            archive.writestr("hopper-job.yaml", job_file)
    return path


def test_submit_a_zip(desk: Desk, tmp_path: Path) -> None:
    source = a_zip(tmp_path / "train.zip", "priority: 3\ntags: gpu\nenv: {A: '1', B: '2'}\n")
    done = desk.run("submit", str(source), "--tag", "big", "--env", "B=3", "--time-limit", "2h")
    (job_id,) = done.stdout.split()
    queued = desk.jobs()[job_id]
    assert queued.name == "train"
    assert queued.source_name == "train.zip"
    assert queued.spec.priority == 3
    assert queued.spec.requirements.tags == {"gpu", "big"}
    assert dict(queued.spec.env) == {"A": "1", "B": "3"}
    assert queued.spec.requirements.time_limit is not None
    assert (desk.config.paths.queue / f"{job_id}.zip").is_file()
    assert source.is_file()


def test_the_same_zip_twice_is_two_jobs(desk: Desk, tmp_path: Path) -> None:
    source = str(a_zip(tmp_path / "train.zip"))
    desk.run("submit", source, source)
    assert len(desk.jobs()) == 2


def test_submit_a_folder(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "my job"
    folder.mkdir()
    (folder / "run_job.sh").write_text("echo hello\n")
    (job_id,) = desk.run("submit", str(folder), "--name", "x").stdout.split()
    assert job_id.startswith("x-")


def test_submit_a_command(desk: Desk, in_folder: Path) -> None:
    (in_folder / "train.py").write_text("print(1)\n")
    (in_folder / "data").mkdir()
    (in_folder / "data" / "a").write_text("1")
    done = desk.run("submit", "--gpus", "1", "--", "python3", "train.py", "--gpus", "$(x) y")
    (job_id,) = done.stdout.split()
    assert job_id.startswith("train-")
    assert "train.py" in done.stderr
    assert desk.jobs()[job_id].spec.requirements.gpus == 1
    with zipfile.ZipFile(desk.config.paths.queue / f"{job_id}.zip") as archive:
        assert set(archive.namelist()) == {"run_job.sh", "train.py", "hopper-job.yaml"}
        assert "'$(x) y'" in archive.read("run_job.sh").decode()
    (second,) = desk.run("submit", "--include", "data", "--", "ls", "-l").stdout.split()
    with zipfile.ZipFile(desk.config.paths.queue / f"{second}.zip") as archive:
        assert "data/a" in archive.namelist()


def test_nothing_is_queued_when_one_is_bad(desk: Desk, tmp_path: Path) -> None:
    good = a_zip(tmp_path / "good.zip")
    (tmp_path / "bad.zip").write_text("no zip")
    evil = a_zip(tmp_path / "evil.zip", script="../run_job.sh")
    for bad in (tmp_path / "bad.zip", evil, a_zip(tmp_path / "none.zip", script="other.sh")):
        assert bad.name in desk.refused("submit", str(good), str(bad))
    assert desk.jobs() == {}
    assert list(desk.config.paths.queue.iterdir()) == []
    assert not list(desk.config.paths.db.glob(".packing*"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--gpus", "-1"], "--gpus"),
        (["--env", "nothing"], "is not K=V"),
        (["--env", "A B=1"], "A B"),
        (["--result", "../x"], "--result[0]: "),
        (["--time-limit", "soon"], "--time-limit"),
        (["--after", "nobody"], "no job 'nobody'"),
        (["--include", "."], "goes with a command"),
    ],
)
def test_options_that_make_no_sense(
    desk: Desk, tmp_path: Path, options: list[str], said: str
) -> None:
    source = a_zip(tmp_path / "a.zip")
    assert said in desk.refused("submit", str(source), *options)
    assert desk.jobs() == {}


def test_nothing_or_both(desk: Desk, tmp_path: Path) -> None:
    source = str(a_zip(tmp_path / "a.zip"))
    assert "nothing to submit" in desk.refused("submit")
    assert "not both" in desk.refused("submit", source, "--", "ls")
    assert "no command" in desk.refused("submit", "--")
    assert "cannot all be called" in desk.refused("submit", source, source, "--name", "x")


def test_after_takes_ids_and_names(desk: Desk, tmp_path: Path) -> None:
    desk.has(job("prep-1aaaaa", JobState.COMPLETED, attempts=(ended("node1"),)))
    first = a_zip(tmp_path / "first.zip", "after: prep\n")
    second = a_zip(tmp_path / "second.zip", "after: first\n")
    ids = desk.run("submit", str(first), str(second)).stdout.split()
    (third,) = desk.run("submit", "--after", ids[1], str(a_zip(tmp_path / "x.zip"))).stdout.split()
    queued = desk.jobs()
    assert queued[ids[0]].spec.after == ("prep-1aaaaa",)
    assert queued[ids[1]].spec.after == (ids[0],)
    assert queued[third].spec.after == (ids[1],)


def test_submit_can_hold(desk: Desk, tmp_path: Path) -> None:
    document = desk.json("submit", "--hold", str(a_zip(tmp_path / "a.zip")))
    assert [item["state"] for item in document] == ["pending"]
    assert desk.jobs()[document[0]["job"]].held


def test_submit_beside_a_dispatcher(
    mixed: Desk, dispatcher: list[dict[str, object]], tmp_path: Path, eventually: Eventually
) -> None:
    (job_id,) = mixed.run("submit", str(a_zip(tmp_path / "a.zip"))).stdout.split()
    eventually(lambda: dispatcher)
    assert dispatcher[0]["job"] == job_id
    assert dispatcher[0]["do"] == "submit"
    # Hidden until whoever holds the state takes it in.
    assert (mixed.config.paths.queue / f".{job_id}.zip").is_file()
    assert json.dumps(dispatcher[0])


def test_what_is_refused_leaves_no_copy(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(config: object, body: object) -> object:
        raise HopperError("not now")

    monkeypatch.setattr(commands, "give", refuse)
    source = a_zip(tmp_path / "a.zip")
    assert "not now" in desk.refused("submit", str(source), code=1)
    assert list(desk.config.paths.queue.iterdir()) == []
    assert source.is_file()


@pytest.mark.parametrize("heard", [True, False])
def test_a_dispatcher_that_does_not_answer_may_have_heard(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: bool
) -> None:
    def say_nothing(config: object, body: dict[str, object]) -> object:
        if heard:
            desk.has(job(str(body["job"])))
        raise NoAnswer(desk.config.paths.db, 10.0)

    monkeypatch.setattr(commands, "give", say_nothing)
    words = ("submit", str(a_zip(tmp_path / "a.zip")))
    if heard:
        (job_id,) = desk.run(*words).stdout.split()
        assert job_id in desk.jobs()
        assert (desk.config.paths.queue / f".{job_id}.zip").is_file()
    else:
        assert "did not answer" in desk.refused(*words, code=1)
        assert list(desk.config.paths.queue.iterdir()) == []


def test_submit_for_a_cluster(desk: Desk, tmp_path: Path) -> None:
    backends = [{"name": "cl", "type": "local"}, {"name": "farm", "type": "worker"}]
    file = desk.folder / "hopper.yaml"
    file.write_text(file.read_text("utf-8") + yaml.safe_dump({"backends": backends}), "utf-8")
    source = str(a_zip(tmp_path / "one.zip"))
    wanted = ("--cpus", "4", "--memory", "2G", "--partition", "long")
    (job_id,) = desk.run("submit", "--backend", "cl", *wanted, source).stdout.split()
    [document] = desk.json("jobs")
    assert (document["id"], document["backend"]) == (job_id, "cl")
    (other,) = desk.run("submit", "--backend", "farm", source).stdout.split()
    assert {job["id"]: job["backend"] for job in desk.json("jobs")}[other] is None
    assert "cl has no workers" in desk.refused("submit", "--backend", "cl", "--tag", "x", source)
    assert "workers know nothing of" in desk.refused("submit", "--cpus", "4", source)
    assert "there is no backend 'no'" in desk.refused("submit", "--backend", "no", source)
