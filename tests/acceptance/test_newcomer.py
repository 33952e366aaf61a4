"""What the README promises to somebody new: from nothing to a result, here and by ssh."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from tests.acceptance.person import SECONDS, Shell
from tests.rigs.farm import Farm, FarmWorker

pytestmark = pytest.mark.ansible


class Person(Shell):
    """One who has nothing in their home."""

    def __init__(self, folder: Path, sockets: str) -> None:
        super().__init__(folder, folder, XDG_RUNTIME_DIR=sockets)

    def forget_connections(self) -> None:
        """Use none of the ssh connections that are open."""
        self.environment["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(
            dir=self.environment["XDG_RUNTIME_DIR"]
        )

    def hopper(self, *arguments: str, code: int = 0) -> str:
        """Run a hopper command and return all that it printed, faults too."""
        done = self.call(*arguments, code=code)
        return done.stdout + done.stderr


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    with tempfile.TemporaryDirectory(prefix="hopn") as sockets:
        yield Person(tmp_path, sockets)
        for path in Path(sockets).rglob("*"):
            if path.is_socket():
                end = ["ssh", "-O", "exit", "-S", str(path), "x"]
                subprocess.run(end, capture_output=True, timeout=SECONDS, check=False)


def results(folder: Path) -> dict[str, bytes]:
    [path] = (folder / "state/inbox").glob("*.zip")
    with zipfile.ZipFile(path) as home:
        return {name.rpartition("/")[2]: home.read(name) for name in home.namelist()}


def test_the_demo_computes_what_it_says(person: Person) -> None:
    said = person.hopper("demo")
    assert "3.14159265358979323846… (600 digits)" in said
    assert "25997 primes below 300000, the last is 299993" in said
    assert '272 words, 138 different; most often "that", 13 times' in said
    assert len(list((person.folder / "hopper-demo/state/inbox").glob("*.zip"))) == 3
    for word in ("submitted", "running", "completed"):
        assert f"pi: {word} on here-" in said


def test_the_demo_says_so_when_a_job_fails(person: Person) -> None:
    hidden = person.folder / "bin"
    hidden.mkdir()
    (hidden / "awk").write_text("#!/bin/sh\nexit 3\n")
    (hidden / "awk").chmod(0o755)
    person.environment["PATH"] = f"{hidden}{os.pathsep}{person.environment['PATH']}"
    (person.folder / "hopper-demo").mkdir()
    said = person.hopper("demo", code=1)
    assert "pi\tfailed" in said
    assert (person.folder / "hopper-demo/run-2/hopper.yaml").is_file()


def test_from_init_to_a_result_on_this_machine(person: Person) -> None:
    person.hopper("init")
    assert person.json("config", "check")["ok"]
    assert [look["ready"] for look in person.json("workers", "check", code=1)] == [False, False]
    assert [look["ready"] for look in person.json("workers", "setup")] == [True, True]
    checks = person.json("doctor")
    assert checks["ok"], checks
    person.hopper("workers", "drain", "here-1")
    person.hopper("submit", "hello")
    person.hopper("dispatch", "--until-idle", "--quiet")
    assert json.loads(results(person.folder)["fit.json"])["points"] > 2
    workers = {worker["name"]: worker for worker in person.json("workers", "list")}
    assert workers["here-1"]["state"] == "drained"
    assert workers["here-2"]["state"] == "ready"
    person.hopper("workers", "resume", "here-1")
    assert person.json("workers", "list")[0]["state"] == "ready"
    inventory = (person.folder / "inventory.yml").read_text()
    assert "# This machine as two workers" in inventory
    person.hopper("db", "check")


def fingerprint(farm: Farm) -> str:
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(farm.folder / "hostkey.pub")],
        capture_output=True,
        text=True,
        check=True,
    )
    return shown.stdout.split()[1]


def own_options(person: Person) -> str:
    """Keep the person's known hosts in their own folder: ssh does not go by $HOME."""
    known = person.folder / "known_hosts"
    return f"-o UserKnownHostsFile={known} -o GlobalKnownHostsFile=/dev/null -o IdentitiesOnly=yes"


def address(worker: FarmWorker, farm: Farm) -> list[str]:
    return [
        *("--host", worker.host, "--port", str(worker.port), "--user", worker.user),
        *("--key", str(farm.folder / "id")),
        *("--inbox", worker.inbox, "--outbox", worker.outbox),
    ]


