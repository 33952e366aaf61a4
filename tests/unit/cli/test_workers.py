"""workers and doctor, on an inventory and on looks that are made up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from hopper.ansible.host_keys import Address, HostKey
from hopper.ansible.looks import Look
from hopper.ansible.roster import Reading
from hopper.ansible.sweep import Sources
from hopper.bootstrap import commands, inventory
from hopper.config.model import HopperConfig
from hopper.errors import ConfigError
from hopper.model.worker import Worker
from hopper.operations import doctor
from tests.unit.cli.shell import Shell

INVENTORY = """\
# the lab
hopper_workers:
  hosts:
    w1:  # under the desk
      ansible_host: 10.0.0.21
    w2:
      hopper_drained: true
"""
GIB = 1 << 30


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(capsys, monkeypatch)


def read(config: HopperConfig) -> Reading:
    """Read the inventory without Ansible."""
    path = Path(config.inventory[0])
    document = yaml.safe_load(path.read_text()) if path.suffix == ".yml" else {}
    hosts = (document.get("hopper_workers") or {}).get("hosts") or {}
    if not hosts:
        raise ConfigError("group hopper_workers has no hosts")
    workers = {
        name: Worker(
            name=name,
            address=(variables or {}).get("ansible_host", "local"),
            drained=bool((variables or {}).get("hopper_drained")),
        )
        for name, variables in hosts.items()
    }
    return Reading(workers=workers, sources=Sources(paths=config.inventory))


LOOKS = {
    "w1": Look(worker="w1", tools={"unpacker": "unzip"}, free_bytes=GIB, clock_skew=-0.2),
    "w2": Look(worker="w2", unreachable="Host key verification failed."),
}


@pytest.fixture
def lab(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (in_folder / "hopper.yaml").write_text("inventory: inventory.yml\ndisk: {home_low: 0}\n")
    (in_folder / "inventory.yml").write_text(INVENTORY)
    monkeypatch.setattr(inventory, "read_inventory", read)
    looking(monkeypatch, LOOKS)
    return in_folder


def looking(monkeypatch: pytest.MonkeyPatch, seen: dict[str, Look]) -> None:
    def look(_: object, names: Sequence[str], folder: Path, *, make: bool) -> list[Look]:
        del folder, make
        return [seen.get(name, Look(worker=name)) for name in names]

    monkeypatch.setattr(doctor, "look", look)


def hosts(folder: Path) -> dict[str, dict[str, object]]:
    document = yaml.safe_load((folder / "inventory.yml").read_text())
    found: dict[str, dict[str, object]] = document["hopper_workers"]["hosts"]
    return found


# --- list, check, doctor


def test_workers_are_listed_though_nobody_has_talked_to_them(lab: Path, shell: Shell) -> None:
    first, second = shell("workers", "list").out.splitlines()
    assert first.split("\t")[:3] == ["w1", "never seen", "0/1"]
    assert second.endswith("drained")
    assert [one["name"] for one in shell("workers", "list", "--json").json] == ["w1", "w2"]
    assert not (lab / "state/db").exists(), "to look makes nothing"


def test_check_says_what_is_wrong_and_the_way_out(lab: Path, shell: Shell) -> None:
    first, second = shell("workers", "check", code=1).out.splitlines()
    assert first.startswith("w1\t\N{CHECK MARK}")
    assert "ready" in first
    assert second.startswith("w2\t\N{BALLOT X}")
    assert "log in once with ssh" in second
    shell("workers", "check", "w1")
    [one] = shell("workers", "check", "w1", "--json").json
    assert (one["ready"], one["free_bytes"], one["clock_skew_seconds"]) == (True, GIB, -0.2)


def test_a_worker_that_is_not_there_is_named(lab: Path, shell: Shell) -> None:
    for action in ("check", "setup", "drain", "resume"):
        assert "no worker w9; there are w1, w2" in shell("workers", action, "w9", code=2).err


@pytest.mark.parametrize(
    ("look", "verdict", "words"),
    [
        (Look(worker="w"), "good", "ready"),
        (Look(worker="w", missing=("no Inbox /x",)), "bad", "hopper workers setup w"),
        (Look(worker="w", missing=("no tar: install it",)), "bad", "install it there"),
        (Look(worker="w", advice=("no setsid",)), "warning", "no setsid"),
        (Look(worker="w", clock_skew=90.0), "warning", "its clock is 90 s ahead"),
        (Look(worker="w", clock_skew=-90.0), "warning", "its clock is 90 s behind"),
        (Look(worker="w", unreachable="x: Permission denied"), "bad", "ssh-copy-id"),
        (Look(worker="w", unreachable="who knows"), "bad", "who knows"),
    ],
)
def test_what_a_look_comes_to(look: Look, verdict: str, words: str) -> None:
    check = doctor.of_worker(look, Worker(name="w"))
    assert check.verdict == verdict
    assert words in f"{check.said} {check.way_out}"


def test_the_doctor_finds_what_keeps_jobs_from_getting_through(lab: Path, shell: Shell) -> None:
    sick = shell("doctor", "--json", code=1).json
    assert not sick["ok"]
    assert [c["subject"] for c in sick["checks"] if c["verdict"] == "bad"] == ["w2"]
    shell("workers", "remove", "w2")
    well = shell("doctor", "--json").json
    assert well["ok"]
    assert {c["subject"] for c in well["checks"]} >= {
        *("config", "folders", "disk", "ansible", "state", "inventory", "ssh", "w1"),
    }
    assert "w1\t\N{CHECK MARK}" in shell("doctor").out


def test_the_doctor_says_when_nothing_is_launched(lab: Path, shell: Shell) -> None:
    shell("workers", "pause")
    assert "paused\t!" in shell("doctor", code=1).out
    shell("workers", "resume")
    assert "paused" not in shell("doctor", code=1).out


def test_the_doctor_survives_a_broken_config_and_inventory(lab: Path, shell: Shell) -> None:
    (lab / "inventory.yml").write_text("hopper_workers:\n")
    assert "inventory\t\N{BALLOT X}\tgroup hopper_workers" in shell("doctor", code=1).out
    (lab / "hopper.yaml").write_text("pol: 1\n")
    assert "did you mean poll?" in shell("doctor", code=1).out


def test_the_doctor_names_a_folder_that_cannot_be_made(lab: Path, shell: Shell) -> None:
    (lab / "file").touch()
    (lab / "hopper.yaml").write_text("inventory: inventory.yml\npaths: {done: file/done}\n")
    assert f"paths.done\t\N{BALLOT X}\t{lab / 'file'} is no folder" in shell("doctor", code=1).out


def test_a_full_disk_at_home_is_bad(lab: Path, shell: Shell) -> None:
    (lab / "hopper.yaml").write_text("inventory: inventory.yml\ndisk: {home_low: 1000 PB}\n")
    assert "disk\t\N{BALLOT X}" in shell("doctor", code=1).out


# --- add


class Keys:
    """Host keys without ssh."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[Address] = []
        self.recorded: list[HostKey] = []
        self.key = HostKey(name="box", kind="ssh-ed25519", blob="AAAA")
        place = "hopper.ansible.host_keys."
        monkeypatch.setattr(f"{place}shown_key", self.show)
        monkeypatch.setattr(f"{place}known_hosts", lambda _: Path("known_hosts"))
        monkeypatch.setattr(f"{place}is_recorded", lambda key, _: key in self.recorded)
        monkeypatch.setattr(f"{place}record", lambda key, _: self.recorded.append(key))

    def show(self, address: Address) -> HostKey:
        self.asked.append(address)
        return self.key


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Keys:
    return Keys(monkeypatch)


