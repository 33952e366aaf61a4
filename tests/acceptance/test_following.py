"""Jobs followed and changed from the command line while a dispatcher runs, on local workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Eventually

pytestmark = pytest.mark.ansible
HOPPER = Path(sys.executable).with_name("hopper")
SECONDS = 60


class Home:
    """A hopper folder with two local workers, and its command."""

    def __init__(self, folder: Path, sockets: str) -> None:
        self.folder = folder
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": sockets, "SHELL": "/bin/sh"}
        hosts = {}
        for name in ("one", "two"):
            inbox, outbox = folder / name / "Inbox", folder / name / "Outbox"
            inbox.mkdir(parents=True)
            outbox.mkdir()
            hosts[name] = {
                "ansible_connection": "local",
                "hopper_inbox": str(inbox),
                "hopper_outbox": str(outbox),
                "hopper_tags": [name],
            }
        inventory = {"hopper_workers": {"hosts": hosts}}
        (folder / "inventory.yml").write_text(yaml.safe_dump(inventory))
        config = {
            "inventory": "inventory.yml",
            "poll": {"interval_seconds": 1, "settle_seconds": 0},
            "dispatch": {"cancel_grace": 1},
            "disk": {"home_low": "1 MB"},
        }
        (folder / "hopper.yaml").write_text(yaml.safe_dump(config))

    def script(self, text: str, name: str) -> str:
        """Make a job's folder and return its path."""
        folder = self.folder / "jobs" / name
        folder.mkdir(parents=True)
        (folder / "run_job.sh").write_text(text)
        return str(folder)

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(HOPPER), *arguments],
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdin=subprocess.DEVNULL,
            **options,
        )

    def run(self, *arguments: str, code: int = 0, stdin: str | None = None) -> str:
        """Run a command and return what it printed; a traceback fails the test."""
        done = subprocess.run(
            [str(HOPPER), *arguments],
            cwd=self.folder,
            env=self.environment,
            text=True,
            input=stdin if stdin is not None else "",
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stdout

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code))

    def submit(self, *arguments: str) -> str:
        return self.run("submit", *arguments).strip()

    def state(self, job_id: str) -> str:
        return str(self.json("show", job_id)["state"])


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="hopf") as sockets:
        yield Home(tmp_path, sockets)


@pytest.fixture
def dispatching(home: Home, eventually: Eventually) -> Iterator[Home]:
    """The folder while its dispatcher runs."""
    with (home.folder / "dispatch.out").open("w") as out:
        process = home.start("dispatch", stdout=out, stderr=out)
        try:
            eventually(lambda: home.json("status")["dispatcher"], what="a dispatcher")
            yield home
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(SECONDS)


def test_a_job_is_followed_from_its_submission_to_its_results(
    dispatching: Home, eventually: Eventually
) -> None:
    home = dispatching
    go = home.folder / "go"
    text = f"echo begun\nuntil [ -e '{go}' ]; do sleep 0.1; done\necho ended\nmkdir results\n"
    job_id = home.submit(home.script(text + "echo 42 > results/answer\n", "train"), "--tag", "two")
    eventually(lambda: home.state(job_id) == "running", what="running")

    assert [item["id"] for item in home.json("status")["on_workers"]] == [job_id]
    assert "runs on two" in home.json("explain", job_id)["headline"]
    eventually(lambda: home.run("logs", job_id) == "begun\n", what="its log")
    scanned = {worker["worker"]: worker for worker in home.json("scan")}
    assert scanned["two"]["items"][0]["job"] == job_id
    assert scanned["two"]["items"][0]["phase"] == "running"
    assert scanned["one"]["items"] == []
    assert home.run("shell", job_id, stdin="ls\n") == "run_job.sh\n"

    follower = home.start("logs", "-f", job_id, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    waiter = home.start("wait", job_id, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    go.touch()
    said, remarks = follower.communicate(timeout=SECONDS)
    assert said == "begun\nended\n"
    assert "attempt 1 completed" in remarks
    assert waiter.communicate(timeout=SECONDS)[0] == f"{job_id}: completed\n"
    assert waiter.returncode == 0

    (result,) = home.run("results", job_id).splitlines()
    with zipfile.ZipFile(result) as archive:
        assert archive.read("results/answer") == b"42\n"
    kinds = [
        json.loads(line)["kind"]
        for line in home.run("events", "--job", job_id, "--json").splitlines()
    ]
    assert kinds[0] == "job_submitted"
    assert "results_home" in kinds
    assert home.run("logs", job_id) == "begun\nended\n"
    assert list((home.folder / "state/db/looks").iterdir()) == []


def test_a_failed_job_can_be_looked_at_and_tried_again(dispatching: Home) -> None:
    home = dispatching
    mended = home.folder / "mended"
    source = home.script(f"echo why\n[ -e '{mended}' ]\n", "frail")
    done = home.run("submit", "--wait", source, code=1)
    job_id = done.split()[0]
    assert "failed (exit code 1)" in done
    told = home.json("explain", job_id)
    assert told["log_end"] == ["why"]
    assert f"hopper shell {job_id}" in told["advice"]
    place = home.run("shell", job_id, stdin="pwd\n").strip()
    assert Path(place).parts[-3:] == ("Inbox", job_id, "job")
    mended.touch()
    home.run("requeue", "--failed", "--yes")
    home.run("wait", job_id, "--timeout", "60")
    assert len(home.json("show", job_id)["attempts"]) == 2
    assert home.run("logs", job_id, "--attempt", "1") == "why\n"


def test_pending_jobs_are_held_changed_and_cancelled(
    dispatching: Home, eventually: Eventually
) -> None:
    home = dispatching
    source = home.script("sleep 600\n", "long")
    running = home.submit(source, "--tag", "one")
    eventually(lambda: home.state(running) == "running", what="running")
    waits = home.submit(source, "--tag", "nowhere", "--name", "waits")
    after = home.submit(source, "--after", "waits", "--name", "after")
    assert "No worker has the tag 'nowhere'." in home.json("explain", waits)["headline"]
    assert f"It comes after {waits}" in home.json("explain", after)["headline"]
    home.run("hold", waits)
    home.run("priority", "9", "waits")
    shown = home.json("show", waits)
    assert shown["held"]
    assert shown["spec"]["priority"] == 9
    home.run("release", waits)
    home.run("cancel", waits)
    eventually(lambda: home.state(after) == "dep_failed", what="its dependent to fail")
    home.run("wait", after, code=1)
    home.run("cancel", "--wait", running)
    assert home.state(running) == "cancelled"
    home.run("hold", running, code=1)
    home.run("wait", running, code=1)


def test_without_a_dispatcher(home: Home) -> None:
    assert home.run("status").startswith("dispatcher\tnot running\n")
    job_id = home.submit(home.script("true\n", "x"), "--hold")
    home.run("release", job_id)
    home.run("priority", "-1", job_id)
    home.run("wait", job_id, "--timeout", "0", code=124)
    told = home.json("explain", job_id)
    assert "No dispatcher runs." in told["headline"]
    home.run("dispatch", "--until-idle")
    assert home.state(job_id) == "completed"
    home.run("logs", "nothing", code=2)


def test_completion_in_a_shell(home: Home) -> None:
    job_id = home.submit(home.script("true\n", "x"), "--hold")
    home.environment.update(
        _HOPPER_COMPLETE="bash_complete", COMP_WORDS="hopper show x", COMP_CWORD="2"
    )
    assert home.run() == f"plain,{job_id}\n"
