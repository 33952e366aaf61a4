from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import Eventually
from tests.rigs._farm import network
from tests.rigs._farm.values import FarmPlan
from tests.rigs.farm import Farm, FarmError, FarmUnsupportedError, missing

ROOT = Path(__file__).resolve().parents[2]
SLEEPER = "setsid sleep 7777 </dev/null >/dev/null 2>&1 & echo started"

pytestmark = [
    pytest.mark.rig,
    pytest.mark.skipif(missing() is not None, reason=f"SSH farm: {missing()}"),
]


def traces(tag: str, folder: Path) -> list[str]:
    """What a farm has left on the machine: interfaces, namespaces, mounts, processes."""
    found = [line for line in _lines("ip", "-br", "link") if f"hf{tag}" in line]
    found += [line for line in _lines("ip", "netns") if f"hf{tag}" in line]
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if str(folder) in line]
    return found + [line for line in _processes() if str(folder) in line or f"hf{tag}" in line]


def _lines(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()


def _processes() -> Iterator[str]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                yield (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue


def out(farm: Farm, name: str, command: str) -> str:
    done = farm.ssh(name, command)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().strip()


def unreachable(farm: Farm, name: str) -> str:
    """What ssh says about a worker that must not answer, waiting one second for it."""
    command = ["ssh", "-F", str(farm.ssh_config), "-o", "ConnectTimeout=1", name, "true"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 255
    return done.stderr


def test_workers_run_commands_and_their_files_are_seen_from_outside(farm: Farm) -> None:
    assert [worker.name for worker in farm.workers] == ["w1", "w2", "w3", "w4"]
    for worker in farm.workers:
        folder = worker.inbox
        assert out(farm, worker.name, f"mkdir -p {folder} && cat > {folder}/x; id -un") == (
            worker.user
        )
        assert worker.outside(f"{folder}/x").read_bytes() == b""
    with pytest.raises(FarmError, match="no worker w9"):
        farm.ssh("w9", "true")


def test_reset_leaves_neither_files_nor_processes(farm: Farm) -> None:
    assert out(farm, "w1", f"mkdir -p {farm.worker('w1').inbox}; {SLEEPER}") == "started"
    assert "sleep 7777" in farm.processes("w1").values()
    farm.reset()
    assert farm.processes("w1") == {}
    assert list(farm.worker("w1").home.iterdir()) == []
    assert out(farm, "w1", "echo up") == "up"


def test_workers_of_namespaces_are_machines_of_their_own(netns_farm: Farm) -> None:
    seen = {out(netns_farm, w.name, "hostname; cat /proc/sys/kernel/random/boot_id") for w in
            netns_farm.workers}  # fmt: skip
    assert seen == {f"{w.name}\n{netns_farm.boot_id(w.name)}" for w in netns_farm.workers}
    assert len(seen) == 4
    out(netns_farm, "w1", "echo mine > /tmp/mine; echo home > ~/there")
    assert out(netns_farm, "w2", "ls /tmp; ls ~") == ""
    assert (netns_farm.worker("w1").home / "there").read_text() == "home\n"


def test_cut_is_silence_while_the_job_goes_on(netns_farm: Farm) -> None:
    out(netns_farm, "w1", SLEEPER)
    netns_farm.cut("w1")
    assert "timed out" in unreachable(netns_farm, "w1")
    assert "sleep 7777" in netns_farm.processes("w1").values()
    assert netns_farm.enter("w1", "hostname").stdout == "w1\n"
    assert out(netns_farm, "w2", "echo other") == "other"
    netns_farm.mend("w1")
    assert out(netns_farm, "w1", "echo back") == "back"


def test_reject_fails_at_once(netns_farm: Farm) -> None:
    netns_farm.reject("w3")
    assert "No route to host" in unreachable(netns_farm, "w3")
    netns_farm.mend("w3")
    assert out(netns_farm, "w3", "echo back") == "back"


def test_freeze_hangs_before_the_banner(farm: Farm) -> None:
    farm.freeze("w1")
    assert "timed out" in unreachable(farm, "w1")
    farm.thaw("w1")
    assert out(farm, "w1", "echo back") == "back"


def test_killed_worker_loses_its_processes_and_keeps_its_disk(farm: Farm) -> None:
    home = farm.worker("w2").inbox.rpartition("/")[0]
    out(farm, "w2", f"echo kept > {home}/kept; {SLEEPER}")
    farm.kill("w2")
    assert not farm.alive("w2")
    assert farm.processes("w2") == {}
    assert "refused" in unreachable(farm, "w2")
    farm.restart("w2")
    assert out(farm, "w2", f"cat {home}/kept") == "kept"
    assert farm.processes("w2") == {}


def test_restart_changes_the_boot_id(netns_farm: Farm) -> None:
    before = netns_farm.boot_id("w2")
    netns_farm.restart("w2")
    assert out(netns_farm, "w2", "cat /proc/sys/kernel/random/boot_id") != before


def test_hidden_programs_are_not_found_until_reset(netns_farm: Farm) -> None:
    there = out(netns_farm, "w1", "command -v tar gzip ls")
    netns_farm.hide("w1", "tar", "gzip")
    assert netns_farm.ssh("w1", "tar --version").returncode == 127
    assert out(netns_farm, "w1", "command -v tar gzip ls; true").endswith("/ls")
    assert out(netns_farm, "w2", "command -v tar gzip ls") == there
    netns_farm.reset()
    assert out(netns_farm, "w1", "command -v tar gzip ls") == there


def test_inventory_reaches_the_workers_by_ansible(farm: Farm, tmp_path: Path) -> None:
    path = farm.inventory(tmp_path / "hosts.yml", {"hopper_slots": 2}, w1={"hopper_slots": 3})
    tree = yaml.safe_load(path.read_text())["all"]["children"]["hopper_workers"]
    assert tree["vars"]["hopper_slots"] == 2
    assert tree["hosts"]["w1"]["hopper_slots"] == 3
    assert tree["hosts"]["w2"]["hopper_inbox"] == farm.worker("w2").inbox
    command = ["-m", "ansible", "adhoc", "hopper_workers", "-i", str(path), "-m", "raw", "-a", "id"]
    # A tty is not always to be had from an sshd that is not root.
    command += ["-e", "ansible_ssh_use_tty=false"]
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("CHANGED") == 4
    with pytest.raises(FarmError, match="no worker w7"):
        farm.inventory(tmp_path / "other.yml", w7={})


def test_full_disk(netns_farm: Farm, tmp_path: Path) -> None:
    with pytest.raises(FarmUnsupportedError, match="disk_mb"):
        netns_farm.fill_disk("w1")
    with Farm.start(1, tmp_path, disk_mb=4) as small:
        put = "head -c 100000 /dev/zero > ~/file"
        small.fill_disk("w1", leave=8192)
        done = small.ssh("w1", put)
        assert done.returncode != 0
        assert b"No space left" in done.stderr
        small.free_disk("w1")
        out(small, "w1", put)
        assert small.worker("w1").home.joinpath("file").stat().st_size == 100_000
        tag = small.plan.tag
    assert traces(tag, tmp_path) == []


def test_two_farms_side_by_side(netns_farm: Farm, tmp_path: Path) -> None:
    with Farm.start(1, tmp_path / "a folder") as other:
        assert other.workers[0].host not in {worker.host for worker in netns_farm.workers}
        other.cut("w1")
        assert out(netns_farm, "w1", "echo here") == "here"
    assert out(netns_farm, "w1", "echo still") == "still"


def test_loopback_workers(tmp_path: Path, eventually: Eventually) -> None:
    with Farm.start(2, tmp_path, "loopback") as farm:
        assert farm.mode == "loopback"
        out(farm, "w1", SLEEPER)
        eventually(lambda: "sleep 7777" in farm.processes("w1").values())
        assert farm.processes("w2") == {}
        farm.restart("w1")
        assert farm.processes("w1") == {}
        assert out(farm, "w1", "echo up") == "up"
        for fault in (farm.cut, farm.mend, farm.boot_id, farm.fill_disk):
            with pytest.raises(FarmUnsupportedError, match="loopback"):
                fault("w1")
        tag = farm.plan.tag
    assert traces(tag, tmp_path) == []


def test_a_start_that_fails_leaves_nothing(
    netns_farm: Farm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags: list[str] = []
    real = network.raise_network

    def raise_and_spoil(plan: FarmPlan) -> None:
        real(plan)
        tags.append(plan.tag)
        (plan.workers[-1].etc / "sshd_config").write_text("Nonsense yes\n")

    monkeypatch.setattr(network, "raise_network", raise_and_spoil)
    with pytest.raises(FarmError, match=r"w3 did not start.*Nonsense"):
        Farm.start(3, tmp_path)
    assert traces(tags[0], tmp_path) == []


OWNER = """
import os, sys
from pathlib import Path
from tests.rigs.farm import Farm
farm = Farm.start(2, Path(sys.argv[1]))
print(farm.plan.tag, flush=True)
if os.fork() == 0:
    sys.exit(0)
os.wait()
print(farm.ssh("w1", "echo after a fork").stdout.decode().strip(), flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL, None])
def test_a_farm_goes_down_with_its_owner(
    end: signal.Signals | None, tmp_path: Path, eventually: Eventually
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as owner:  # fmt: skip
        assert owner.stdout is not None
        assert owner.stdin is not None
        tag = owner.stdout.readline().strip()
        assert owner.stdout.readline() == "after a fork\n"
        if end is None:
            owner.stdin.write("\n")
            owner.stdin.flush()
        else:
            owner.send_signal(end)
        owner.wait(timeout=30)
    assert owner.returncode == (-end if end else 0)
    eventually(lambda: not traces(tag, tmp_path), what=f"the end of farm {tag} in {tmp_path}")


def test_by_hand(tmp_path: Path) -> None:
    folder = ["--folder", str(tmp_path)]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tests.rigs.farm", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    up = run("up", "2", *folder)
    assert up.returncode == 0, up.stderr
    tag = Farm.attach(tmp_path).plan.tag
    try:
        assert run("up", "2", *folder).returncode == 1
        assert run("exec", *folder, "w1", "--", "echo", "hi").stdout == "hi\n"
        assert run("exec", *folder, "w1", "exit 7").returncode == 7
        assert run("kill", *folder, "w2").returncode == 0
        assert [line.split("\t")[2] for line in run("list", *folder).stdout.splitlines()] == [
            "up",
            "down",
        ]
        assert run("restart", "w2", *folder).returncode == 0
        assert run("exec", *folder, "w2", "echo again").stdout == "again\n"
    finally:
        down = run("down", *folder)
    assert down.returncode == 0, down.stderr
    assert traces(tag, tmp_path) == []
    again = run("down", *folder)
    assert again.returncode == 1
    assert "no farm in" in again.stderr
