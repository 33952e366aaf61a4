"""Cut lines, dead machines, full disks, killed dispatchers, wicked jobs: none lost, none twice."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.lab import Lab, kill
from tests.conftest import Eventually
from tests.rigs.farm import Farm

pytestmark = [pytest.mark.rig, pytest.mark.ansible]

RESULTS = "mkdir -p results; echo 42 > results/answer.txt\n"
UNTIL_GO = "until [ -e $HOME/go ]; do sleep 0.1; done\n" + RESULTS
ONLY_W1 = {f"w{number}": {"hopper_drained": True} for number in (2, 3, 4)}


def go(lab: Lab) -> None:
    for worker in lab.farm.workers:
        (worker.home / "go").touch()


# --- the line


def test_a_worker_cut_off_before_the_launch_gets_nothing(faulty_lab: Lab) -> None:
    lab = faulty_lab
    lab.farm.cut("w1")
    for number in range(6):
        lab.drop(f"job{number}", RESULTS)
    lab.run("dispatch", "--until-idle")
    jobs = lab.jobs().values()
    assert {job["state"] for job in jobs} == {"completed"}
    assert "w1" not in {job["worker"] for job in jobs}
    lab.check_none_lost_none_twice()


def test_only_a_cut_off_worker_leaves_jobs_pending(faulty_lab: Lab) -> None:
    lab = faulty_lab
    lab.set_up(**ONLY_W1)
    lab.farm.cut("w1")
    lab.drop("job", RESULTS)
    with lab.dispatching():
        lab.eventually(lambda: lab.contact_lost("w1"), what="w1 is known to be cut off")
        assert lab.state_of("job") == "pending"
        lab.farm.mend("w1")
        lab.wait_for("job", "completed")
    lab.check_none_lost_none_twice()


@pytest.mark.soak
def test_a_line_cut_during_the_launch(faulty_lab: Lab) -> None:
    lab = faulty_lab
    lab.set_up({"dispatch": {"inline_limit": "1 kB", "transfer_mode": "piped"}}, **ONLY_W1)
    lab.drop("job", RESULTS, size=60_000_000)
    part = lab.farm.worker("w1").home / "Inbox" / ".hopper"
    with lab.dispatching():
        lab.eventually(lambda: list(part.glob("*/upload.part")), what="the upload has begun")
        lab.farm.cut("w1")
        lab.eventually(lambda: lab.contact_lost("w1"), what="w1 is known to be cut off")
        assert lab.state_of("job") in {"submitted", "running"}
        lab.farm.mend("w1")
        lab.wait_for("job", "completed")
    lab.check_none_lost_none_twice()


@pytest.mark.soak
def test_a_line_cut_while_the_job_runs_changes_no_state(faulty_lab: Lab) -> None:
    lab = faulty_lab
    lab.drop("job", UNTIL_GO)
    with lab.dispatching():
        lab.wait_for("job", "running")
        worker = lab.jobs()["job"]["worker"]
        lab.farm.cut(worker)
        lab.eventually(lambda: lab.contact_lost(worker), what="the cut is noticed")
        assert lab.state_of("job") == "running"
        go(lab)
        lab.farm.mend(worker)
        lab.wait_for("job", "completed")
    lab.check_none_lost_none_twice()


def test_a_mute_worker_delays_no_other(faulty_lab: Lab) -> None:
    lab = faulty_lab
    lab.farm.freeze("w1")
    for number in range(6):
        lab.drop(f"job{number}", RESULTS)
    try:
        lab.run("dispatch", "--until-idle")
    finally:
        lab.farm.thaw("w1")
    assert {job["state"] for job in lab.jobs().values()} == {"completed"}
    lab.check_none_lost_none_twice()


@pytest.mark.soak
def test_an_abandoned_attempt_is_killed_when_its_worker_comes_back(faulty_lab: Lab) -> None:
    lab = faulty_lab
    lab.drop("job", "echo $$ >> $HOME/alive; " + UNTIL_GO)
    with lab.dispatching():
        lab.wait_for("job", "running")
        old = lab.jobs()["job"]["worker"]
        lab.farm.cut(old)
        lab.eventually(lambda: lab.contact_lost(old), what="the cut is noticed")
        assert "abandon" in lab.run("requeue", "job", code=1)
        lab.run("requeue", "--abandon", "job")
        lab.wait_for("job", "running")
        assert lab.jobs()["job"]["worker"] != old
        for worker in lab.farm.workers:
            if worker.name != old:
                (worker.home / "go").touch()
        lab.wait_for("job", "completed")
        lab.farm.mend(old)
        lab.eventually(lambda: not lab.farm.processes(old), what="the old attempt was killed")
    assert len(list((lab.state / "inbox").glob("*.zip"))) == 1


# --- the worker


def test_a_worker_that_dies_takes_its_jobs_along_and_they_are_tried_again(
    faulty_lab: Lab,
) -> None:
    lab = faulty_lab
    lab.drop("tried", UNTIL_GO, spec={"retries": 1})
    lab.drop("once", UNTIL_GO)
    with lab.dispatching():
        lab.eventually(lambda: len(lab.jobs()) == 2, what="both are known")
        lab.wait_for_all("running")
        workers = {job["name"]: job["worker"] for job in lab.jobs().values()}
        for worker in workers.values():
            lab.farm.kill(worker)
        lab.eventually(
            lambda: all(lab.contact_lost(worker) for worker in workers.values()),
            what="the deaths are noticed",
        )
        assert lab.state_of("once") == "running"
        go(lab)
        for worker in workers.values():
            lab.farm.restart(worker)
        lab.wait_for("tried", "completed")
        lab.wait_for("once", "failed")
    assert "rebooted" in lab.jobs()["once"]["reason"]
    lab.check_none_lost_none_twice(once=False)


@pytest.fixture
def small_lab(netns_farm: Farm, tmp_path: Path, eventually: Eventually) -> Iterator[Lab]:
    """A lab whose workers have 30 MB of disk."""
    with Farm.start(2, tmp_path / "small", disk_mb=30) as farm:
        folder = tmp_path / "lab"
        folder.mkdir()
        lab = Lab(farm, folder, eventually)
        lab.set_up()
        yield lab
        lab.close()


def test_a_full_disk_on_a_worker_sends_the_job_elsewhere(small_lab: Lab) -> None:
    lab = small_lab
    lab.farm.fill_disk("w1", leave=1_000_000)
    lab.drop("job", RESULTS, size=5_000_000)
    lab.run("dispatch", "--until-idle")
    job = lab.jobs()["job"]
    assert (job["state"], job["worker"]) == ("completed", "w2")
    lab.check_none_lost_none_twice()


def test_a_job_that_fills_the_disk_still_has_its_exit_code(small_lab: Lab) -> None:
    lab = small_lab
    lab.drop("filler", "dd if=/dev/zero of=big bs=1M count=100 2>/dev/null; exit 9\n")
    lab.run("dispatch", "--until-idle")
    assert lab.jobs()["filler"]["reason"] == "exit code 9"
    lab.check_none_lost_none_twice()


# --- home


@pytest.fixture
def tiny_home(faulty_lab: Lab) -> Iterator[Lab]:
    """A lab whose state folder has 20 MB."""
    state = faulty_lab.state
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(state)], check=True)
    (state / "queue").mkdir()
    yield faulty_lab
    subprocess.run(["umount", "-l", str(state)], check=True)


def test_a_full_disk_at_home_stops_nothing_for_good(tiny_home: Lab) -> None:
    lab = tiny_home
    for number in range(4):
        lab.drop(f"job{number}", UNTIL_GO)
    with lab.dispatching() as dispatcher:
        lab.eventually(lambda: len(lab.jobs()) == 4, what="the jobs are known")
        lab.wait_for_all("running")
        filler = lab.state / "filler"
        with filler.open("wb") as file:
            try:
                while True:
                    file.write(b"x" * 65536)
                    file.flush()
            except OSError:
                pass
        go(lab)
        lab.eventually(
            lambda: "space" in lab.said or "full" in lab.said or "disk low" in lab.said,
            what="the full disk is told of",
        )
        assert dispatcher.poll() is None
        filler.unlink()
        lab.wait_for_all("completed")
    lab.check_none_lost_none_twice()


def test_kill_9_of_the_dispatcher_and_a_start_lose_nothing(faulty_lab: Lab) -> None:
    lab = faulty_lab
    for number in range(12):
        lab.drop(f"job{number}", "sleep 0.5; " + RESULTS)
    marks = ["job submitted", "pending → submitted", "submitted → running", "results home"]
    for mark in marks:
        dispatcher = lab.start()
        before = lab.said.count(mark)
        lab.eventually(lambda m=mark, b=before: lab.said.count(m) > b, what=mark)  # type: ignore[misc]
        kill(dispatcher)
    lab.run("dispatch", "--until-idle")
    assert {job["state"] for job in lab.jobs().values()} == {"completed"}
    assert len(lab.jobs()) == 12
    assert len(list((lab.state / "inbox").glob("*.zip"))) == 12
    lab.check_none_lost_none_twice()


# --- wicked jobs


@pytest.mark.parametrize(
    ("script", "state", "reason"),
    [
        ("kill -9 $$\n", "failed", "exit code 137"),
        ("kill -9 $PPID; sleep 1\n", "failed", "exit code 137"),
        ("set -- $(cat /proc/$PPID/stat); kill -9 $4; exit 0\n", "failed", "no exit code"),
        ("kill -9 0\n", "failed", "exit code 137"),
        ("(setsid sleep 600 &) ; exit 0\n", "completed", ""),
        (":\n", "completed", ""),
        ('echo x > ../../nonsense.zip; echo x > "$3/n.zip"; exit 0\n', "completed", ""),
    ],
    ids=[
        "own shell",
        "parent",
        "launcher",
        "own group",
        "forks and leaves",
        "no result",
        "litters",
    ],
)
def test_wicked_jobs_end_and_leave_nothing_running(
    lab: Lab, script: str, state: str, reason: str
) -> None:
    lab.drop("wicked", script)
    lab.drop("good", RESULTS)
    with lab.dispatching():
        lab.wait_for("good", "completed")
        if "setsid" in script:
            # It is over when what it has left behind is: by a person, here.
            lab.wait_for("wicked", "running", "completed")
            lab.run("cancel", "wicked", code=None)
            lab.wait_for("wicked", "cancelled", "completed")
        else:
            lab.wait_for("wicked", state)
            assert reason in lab.jobs()["wicked"]["reason"]
        for worker in lab.farm.workers:
            lab.eventually(
                lambda name=worker.name: not lab.farm.processes(name),  # type: ignore[misc]
                what="nothing left running",
            )
    assert lab.result("good", "results/answer.txt") == "42\n"


@pytest.mark.soak
def test_a_job_that_writes_a_gigabyte_of_log(lab: Lab) -> None:
    lab.drop("noisy", "head -c 1000000000 /dev/zero | tr '\\0' 'x'; echo; echo last line\n")
    lab.run("dispatch", "--until-idle")
    assert lab.state_of("noisy") == "completed"
    assert lab.run("logs", "noisy").endswith("last line\n")
    logs = [path for path in (lab.state / "db" / "logs").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in logs) < 3_000_000


def test_a_job_that_writes_the_results_of_another(lab: Lab) -> None:
    lab.set_up(**ONLY_W1)
    lab.run("submit", "--name", "victim", "--hold", str(lab.make("victim", RESULTS)))
    job_id = lab.jobs()["victim"]["id"]
    lab.drop("forger", f'echo forged > f; zip -q "$3/{job_id}.zip" f\n')
    with lab.dispatching():
        lab.wait_for("forger", "completed")
        lab.run("release", "victim")
        lab.wait_for("victim", "completed")
    assert lab.result("victim", "results/answer.txt") == "42\n"
