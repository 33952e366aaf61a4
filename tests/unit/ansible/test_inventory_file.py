from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hopper.ansible.inventory_file import add_worker, remove_worker, set_var
from hopper.errors import ConfigError, UsageError

TEXT = """\
---
# the lab's machines
all:
    vars:
        ansible_user: "alice"   # all but one
    children:
        hopper_workers:
            hosts:
                # under the desk
                w1:
                    ansible_host: 10.0.0.21  # wired
                w2:
        gpus:
            hosts:
                w1: {}
"""


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "inventory.yml"
    path.write_text(TEXT)
    path.chmod(0o640)
    return path


def comments(path: Path) -> list[str]:
    return [line.split("#", 1)[1] for line in path.read_text().splitlines() if "#" in line]


def workers(path: Path) -> dict[str, object]:
    document = yaml.safe_load(path.read_text())
    hosts: dict[str, object] = document["all"]["children"]["hopper_workers"]["hosts"]
    return hosts


def test_a_worker_joins_its_group_where_it_stands(inventory: Path) -> None:
    before = comments(inventory)
    add_worker(inventory, "w3", {"ansible_host": "10.0.0.23", "hopper_tags": ["gpu"]})
    assert workers(inventory)["w3"] == {"ansible_host": "10.0.0.23", "hopper_tags": ["gpu"]}
    assert list(workers(inventory)) == ["w1", "w2", "w3"]
    assert comments(inventory) == before
    assert inventory.stat().st_mode & 0o777 == 0o640
    added = [line for line in inventory.read_text().splitlines() if line not in TEXT.splitlines()]
    assert len(added) <= 4, "nothing else is rewritten"


def test_the_group_is_made_where_it_is_missing(inventory: Path) -> None:
    inventory.write_text("# mine\nclusters:\n  hosts:\n    hpc:\n")
    add_worker(inventory, "w1", {})
    assert yaml.safe_load(inventory.read_text()) == {
        "clusters": {"hosts": {"hpc": None}},
        "hopper_workers": {"hosts": {"w1": None}},
    }
    assert inventory.read_text().startswith("# mine\n")


@pytest.mark.parametrize("text", ["", "---\n", "# only words\n# here\n", "hopper_workers:\n"])
def test_an_empty_inventory_takes_a_worker(inventory: Path, text: str) -> None:
    inventory.write_text(text)
    add_worker(inventory, "w1", {"hopper_slots": 2}, group="hopper_workers")
    content = inventory.read_text()
    assert yaml.safe_load(content) == {"hopper_workers": {"hosts": {"w1": {"hopper_slots": 2}}}}
    assert comments(inventory) == [line[1:] for line in text.splitlines() if line[0] == "#"]


def test_a_new_inventory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    add_worker(tmp_path / "new.yml", "w1", {})
    assert (tmp_path / "new.yml").stat().st_mode & 0o777 == 0o600


def test_a_name_is_taken_once(inventory: Path) -> None:
    with pytest.raises(UsageError, match=r"w1 is in .* already"):
        add_worker(inventory, "w1", {})
    assert inventory.read_text() == TEXT


def test_a_worker_leaves_every_group(inventory: Path) -> None:
    remove_worker(inventory, "w1")
    document = yaml.safe_load(inventory.read_text())
    assert workers(inventory) == {"w2": None}
    assert not document["all"]["children"]["gpus"]["hosts"]
    with pytest.raises(UsageError, match="no host w1"):
        remove_worker(inventory, "w1")


@pytest.mark.parametrize(
    "entry",
    ["w2:\n", "w2: {a: 1}\n", "w2: {a: 1,\n       b: 2}\n", "w2:\n      a: 1\n      b: [x]\n"],
)
def test_only_the_lines_of_a_removed_worker_go(inventory: Path, entry: str) -> None:
    text = "hopper_workers:\n  hosts:\n    # mine\n    w1: {}\n    {}    # w9: none\n    w3:\n"
    inventory.write_text(text.replace("{}    #", entry + "    #"))
    remove_worker(inventory, "w2")
    assert inventory.read_text() == text.replace("    {}    #", "    #")


