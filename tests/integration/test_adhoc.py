"""The playbooks that people run by hand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hopper.ansible.content import collections_environment
from tests.conftest import Eventually

pytestmark = pytest.mark.ansible

ATTEMPT = "a123456789"


@dataclass(frozen=True, kw_only=True)
class Played:
    """What ansible-playbook said of one host."""

    code: int
    output: str
    result: dict[str, Any]
    """Of the last task that had one of ours."""


@dataclass(kw_only=True)
class Desk:
    """A folder of a person with an inventory of one local worker."""

    folder: Path

    @property
    def inbox(self) -> Path:
        return self.folder / "w" / "Inbox"

    def zip(self, script: str, name: str = "my job.zip") -> Path:
        path = self.folder / name
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("run_job.sh", script)
        return path

    def play(self, playbook: str, *words: str, limit: str = "w", **variables: object) -> Played:
        """Run a playbook as a person would, in the folder."""
        environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
            "PWD": str(self.folder),
            **collections_environment({}),
        }
        done = subprocess.run(
            [
                *("ansible-playbook", "-v", "-i", "inventory.json"),
                *(("--limit", limit) if limit else ()),
                *("-e", json.dumps(variables), *words, f"hopper.dispatch.{playbook}"),
            ],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        found = re.findall(
            r"^(?:ok|changed|fatal): \[[^]]+\][^=\n]*=> (\{.*\})$", done.stdout, re.MULTILINE
        )
        ours = [json.loads(text) for text in found]
        ours = [
            result for result in ours if "changed" in result and "argument_spec_data" not in result
        ]
        assert "Traceback" not in done.stdout + done.stderr, done.stdout
        return Played(
            code=done.returncode,
            output=done.stdout + done.stderr,
            result=ours[-1] if ours else {},
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    hosts = {
        "w": {
            "ansible_connection": "local",
            "ansible_python_interpreter": "/nowhere/python",
            "hopper_inbox": str(tmp_path / "w" / "Inbox"),
            "hopper_outbox": str(tmp_path / "w" / "Outbox"),
        },
        "gone": {"ansible_host": "127.0.0.1", "ansible_port": 1},
    }
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"hopper_workers": {"hosts": hosts}}))
    return Desk(folder=tmp_path)


@pytest.fixture
def ready(desk: Desk) -> Desk:
    for name in ("Inbox", "Outbox"):
        (desk.folder / "w" / name).mkdir(parents=True)
    return desk


def test_probe_says_what_is_missing_and_changes_nothing(desk: Desk) -> None:
    seen = desk.play("probe")
    assert seen.code == 0
    assert seen.result["ready"] is False
    assert any("no Inbox" in text for text in seen.result["missing"])
    assert not desk.inbox.exists()
    assert seen.result["free_bytes"] > 0
    assert abs(seen.result["clock_skew"]) < 60
    assert seen.result["tools"]["tar"] == "tar"


def test_setup_makes_the_folders_once(desk: Desk) -> None:
    planned = desk.play("setup_inbox", "--check")
    assert planned.result["changed"]
    assert not desk.inbox.exists()
    first = desk.play("setup_inbox")
    assert first.result["changed"]
    assert first.result["ready"]
    assert desk.inbox.stat().st_mode & 0o777 == 0o700
    assert len(first.result["made"]) == 2
    again = desk.play("setup_inbox")
    assert not again.result["changed"]
    assert desk.play("probe").result["ready"]


def test_a_folder_that_cannot_be_made_is_a_failure(desk: Desk) -> None:
    (desk.folder / "w").write_text("a file")
    seen = desk.play("setup_inbox")
    assert seen.code == 2
    assert "cannot be made" in seen.result["msg"]


def test_a_host_out_of_reach_is_unreachable(desk: Desk) -> None:
    seen = desk.play("probe", limit="gone")
    assert seen.code == 4
    assert "UNREACHABLE" in seen.output
    assert "onnection refused" in seen.output


def test_the_whole_way_by_hand(ready: Desk, eventually: Eventually) -> None:
    ready.zip('echo "$# args, $OF"; mkdir results; echo 42 > results/answer')
    started = ready.play(
        "launch",
        zip_job_zip="my job.zip",
        zip_job_attempt=ATTEMPT,
        zip_job_env={"OF": "mine"},
    )
    assert started.result["changed"]
    assert started.result["verdict"] == "now"
    job = started.result["job_id"]
    assert job == f"my-job-{ATTEMPT}"
    again = ready.play("launch", zip_job_zip="my job.zip", zip_job_attempt=ATTEMPT)
    assert (again.result["verdict"], again.result["changed"]) == ("again", False)

    ids = {"zip_job_attempt": ATTEMPT, "zip_job_id": job}
    exited = ready.inbox / ".hopper" / ATTEMPT / "exit"
    eventually(exited.exists, what="the job's end")
    planned = ready.play("collect", "--check", **ids)
    assert (planned.result["changed"], planned.result["over"]) == (False, True)
    home = ready.play("collect", **ids)
    assert home.result["changed"]
    assert home.result["exit_code"] == 0
    results = ready.folder / "results"
    assert sorted(p.name for p in results.iterdir()) == [f"{job}.log", f"{job}.zip"]
    with zipfile.ZipFile(results / f"{job}.zip") as archive:
        assert archive.read("results/answer") == b"42\n"
    assert (results / f"{job}.log").read_text() == "5 args, mine\n"
    assert not ready.play("collect", **ids).result["changed"]

    log = ready.play("fetch_logs", **ids)
    assert log.result["changed"]
    assert (ready.folder / "logs" / f"{ATTEMPT}.log").read_text() == "5 args, mine\n"
    assert not ready.play("fetch_logs", **ids).result["changed"]

    over = ready.play("cancel", **ids)
    assert not over.result["changed"]
    assert "was over before" in over.result["msg"]
    cleaned = ready.play("collect", zip_job_clean=True, **ids)
    assert cleaned.result["changed"]
    assert not list((ready.inbox / ".hopper").iterdir())
    gone = ready.play("collect", **ids)
    assert gone.code == 2
    assert "knows no attempt" in gone.result["msg"]


def test_a_running_job_is_not_collected_and_can_be_cancelled(ready: Desk) -> None:
    ready.zip("sleep 600")
    started = ready.play("launch", zip_job_zip="my job.zip", zip_job_command="sh run_job.sh")
    ids = {
        f"zip_job_{key}": started.result[part]
        for key, part in (("attempt", "attempt"), ("id", "job_id"))
    }
    try:
        waiting = ready.play("collect", **ids)
        assert waiting.code == 0
        assert (waiting.result["over"], waiting.result["phase"]) == (False, "running")
        refused = ready.play("launch", zip_job_zip="my job.zip")
        assert (refused.code, refused.result["why"]) == (2, "busy")
        planned = ready.play("cancel", "--check", **ids)
        assert planned.result["changed"]
        assert planned.result["phase"] == "running"
    finally:
        ended = ready.play("cancel", **ids)
    assert ended.result["changed"]
    assert (ended.result["phase"], ended.result["how"]) == ("ended", "cancelled")
    assert not ready.play("cancel", **ids).result["changed"]


def test_check_mode_launches_nothing(ready: Desk) -> None:
    ready.zip("true")
    planned = ready.play("launch", "--check", zip_job_zip="my job.zip", zip_job_attempt=ATTEMPT)
    assert (planned.code, planned.result["changed"], planned.result["phase"]) == (0, True, "absent")
    assert not list(ready.inbox.glob("*.zip"))


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"zip_job_zip": "none.zip"}, "No such file"),
        ({"zip_job_zip": "inventory.json"}, "not a whole zip"),
        ({"zip_job_zip": "up.zip"}, "leads out of its folder"),
        ({"zip_job_zip": "bare.zip"}, "holds no run_job.sh"),
        ({"zip_job_zip": "my job.zip", "zip_job_attempt": "A B"}, "no attempt id"),
        ({"zip_job_zip": "my job.zip", "zip_job_id": "../x"}, "no job id"),
        ({"zip_job_zip": "my job.zip", "zip_job_env": {"A;B": "1"}}, "no name of an environment"),
        ({"zip_job_zip": "my job.zip", "zip_job_time_limit": "long"}, "time_limit"),
        ({}, "zip_job_zip"),
    ],
)
def test_what_cannot_be_launched_is_told(ready: Desk, variables: dict[str, Any], said: str) -> None:
    ready.zip("true")
    for name, member in (("up.zip", "../run_job.sh"), ("bare.zip", "other")):
        with zipfile.ZipFile(ready.folder / name, "w") as archive:
            archive.writestr(member, "x")
    seen = ready.play("launch", **variables)
    assert seen.code == 2
    assert said in seen.output
    assert not list(ready.inbox.glob("*.zip"))


def test_become_is_refused_plainly(ready: Desk) -> None:
    ready.zip("true")
    seen = ready.play("launch", "--become", zip_job_zip="my job.zip")
    assert seen.code == 2
    assert "become is not supported" in seen.result["msg"]


def test_every_playbook_takes_other_hosts(desk: Desk, project: Path) -> None:
    names = ["probe", "launch", "collect", "cancel", "setup_inbox", "fetch_logs"]
    for name in names:
        text = (project / "playbooks" / f"{name}.yml").read_text()
        assert "{{ hopper_hosts | default('hopper_workers'" in text, name
    seen = desk.play("probe", limit="all", hopper_hosts="w")
    assert seen.code == 0
    assert "gone" not in seen.output


def test_workers_are_written_down(desk: Desk) -> None:
    seen = desk.play("workers", limit="", workers_file=str(desk.folder / "workers.json"))
    assert seen.code == 0
    roster = json.loads((desk.folder / "workers.json").read_text())
    assert list(roster) == ["w", "gone"]
    assert roster["gone"] == {"variables": {"ansible_host": "127.0.0.1", "ansible_port": 1}}
