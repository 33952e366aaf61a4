"""Zips to real SSH workers and their results home, by the installed command."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from tests.acceptance.lab import Lab

pytestmark = [pytest.mark.rig, pytest.mark.ansible]

PACK = 'echo "$1" > answer.txt; zip -q "$3/$1.zip" answer.txt\n'
RESULTS = "mkdir -p results; echo 42 > results/answer.txt\n"


def test_zips_go_out_run_and_come_home(lab: Lab) -> None:
    for number in range(8):
        lab.drop(f"job{number}", RESULTS)
    lab.run("dispatch", "--until-idle")
    assert {job["state"] for job in lab.jobs().values()} == {"completed"}
    for number in range(8):
        assert lab.result(f"job{number}", "results/answer.txt") == "42\n"
    lab.check_none_lost_none_twice()
    for worker in lab.farm.workers:
        left = [p for p in (worker.home / "Inbox").rglob("*") if p.name != ".hopper"]
        assert left == [], f"{worker.name} was not tidied up"
        assert list((worker.home / "Outbox").iterdir()) == []


def test_the_seeds_contract_holds(lab: Lab) -> None:
    """A script that packs its own results and moves its zip away, with the seed's template."""
    template = "cd {extract_dir} && bash run_job.sh '{job_id}' '{worker_inbox}' '{worker_outbox}'"
    lab.set_up({"dispatch": {"launch": {"command_template": f"{template} '{{zip_name}}'"}}})
    script = 'echo "$@" > args; zip -q "$3/$1.metrics.zip" args; mv "$2/$4" "$HOME/"\n'
    lab.drop("seed", script)
    lab.run("dispatch", "--until-idle")
    job_id = lab.jobs()["seed"]["id"]
    (path,) = (lab.state / "inbox").glob("*.zip")
    assert path.name == f"{job_id}.metrics.zip"
    with zipfile.ZipFile(path) as archive:
        said = archive.read("args").decode().split()
    assert said[0] == job_id
    assert said[3] == f"{job_id}.zip"


@pytest.mark.parametrize("mode", ["scp", "piped", "rsync"])
@pytest.mark.parametrize("bulk", [False, True], ids=["in the sweep", "apart"])
def test_large_zips_and_results_travel_whole(lab: Lab, mode: str, bulk: bool) -> None:
    limits = {"inline_limit": "10 kB", "bulk_limit": "100 kB" if bulk else "64 MB"}
    lab.set_up({"dispatch": {"transfer_mode": mode, **limits}})
    script = 'cp payload.bin result.bin; zip -q "$3/$1.zip" result.bin\n'
    path = lab.make("large", script, size=3_000_000)
    with zipfile.ZipFile(path) as archive:
        digest = hashlib.sha256(archive.read("payload.bin")).hexdigest()
    path.rename(lab.state / "queue" / path.name)
    lab.run("dispatch", "--until-idle")
    (home,) = (lab.state / "inbox").glob("*.zip")
    with zipfile.ZipFile(home) as archive:
        assert hashlib.sha256(archive.read("result.bin")).hexdigest() == digest
    lab.check_none_lost_none_twice()


def test_a_failed_job_brings_its_results_home_and_is_tried_again(lab: Lab) -> None:
    script = "mkdir -p results; echo $HOPPER_ATTEMPT_ID > results/answer.txt\n"
    script += "[ -e $HOME/second ] || { touch $HOME/second; exit 7; }\n"
    lab.set_up(**{name: {"hopper_drained": True} for name in ("w2", "w3", "w4")})
    lab.drop("again", script, spec={"retries": 1})
    lab.run("dispatch", "--until-idle")
    job = lab.jobs()["again"]
    assert job["state"] == "completed"
    assert len(list((lab.state / "inbox").glob("*.zip"))) == 2
    lab.check_none_lost_none_twice(once=False)