@pytest.mark.rig
def test_from_init_to_a_result_on_an_ssh_worker(farm: Farm, person: Person) -> None:
    [first, second, *_] = farm.workers
    person.hopper("init")
    config = person.folder / "hopper.yaml"
    text = config.read_text().replace(
        '"-o BatchMode=yes -o ConnectTimeout=10"', f'"-o BatchMode=yes {own_options(person)}"'
    )
    config.write_text(text)
    for name in ("here-1", "here-2"):
        person.hopper("workers", "remove", name)

    add = ("workers", "add", "gpu1", *address(first, farm))
    refused = person.hopper(*add, code=2)
    assert fingerprint(farm) in refused
    wrong = person.hopper(*add, "--accept-key", "SHA256:" + "A" * 43, code=2)
    assert "not the key" in wrong
    assert not (person.folder / "known_hosts").exists()
    assert "gpu1:" not in (person.folder / "inventory.yml").read_text()

    said = person.hopper(*add, "--slots", "2", "--accept-key", fingerprint(farm))
    assert "hopper workers setup gpu1" in said
    assert "is a worker gpu1 already" in person.hopper(*add, code=2)
    assert "# This machine as two workers" in (person.folder / "inventory.yml").read_text()
    [before] = person.json("workers", "check", code=1)
    assert any("Inbox" in text for text in before["missing"])
    [after] = person.json("workers", "setup")
    assert (after["ready"], after["inbox"]) == (True, first.inbox)
    assert first.outside(first.inbox).stat().st_mode & 0o777 == 0o700
    person.hopper("doctor")

    shutil.make_archive(str(person.folder / "mine"), "zip", person.folder / "hello")
    person.hopper("submit", "mine.zip")
    person.hopper("dispatch", "--until-idle", "--quiet")
    assert json.loads(results(person.folder)["fit.json"])["r_squared"] > 0

    # Another machine, of which the key is not known: neither check nor dispatch trusts it.
    person.hopper("workers", "add", "gpu2", *address(second, farm), "--yes")
    (person.folder / "known_hosts").write_text("")
    person.forget_connections()
    looks = person.json("workers", "check", code=1)
    assert all("key" in look["unreachable"].lower() for look in looks), looks


@pytest.mark.rig
def test_taking_over_from_a_jobhopper(farm: Farm, person: Person) -> None:
    worker = farm.workers[0]
    running, queued = "a" * 64, "b" * 64
    known = person.folder / "known_hosts"
    shutil.copy(farm.folder / "known_hosts", known)
    options = f"-o BatchMode=yes {own_options(person)} -i {farm.folder / 'id'}"
    seed = {
        "paths": {"db": "./state/jobhopper.db"},
        "poll": {"interval_seconds": 1, "settle_seconds": 0},
        "dispatch": {"ssh_options": options},
        "workers": [
            {
                "name": "worker-a",
                "host": worker.host,
                "user": worker.user,
                "port": worker.port,
                "inbox_dir": worker.inbox,
                "outbox_dir": worker.outbox,
            }
        ],
    }
    state = person.folder / "state"
    for name in ("queue", "running"):
        (state / name).mkdir(parents=True)
    (person.folder / "jobhopper.yaml").write_text(yaml.safe_dump(seed))
    with zipfile.ZipFile(state / "queue/fresh.zip", "w") as fresh:
        fresh.writestr("run_job.sh", "mkdir results; echo done > results/fresh.txt\n")
    shutil.copy(state / "queue/fresh.zip", state / f"running/{running}.zip")
    with closing(sqlite3.connect(state / "jobhopper.db")) as database, database:
        database.execute("CREATE TABLE jobs (job_id, state, worker, zip_path)")
        rows = [
            (running, "running", "worker-a", f"state/running/{running}.zip"),
            (queued, "queued", None, "state/queue/fresh.zip"),
        ]
        database.executemany("INSERT INTO jobs VALUES (?, ?, ?, ?)", rows)
    inbox, outbox = worker.outside(worker.inbox), worker.outside(worker.outbox)
    farm.ssh(worker.name, f"mkdir -p '{worker.inbox}' '{worker.outbox}'")
    (inbox / f"{running}.zip").write_bytes(b"under way")

    taken = {job["job_id"]: job for job in person.json("import", "jobhopper.yaml")["jobs"]}
    assert all(job["ok"] for job in taken.values())
    assert {job["job_id"] for job in person.json("import", "jobhopper.yaml")["jobs"]} == {*taken}
    external = taken[running]["hopper_id"]
    [job] = person.json("jobs")
    assert (job["id"], job["state"], job["external"]) == (external, "running", True)

    # It has the only slot; hopper waits until it has ended, and collects what it left.
    (inbox / f"{running}.zip").rename(outbox / f"{running}.zip")
    person.hopper("dispatch", "--until-idle", "--quiet")
    jobs = {job["name"]: job for job in person.json("jobs")}
    assert {name: job["state"] for name, job in jobs.items()} == {
        running: "completed",
        "fresh": "completed",
    }
    assert (state / f"inbox/{external}.zip").read_bytes() == b"under way"
    starts = re.findall("fresh", " ".join(path.name for path in (state / "inbox").iterdir()))
    assert len(starts) == 1