def test_a_worker_is_added_with_what_was_said_of_it(lab: Path, shell: Shell, keys: Keys) -> None:
    said = shell(
        *("workers", "add", "gpu1", "--host", "10.0.0.9", "--user", "al", "--port", "2222"),
        *("--inbox", "/data/In", "--slots", "2", "--gpus", "4", "--tag", "cuda", "--tag", "big"),
        *("--accept-key", keys.key.fingerprint),
    )
    assert f"ssh-ed25519 {keys.key.fingerprint}" in said.out
    assert hosts(lab)["gpu1"] == {
        "ansible_host": "10.0.0.9",
        "ansible_user": "al",
        "ansible_port": 2222,
        "hopper_inbox": "/data/In",
        "hopper_slots": 2,
        "hopper_gpus": 4,
        "hopper_tags": ["cuda", "big"],
    }
    assert "# under the desk" in (lab / "inventory.yml").read_text()
    assert keys.recorded == [keys.key]
    [asked] = keys.asked
    assert (asked.host, asked.user, asked.port) == ("10.0.0.9", "al", 2222)
    assert "hopper workers setup gpu1" in said.out


def test_nothing_is_recorded_unless_the_key_is_accepted(
    lab: Path, shell: Shell, keys: Keys
) -> None:
    said = shell("workers", "add", "gpu1", code=2)
    assert f"--accept-key {keys.key.fingerprint}" in said.err
    assert "not the key" in shell("workers", "add", "gpu1", "--accept-key", "x", code=2).err
    assert not keys.recorded
    assert "gpu1" not in hosts(lab)