def test_a_time_limit_ends_a_job_and_all_its_processes(lab: Lab) -> None:
    lab.drop("slow", "sleep 600 & trap '' TERM; sleep 600; sleep 600\n", spec={"time_limit": 1})
    lab.run("dispatch", "--until-idle")
    assert "time limit" in lab.jobs()["slow"]["reason"]
    assert lab.state_of("slow") == "failed"
    for worker in lab.farm.workers:
        lab.eventually(
            lambda name=worker.name: not lab.farm.processes(name),  # type: ignore[misc]
            what="no process of the job is left",
        )


def test_cancel_is_done_when_the_death_was_seen(lab: Lab) -> None:
    lab.drop("long", "trap '' TERM; sleep 600 & sleep 600; sleep 600\n")
    with lab.dispatching():
        lab.wait_for("long", "running")
        lab.run("cancel", "long")
        lab.wait_for("long", "cancelled")
        for worker in lab.farm.workers:
            left = lab.farm.processes(worker.name).values()
            assert not [line for line in left if line.startswith("sleep")]


def test_the_dispatcher_ends_cleanly_and_the_next_carries_on(lab: Lab) -> None:
    lab.drop("long", "until [ -e $HOME/go ]; do sleep 0.1; done\n" + RESULTS)
    with lab.dispatching() as first:
        lab.wait_for("long", "running")
    assert first.returncode == 0
    for worker in lab.farm.workers:
        (worker.home / "go").touch()
    lab.run("dispatch", "--until-idle")
    assert lab.state_of("long") == "completed"
    lab.check_none_lost_none_twice()


def test_two_dispatchers_at_once_are_one(lab: Lab) -> None:
    with lab.dispatching() as first:
        lab.eventually(lambda: "dispatch started" in lab.said, what="the first is up")
        said = lab.run("dispatch", code=None)
        assert str(first.pid) in said


def test_logs_come_live_from_the_worker(lab: Lab) -> None:
    lab.drop("talker", "echo early; until [ -e $HOME/go ]; do sleep 0.1; done; echo late\n")
    with lab.dispatching():
        lab.wait_for("talker", "running")
        lab.eventually(lambda: "early" in lab.run("logs", "talker"), what="the log so far")
        for worker in lab.farm.workers:
            (worker.home / "go").touch()
        lab.wait_for("talker", "completed")
    assert lab.run("logs", "talker").split() == ["early", "late"]


HOSTILE = [
    "two words",
    "it's",
    'say "so"',
    "new\nline",
    "$(touch pwned)",
    "`id`",
    "-rf",
    "ünïcödé",
    "semi;colon",
    "*",
]


def test_names_of_any_kind_are_only_names(lab: Lab) -> None:
    for name in HOSTILE:
        lab.drop(name, RESULTS)
    lab.run("dispatch", "--until-idle")
    jobs = lab.json("jobs")
    assert len(jobs) == len(HOSTILE)
    assert {job["state"] for job in jobs} == {"completed"}
    assert len(list((lab.state / "inbox").glob("*.zip"))) == len(HOSTILE)
    for worker in lab.farm.workers:
        assert not list(worker.home.rglob("pwned"))
    assert not list(Path(lab.folder).rglob("pwned"))


def test_a_worker_with_spaces_and_quotes_in_its_paths(lab: Lab) -> None:
    odd = "~/In 'box\" $(touch pwned)"
    lab.set_up(group_vars={}, w1={"hopper_inbox": odd, "hopper_outbox": "~/Out box"})
    lab.farm.ssh("w1", 'mkdir -p "$HOME/In \'box\\" \\$(touch pwned)" "$HOME/Out box"')
    for number in range(4):
        lab.drop(f"job{number}", PACK)
    lab.run("dispatch", "--until-idle")
    assert {job["state"] for job in lab.jobs().values()} == {"completed"}
    assert "w1" in {job["worker"] for job in lab.jobs().values()}
    assert not list(lab.farm.worker("w1").home.rglob("pwned"))
