"""Terminals and logs of jobs on real SSH workers."""

from __future__ import annotations

import subprocess

import pytest

from tests.acceptance.lab import Lab

pytestmark = [pytest.mark.rig, pytest.mark.ansible]


def test_a_terminal_in_the_folder_of_a_failed_job(lab: Lab) -> None:
    lab.drop("broken", "echo what went wrong; exit 7\n")
    lab.run("dispatch", "--until-idle")
    job = lab.jobs()["broken"]
    done = subprocess.run(
        ["hopper", "shell", "broken"],
        cwd=lab.folder,
        env=lab.environment,
        input="pwd; ls; exit 5\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 5, done.stderr
    place, script = done.stdout.split()
    assert place.endswith(f"/{job['id']}/job")
    assert script == "run_job.sh"
    assert "what went wrong" in lab.json("explain", "broken")["log_end"]


def test_a_log_is_read_from_a_worker_while_its_job_runs(lab: Lab) -> None:
    lab.drop("long", "echo begun; printf '\\001\\377'; sleep 600\n")
    with lab.dispatching():
        lab.wait_for("long", "running")
        command = ["hopper", "logs", "long"]

        def read() -> bytes:
            return subprocess.run(
                command, cwd=lab.folder, env=lab.environment, capture_output=True, check=False
            ).stdout

        lab.eventually(lambda: read() == b"begun\n\001\377", what="its log")
        worker = next(w for w in lab.json("scan") if w["items"])
        assert worker["items"][0]["phase"] == "running"
        lab.run("cancel", "--wait", "long")
    assert lab.run("logs", "--tail", "4", "--bytes", "long").startswith("n\n")