def test_a_key_that_is_known_is_not_asked_about(lab: Path, shell: Shell, keys: Keys) -> None:
    keys.recorded.append(keys.key)
    shell("workers", "add", "gpu1")
    assert hosts(lab)["gpu1"] is None
    assert keys.recorded == [keys.key]


def test_yes_means_key_and_setup(lab: Path, shell: Shell, keys: Keys) -> None:
    assert "gpu1\t\N{CHECK MARK}" in shell("workers", "add", "gpu1", "--yes").out
    assert keys.recorded


def test_a_local_worker_has_folders_of_its_own_and_no_key(
    lab: Path, shell: Shell, keys: Keys
) -> None:
    shell("workers", "add", "here", "--connection", "local")
    assert hosts(lab)["here"] == {
        "ansible_connection": "local",
        "hopper_inbox": "~/hopper/here/Inbox",
        "hopper_outbox": "~/hopper/here/Outbox",
    }
    assert not keys.asked


@pytest.mark.parametrize(
    "words",
    [
        ["w1"],
        ["a b"],
        ["all"],
        ["-x"],
        ["a", "--host", "-oProxyCommand=x"],
        ["a", "--tag", "x,y"],
        ["a", "--inbox", "In"],
        ["a", "--connection", "local", "--host", "x"],
    ],
)
def test_a_worker_that_cannot_be_is_refused_before_anything_is_done(
    lab: Path, shell: Shell, keys: Keys, words: list[str]
) -> None:
    assert shell("workers", "add", *words, "--yes", code=2).err
    assert (lab / "inventory.yml").read_text() == INVENTORY
    assert not keys.asked


def test_an_inventory_that_is_no_yaml_file_says_what_to_write(
    lab: Path, shell: Shell, keys: Keys
) -> None:
    (lab / "hosts.ini").write_text("[hopper_workers]\n")
    (lab / "hopper.yaml").write_text("inventory: hosts.ini\n")
    said = shell("workers", "add", "gpu1", "--yes", code=2).err
    assert "by hand" in said
    assert "hosts.ini" in said


def test_the_first_worker_needs_an_inventory(lab: Path, shell: Shell, keys: Keys) -> None:
    (lab / "hopper.yaml").write_text("{}\n")
    assert "set 'inventory:" in shell("workers", "add", "gpu1", code=2).err


# --- remove, drain, resume


def test_drain_and_resume_change_one_line(lab: Path, shell: Shell) -> None:
    assert shell("workers", "drain", "w1").out == "w1 is drained\n"
    assert hosts(lab)["w1"] == {"ansible_host": "10.0.0.21", "hopper_drained": True}
    shell("workers", "resume", "w1", "w2")
    assert hosts(lab)["w2"] == {"hopper_drained": False}
    assert "# under the desk" in (lab / "inventory.yml").read_text()


def test_resume_of_a_worker_that_is_not_drained_leaves_the_file_alone(
    lab: Path, shell: Shell
) -> None:
    shell("workers", "resume", "w1")
    assert (lab / "inventory.yml").read_text() == INVENTORY


def test_a_worker_of_the_config_itself_is_edited_there(lab: Path, shell: Shell) -> None:
    worker = "{name: w1, host: x, inbox_dir: /In, outbox_dir: /Out}"
    (lab / "hopper.yaml").write_text(f"inventory: inventory.yml\nworkers: [{worker}]\n")
    assert "hopper.yaml" in shell("workers", "drain", "w1", code=2).err


def test_a_worker_with_jobs_stays_unless_forced(lab: Path, shell: Shell) -> None:
    body = {"do": "adopt", "job": "j-1", "attempt": "abcdefghi1", "worker": "w1", "name": "j"}
    commands.give(bootstrap_config(), body)
    assert "1 jobs are on w1: j-1" in shell("workers", "remove", "w2", "w1", code=2).err
    assert list(hosts(lab)) == ["w1", "w2"], "all or none"
    assert "1 jobs are still on it" in shell("workers", "drain", "w1").out
    shell("workers", "remove", "w1", "--force")
    assert list(hosts(lab)) == ["w2"]
    assert shell("workers", "list", "--json").json[1]["state"] == "not in the inventory"


def bootstrap_config() -> HopperConfig:
    from hopper.config.load import load

    return load(None)