def test_the_last_worker_leaves_its_group_and_the_comments(inventory: Path) -> None:
    inventory.write_text("workers:\n  hosts:\n    # mine\n    w1:\n      a: 1\n    # w2:\n")
    remove_worker(inventory, "w1")
    assert inventory.read_text() == "workers:\n  hosts:\n    # mine\n    # w2:\n"
    add_worker(inventory, "w3", {}, group="workers")
    assert list(yaml.safe_load(inventory.read_text())["workers"]["hosts"]) == ["w3"]
    assert comments(inventory) == [" mine", " w2:"]


def test_a_worker_among_others_on_one_line_is_removed(inventory: Path) -> None:
    inventory.write_text("workers: {hosts: {w1: {a: 1}, w2: {}}}  # all\n")
    remove_worker(inventory, "w1")
    assert yaml.safe_load(inventory.read_text()) == {"workers": {"hosts": {"w2": {}}}}
    remove_worker(inventory, "w2")
    assert yaml.safe_load(inventory.read_text()) == {"workers": {"hosts": None}}


def test_a_variable_is_set_changed_and_removed(inventory: Path) -> None:
    before = comments(inventory)
    set_var(inventory, "w1", "hopper_drained", True)
    assert workers(inventory)["w1"] == {"ansible_host": "10.0.0.21", "hopper_drained": True}
    set_var(inventory, "w2", "hopper_drained", True)
    assert workers(inventory)["w2"] == {"hopper_drained": True}
    set_var(inventory, "w1", "ansible_host", "10.0.0.99")
    assert comments(inventory) == before
    set_var(inventory, "w1", "hopper_drained", None)
    assert workers(inventory)["w1"] == {"ansible_host": "10.0.0.99"}
    with pytest.raises(UsageError, match="no host w9"):
        set_var(inventory, "w9", "hopper_drained", True)


@pytest.mark.parametrize("name", ["hosts.ini", "hosts", "script.yml", "folder", "plugin.yml"])
def test_what_is_no_yaml_inventory_is_left_alone(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    else:
        path.write_text("#!/bin/sh\n" if "script" in name else "plugin: aws_ec2\n")
    if name == "script.yml":
        path.chmod(0o755)
    with pytest.raises(UsageError, match=r"by hand: write 'w1: \{hopper_slots: 2\}' under"):
        add_worker(path, "w1", {"hopper_slots": 2})


def test_broken_yaml_is_left_alone(inventory: Path) -> None:
    inventory.write_text("all: [\n")
    with pytest.raises(ConfigError, match="is no YAML"):
        set_var(inventory, "w1", "hopper_drained", True)
    assert inventory.read_text() == "all: [\n"


def test_a_link_stays_a_link(inventory: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yml"
    link.symlink_to(inventory)
    set_var(link, "w2", "hopper_drained", False)
    assert link.is_symlink()
    assert workers(inventory)["w2"] == {"hopper_drained": False}


def test_values_cannot_become_yaml(inventory: Path) -> None:
    odd = "a: b # c\n- d"
    add_worker(inventory, "w3", {"ansible_host": odd})
    assert workers(inventory)["w3"] == {"ansible_host": odd}


def test_secrets_stay_encrypted(inventory: Path) -> None:
    secret = "!vault |\n          $ANSIBLE_VAULT;1.1;AES256\n          3132\n"
    inventory.write_text(f"hopper_workers:\n  hosts:\n    w1:\n      ansible_password: {secret}")
    set_var(inventory, "w1", "hopper_drained", True)
    content = inventory.read_text()
    assert [part in content.split() for part in secret.split()] == [True] * 4
    assert "hopper_drained: true" in content


def test_nothing_is_left_beside(inventory: Path) -> None:
    set_var(inventory, "w1", "hopper_drained", True)
    assert [p.name for p in inventory.parent.iterdir()] == [inventory.name]
