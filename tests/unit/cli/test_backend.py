"""Backends by their commands: how they stand, what they have, the login."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from hopper.bootstrap import inventory, visiting
from hopper.cli.login import asking_words
from hopper.dispatch.changes import Changes
from hopper.model.backend import ClusterRecord, ExternalJob
from hopper.model.job import Origin
from hopper.model.native import NativePhase
from hopper.model.states import JobState
from hopper.model.task import Task
from hopper.model.worker import WorkerRecord
from hopper.store.state import StateStore
from tests.unit.cli.conftest import Desk, ago, attempt, job
from tests.unit.cli.node import Node


@pytest.fixture
def node(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    made = Node(tmp_path)
    monkeypatch.setattr(visiting, "Visitor", made)
    here = {"name": "here", "type": "local", "clone_dir": "~/clones"}
    hpc = {"name": "hpc", "type": "slurm", "ssh": {"host": "login.example.org"}}
    text = yaml.safe_dump({"backends": [here, hpc]})
    (desk.folder / "hopper.yaml").write_text(text, encoding="utf-8")
    return made


def test_how_they_stand(desk: Desk, node: Node) -> None:
    del node
    shut = WorkerRecord(
        name="hpc",
        last_contact=ago(minutes=9),
        no_contact_since=ago(minutes=5),
        contact_error="needs login: Permission denied (keyboard-interactive)",
        contact_not_before=ago(hours=-5),
    )
    running = job(
        "a-1aaaaa",
        JobState.RUNNING,
        origin=Origin.RUN,
        backend="hpc",
        run="r",
        task=Task(id="a", command=":"),
        attempts=(attempt("hpc"),),
    )
    desk.has(running, records=(shut,))
    here, hpc = desk.json("backend", "list")
    assert (here["state"], hpc["state"], hpc["counts"]) == (
        "never seen",
        "needs login",
        {"running": 1},
    )
    row = desk.run("backend", "list").stdout.splitlines()[1]
    assert "run 'hopper backend login hpc'" in row
    assert "tried again in" in row
    status = desk.run("status").stdout
    assert "backend\thpc\tslurm\tneeds login\t1/100" in status
    assert "\nworker\t" not in status


def test_pause_and_resume(desk: Desk, node: Node) -> None:
    del node
    assert desk.json("backend", "pause", "hpc") == {"backend": "hpc", "paused": True}
    assert desk.json("backend", "list")[1]["paused"] is True
    desk.run("backend", "resume", "hpc")
    assert desk.json("backend", "list")[1]["paused"] is False
    assert "no backend 'hpd'" in desk.refused("backend", "pause", "hpd")


def test_check_says_what_is_missing(desk: Desk, node: Node) -> None:
    here, hpc = desk.json("backend", "check", code=1)
    assert (here["ok"], here["accounting"]) == (True, None)
    assert hpc["missing"][:3] == ["sbatch", "squeue", "scancel"]
    assert "without sacct" in hpc["advice"][0]
    node.error = "no route to host"
    [lost] = desk.json("backend", "check", "here", code=1)
    assert "no route to host; mend ssh.host of here" in lost["error"]
    assert desk.run("backend", "check", "here", code=1).stdout.startswith("here\t✗")


@pytest.mark.parametrize(
    ("said", "way_out"),
    [
        ("me@h: Permission denied (publickey).", "'hopper backend login here'"),
        ("nosuch is not in the inventory", "mend 'host' of here"),
        ("no folder can be made in /x", "set another work_dir for here"),
        ("who knows", "log in there with ssh"),
    ],
)
def test_what_to_do_where_it_cannot_be_asked(
    desk: Desk, node: Node, said: str, way_out: str
) -> None:
    node.error = said
    [lost] = desk.json("backend", "check", "here", code=1)
    assert lost["error"].startswith(f"no contact with here: {said}; ")
    assert way_out in lost["error"]


def test_the_doctor_looks_at_backends_too(desk: Desk, node: Node) -> None:
    found = {one["subject"]: one for one in desk.json("doctor", code=1)["checks"]}
    assert (found["here"]["verdict"], found["hpc"]["verdict"]) == ("good", "bad")
    assert "missing: sbatch" in found["hpc"]["said"]
    node.error = "no route to host"
    found = {one["subject"]: one for one in desk.json("doctor", code=1)["checks"]}
    assert "no route to host" in found["here"]["said"]


def test_check_says_what_dialect_it_is(desk: Desk, node: Node) -> None:
    config = desk.folder / "hopper.yaml"
    text = config.read_text().replace("type: slurm", "type: pbs")
    config.write_text(text)
    for name in ("qsub", "qdel"):
        node.program(name, "exit 1")
    node.program("qstat", "[ $1 = --version ] && echo 'Version: 6.1.2' >&2")
    [check] = desk.json("backend", "check", "hpc", code=1)
    assert "it is Torque: set 'dialect: torque'" in check["advice"]
    config.write_text(text.replace("type: pbs", "type: pbs\n  dialect: torque"))
    assert "Torque" not in desk.run("backend", "check", "hpc", code=1).stdout


def test_a_cluster_that_does_not_answer_cannot_take_jobs(desk: Desk, node: Node) -> None:
    node.program("squeue", "echo 'Unable to contact slurm controller' >&2; exit 1")
    assert "Unable to contact" in desk.refused("backend", "jobs", "hpc", code=1)
    for name in ("sbatch", "scancel"):
        node.program(name, "exit 1")
    [check] = desk.json("backend", "check", "hpc", code=1)
    assert check["missing"] == []
    assert "does not answer" in check["error"]
    assert desk.json("backend", "jobs", "here") == []


def test_jobs_of_others_as_the_dispatcher_saw_them(desk: Desk, node: Node) -> None:
    node.error = "nobody is to be asked"
    there = ExternalJob(
        id="hpc/1", backend="hpc", native_id="1", first_seen=ago(hours=2), word="R",
        phase=NativePhase.RUNNING, name="tr\x1b[31main", user="ann", cpus=4,
    )  # fmt: skip
    gone = replace(
        there, id="hpc/2", native_id="2", last_seen=ago(hours=1), gone_at=ago(minutes=50)
    )
    seen = ClusterRecord(name="hpc", seen_at=ago(minutes=3), others_count=1200)
    with StateStore.open(desk.config.paths.db) as store:
        store.commit(Changes(externals=(there, gone), clusters=(seen,)))
    [one] = desk.json("backend", "jobs", "hpc", "--seen")
    assert (one["native_id"], one["phase"], one["last_seen"]) == (
        "1",
        "running",
        ago(minutes=3).isoformat(),
    )
    [old] = desk.json("backend", "jobs", "hpc", "--history")
    assert (old["native_id"], old["phase"], old["last_seen"]) == (
        "2",
        "unknown",
        ago(hours=1).isoformat(),
    )
    shown = desk.run("backend", "jobs", "hpc", "--seen")
    assert "\x1b" not in shown.stdout
    assert "1 of 1200: no more are kept" in shown.stderr
    assert "unknown, was R" in desk.run("backend", "jobs", "hpc", "--history").stdout
    assert "was never seen" in desk.run("backend", "jobs", "here", "--seen").stderr
    assert "do not go together" in desk.refused("backend", "jobs", "hpc", "--seen", "--all")


def test_members_of_job_arrays_are_ours_also_where_they_are_one_row(desk: Desk, node: Node) -> None:
    member = attempt("hpc", native_id="7_1", array="g000000001", array_index=1)
    task = Task(id="a", command=":")
    desk.has(job("a-1aaaaa", JobState.RUNNING, backend="hpc", task=task, attempts=(member,)))
    names = {"7_1": "wf.g000000001", "7_[2-9]": "wf.g000000001", "8": "wf.g00000000"}
    rows = [
        "\\037".join([native, *"RUNNING me p 1 1 1 1 n / None".split(), name])  # noqa: SIM905
        for native, name in names.items()
    ]
    node.program("squeue", "printf '{}\\n'".format("\\n".join(rows)))
    node.program("sinfo", "exit 0")
    found = desk.json("backend", "jobs", "hpc", "--all")
    assert [(one["job"], one["array"]) for one in found] == [
        ("a-1aaaaa", "g000000001"), (None, "g000000001"), (None, None),
    ]  # fmt: skip
    shown = desk.run("backend", "jobs", "hpc", "--all").stdout
    assert shown.count("array g000000001") == 1
    said = desk.run("show", "a-1aaaaa").stdout
    assert "index 1 of the job array g000000001" in said
    assert desk.json("jobs")[0]["array"] == {"id": "g000000001", "index": 1}


def test_info_of_this_machine(desk: Desk, node: Node) -> None:
    found = desk.json("backend", "info", "here")
    assert (found["nodes"], found["clone_bytes"]) == (1, None)
    assert found["cpus"] >= 1
    (node.folder / "clones/abc/.git").mkdir(parents=True)
    again = desk.json("backend", "info", "here")
    assert again["clones"] == 1
    assert again["clone_bytes"] > 0
    assert "in 1 clones" in desk.run("backend", "info", "here").stdout


# --- login

WORDS = ["ssh", "-C", "-o", "BatchMode=yes", "-o", "ControlPath=/x", "-t", "login.example.org"]


def test_a_person_may_answer_and_the_connection_stays() -> None:
    words = asking_words(WORDS, timedelta(hours=2))
    assert words[0] == "ssh"
    assert words[-2:] == ["login.example.org", "true"]
    assert "-t" not in words
    assert words.index("-oBatchMode=no") < words.index("BatchMode=yes"), "ssh takes the first"
    assert "-oControlPersist=7200s" in words
    assert "-oControlMaster=auto" in words
    assert "ControlPath=/x" in words


@pytest.fixture
def logins(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    seen: list[list[str]] = []

    def login_words(config: object, host: str) -> list[str]:
        del config
        return [*WORDS[:-1], host] if host == "hpc" else []

    def run(words: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        del options
        seen.append(list(words))
        return subprocess.CompletedProcess(list(words), 255 if len(seen) > 1 else 0)

    monkeypatch.setattr(inventory, "login_words", login_words)
    monkeypatch.setattr("hopper.cli.login.subprocess.run", run)
    return seen


def test_login_lets_the_dispatcher_try_at_once(
    desk: Desk, node: Node, logins: list[list[str]]
) -> None:
    del node
    lost = WorkerRecord(name="hpc", no_contact_since=ago(hours=1), contact_not_before=ago(hours=-1))
    desk.has(records=(lost,))
    assert "idle for 12h" in desk.run("backend", "login", "hpc").stdout
    assert logins[0][-2:] == ["hpc", "true"]
    assert desk.json("backend", "list")[1]["not_before"] is None
    assert "failed" in desk.run("backend", "login", "hpc", code=1).stderr


def test_this_machine_needs_no_login(desk: Desk, node: Node, logins: list[list[str]]) -> None:
    del node
    assert "this machine" in desk.run("backend", "login", "here").stdout
    assert logins == []


def test_workers_likewise(desk: Desk, node: Node, logins: list[list[str]]) -> None:
    del node
    desk.worker("hpc")
    desk.run("workers", "login", "hpc")
    assert len(logins) == 1
    assert "no worker 'gone'" in desk.refused("workers", "login", "gone")
