from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hopper.ansible import inventory, inventory_sources
from hopper.ansible.inventory import fingerprint, read_workers, seed_inventory
from hopper.ansible.runs import AnsibleSettings
from hopper.config.seed_worker import SeedWorker
from hopper.errors import ConfigError
from hopper.model.worker import Worker

INVENTORY = """\
hopper_workers:
  vars:
    folder: /data
  hosts:
    w1:
      ansible_host: 10.0.0.1
      ansible_user: alice
      ansible_port: 2222
      hopper_inbox: "{{ folder }}/{{ inventory_hostname }}/In"
      hopper_slots: "{{ 1 + 1 }}"
      hopper_gpus: 2
      hopper_tags: [gpu, big]
      hopper_drained: "yes"
    w2:
      ansible_connection: local
"""
Read = Callable[..., list[Worker]]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "inventory.yml"
    path.write_text(INVENTORY)
    return path


@pytest.fixture
def read(source: Path, tmp_path: Path) -> Read:
    def read(*sources: Path, group: str = "hopper_workers", **more: Any) -> list[Worker]:
        paths = tuple(str(path) for path in sources or (source,))
        return read_workers(AnsibleSettings(inventory=paths), group, tmp_path / "cache", **more)

    return read


class Asked:
    """Stands in for Ansible and counts how often it is asked."""

    def __init__(self, roster: dict[str, Any]) -> None:
        self.roster, self.times = roster, 0

    def __call__(self, *_: object) -> dict[str, Any]:
        self.times += 1
        return self.roster


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    asked = Asked({"w1": {"variables": {}}})
    monkeypatch.setattr(inventory, "_ask_ansible", asked)
    return asked


@pytest.mark.ansible
def test_workers_are_read_as_ansible_resolves_them(read: Read) -> None:
    assert read() == [
        Worker(
            name="w1",
            address="alice@10.0.0.1:2222",
            inbox="/data/w1/In",
            slots=2,
            gpus=2,
            tags=frozenset({"gpu", "big"}),
            drained=True,
        ),
        Worker(name="w2", address="local"),
    ]


@pytest.mark.ansible
def test_a_variable_that_cannot_be_resolved_names_its_host(source: Path, read: Read) -> None:
    source.write_text("hopper_workers:\n  hosts:\n    w1: {hopper_inbox: '{{ nope }}/In'}\n")
    with pytest.raises(ConfigError, match=r"host w1: hopper_inbox: .*nope"):
        read()


@pytest.mark.ansible
def test_an_inventory_that_is_none_is_an_error(source: Path, read: Read) -> None:
    source.write_text("hopper_workers: [\n")
    with pytest.raises(ConfigError, match=r"cannot be read: .*ansible-inventory"):
        read()


@pytest.mark.ansible
def test_scripts_ini_files_and_folders_are_inventories_too(tmp_path: Path, read: Read) -> None:
    folder = tmp_path / "inventory"
    (folder / "group_vars").mkdir(parents=True)
    (folder / "group_vars" / "hopper_workers.yml").write_text("hopper_slots: 3\n")
    (folder / "hosts").write_text("[hopper_workers]\na hopper_tags=\"['x']\"\n")
    script = folder / "more"
    listed = {"hopper_workers": {"hosts": ["b"]}, "_meta": {"hostvars": {"b": {}}}}
    script.write_text(f"#!/bin/sh\necho '{json.dumps(listed)}'\n")
    script.chmod(0o755)
    found = read(folder)
    assert [(w.name, w.slots, w.tags) for w in found] == [
        ("a", 3, frozenset({"x"})),
        ("b", 3, frozenset()),
    ]


@pytest.mark.ansible
def test_an_empty_group_says_what_to_do(read: Read) -> None:
    with pytest.raises(ConfigError, match=r"group others has no hosts .*workers add"):
        read(group="others")
    assert read(group="others", may_be_empty=True) == []


def test_a_missing_inventory_is_an_error(tmp_path: Path, read: Read) -> None:
    with pytest.raises(ConfigError, match=r"gone.yml is not there"):
        read(tmp_path / "gone.yml")


def test_a_reading_holds_until_a_file_changes(source: Path, read: Read, asked: Asked) -> None:
    read(), read()
    assert asked.times == 1
    changes: list[Callable[[], object]] = [
        lambda: source.write_text(INVENTORY + "# more\n"),
        lambda: os.utime(source, ns=(1, 1)),
        lambda: _write(source.parent / "host_vars" / "w1.yml", "hopper_slots: 2\n"),
        lambda: _write(source.parent / "host_vars" / "w1.yml", "hopper_slots: 3\n"),
        lambda: _write(source.parent / "group_vars" / "all" / "x.yml", "a: 1\n"),
    ]
    for number, change in enumerate(changes, 2):
        change()
        read(), read()
        assert asked.times == number
    read(group="others", may_be_empty=True)
    assert asked.times == len(changes) + 2


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(before + 10**9, before + 10**9))


@pytest.mark.parametrize("kind", ["script", "plugin"])
def test_what_a_program_said_holds_a_minute(
    tmp_path: Path, read: Read, asked: Asked, kind: str
) -> None:
    path = tmp_path / "more.yml"
    path.write_text("#!/bin/sh\n" if kind == "script" else "---\nplugin: aws_ec2\n")
    path.chmod(0o755 if kind == "script" else 0o644)
    read(path), read(path)
    assert asked.times == 1
    [kept] = (tmp_path / "cache" / "inventory").glob("*.json")
    long_ago = time.time() - 61
    os.utime(kept, (long_ago, long_ago))
    read(path)
    assert asked.times == 2


def test_errors_are_not_kept(read: Read, asked: Asked) -> None:
    asked.roster = {"w1": {"variables": {}, "variable": "hopper_slots", "error": "no vault"}}
    for _ in range(2):
        with pytest.raises(ConfigError, match="host w1: hopper_slots: no vault"):
            read()
    assert asked.times == 2


def test_a_torn_cache_is_read_anew(tmp_path: Path, read: Read, asked: Asked) -> None:
    read()
    [kept] = (tmp_path / "cache" / "inventory").glob("*.json")
    assert kept.stat().st_mode & 0o777 == 0o600
    kept.write_text('{"w1": ')
    assert [worker.name for worker in read()] == ["w1"]
    assert asked.times == 2


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("hopper_slots", 0, "whole number from 1, not 0"),
        ("hopper_slots", True, "whole number from 1"),
        ("hopper_slots", "two", "whole number from 1"),
        ("hopper_slots", 1.5, "whole number from 1"),
        ("hopper_gpus", -1, "whole number from 0"),
        ("hopper_tags", ["a b"], "list of words"),
        ("hopper_tags", "a,b", "list of words"),
        ("hopper_tags", [1], "list of words"),
        ("hopper_drained", "perhaps", "true or false"),
        ("hopper_inbox", "", "absolute path"),
        ("hopper_inbox", "Inbox", "absolute path"),
        ("hopper_outbox", "~bob/Out", "absolute path"),
        ("hopper_outbox", 7, "absolute path"),
        ("hopper_slot", 1, "did you mean hopper_slots"),
        ("hopper_zzz", 1, "there are hopper_inbox"),
    ],
)
def test_wrong_values_are_told_with_host_and_variable(
    read: Read, asked: Asked, name: str, value: object, said: str
) -> None:
    asked.roster = {"ok": {"variables": {}}, "w1": {"variables": {name: value}}}
    with pytest.raises(ConfigError) as caught:
        read()
    assert "host w1" in str(caught.value)
    assert name in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("value", "drained"), [("no", False), (0, False), ("True", True), (1, True)]
)
def test_flags_are_read_as_ansible_reads_them(
    read: Read, asked: Asked, value: object, drained: bool
) -> None:
    asked.roster = {"w1": {"variables": {"hopper_drained": value}}}
    assert read()[0].drained is drained


@pytest.mark.ansible
def test_the_configs_own_workers_become_an_inventory(tmp_path: Path, read: Read) -> None:
    workers = [
        SeedWorker(name="a", host="10.0.0.1", inbox_dir="/i", outbox_dir="/o"),
        SeedWorker(
            name="b",
            host="10.0.0.2",
            user="u",
            port=22,
            inbox_dir="~/i",
            outbox_dir="~/o",
            tags=frozenset({"x"}),
            gpus=1,
            slots=2,
            drained=True,
        ),
    ]
    path = seed_inventory(workers, "hopper_workers", tmp_path)
    stamp = path.stat().st_mtime_ns, path.stat().st_ino
    assert seed_inventory(workers, "hopper_workers", tmp_path) == path
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == stamp
    assert read(path) == [
        Worker(name="a", address="10.0.0.1", inbox="/i", outbox="/o"),
        Worker(
            name="b",
            address="u@10.0.0.2:22",
            inbox="~/i",
            outbox="~/o",
            tags=frozenset({"x"}),
            gpus=1,
            slots=2,
            drained=True,
        ),
    ]


def test_a_list_of_hosts_is_no_file() -> None:
    assert inventory_sources.missing(("a,b,", "/nowhere")) == ["/nowhere"]
    assert fingerprint(("a,b,",)) != fingerprint(("a,",))
    assert not inventory_sources.is_dynamic(("a,b,", "/nowhere"))
