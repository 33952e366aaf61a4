"""The shell line that opens a terminal in a job's folder, run for real."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hopper.ansible.runs import AnsibleSettings
from hopper.ansible.terminal import CLEANED, command, in_folder, in_working_dir, login_words

ATTEMPT = "a123456789"


def opened(line: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command([], line),
        input="pwd\n",
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"},
    )


def owned(inbox: Path, name: str, attempt: str) -> Path:
    (inbox / name / "job").mkdir(parents=True)
    (inbox / name / ".hopper-attempt").write_text(f"{attempt}\n")
    return inbox / name / "job"


@pytest.mark.parametrize("folder", ["Inbox", "In box's $(x)"])
def test_the_folder_of_the_attempt(tmp_path: Path, folder: str) -> None:
    place = owned(tmp_path / folder, "train-1aaaaa", ATTEMPT)
    for inbox in (f"~/{folder}", str(tmp_path / folder)):
        done = opened(in_folder(inbox, "train-1aaaaa", ATTEMPT, "job"), tmp_path)
        assert done.stdout == f"{place}\n", done.stderr


def test_of_an_attempt_that_was_moved_aside(tmp_path: Path) -> None:
    owned(tmp_path / "Inbox", "train-1aaaaa", "b000000000")
    aside = tmp_path / "Inbox/.hopper" / ATTEMPT / "unpacked/job"
    aside.mkdir(parents=True)
    done = opened(in_folder("~/Inbox", "train-1aaaaa", ATTEMPT, "job"), tmp_path)
    assert done.stdout == f"{aside}\n"


def test_it_says_when_nothing_is_left(tmp_path: Path) -> None:
    owned(tmp_path / "Inbox", "train-1aaaaa", "b000000000")
    done = opened(in_folder("~/Inbox", "train-1aaaaa", ATTEMPT, "job"), tmp_path)
    assert done.returncode == CLEANED
    assert "was cleaned away" in done.stderr
    assert done.stdout == ""


def test_the_shell_that_is_asked_for(tmp_path: Path) -> None:
    owned(tmp_path / "Inbox", "a-1", ATTEMPT)
    shell = tmp_path / "my shell"
    shell.write_text("#!/bin/sh\necho mine\n")
    shell.chmod(0o755)
    done = opened(in_folder("~/Inbox", "a-1", ATTEMPT, "job", str(shell)), tmp_path)
    assert done.stdout == "mine\n"


@pytest.mark.ansible
def test_the_way_is_the_inventory_s(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(
        """
hopper_workers:
  vars: {who: me}
  hosts:
    far:
      ansible_host: 192.0.2.7
      ansible_port: 2222
      ansible_user: "{{ who }}"
      ansible_ssh_private_key_file: /nowhere/key
      ansible_ssh_common_args: -J bastion.invalid
    here: {ansible_connection: local}
"""
    )
    settings = AnsibleSettings(inventory=(str(inventory),), ssh_options="-o BatchMode=yes")
    words = login_words(settings, "far", tmp_path / "runs")
    assert words[0] == "ssh"
    assert words[-2:] == ["-t", "192.0.2.7"]
    text = " ".join(words).replace('"', "")
    for part in ("Port=2222", "User=me", "IdentityFile=/nowhere/key", "-J bastion.invalid"):
        assert part in text
    assert login_words(settings, "here", tmp_path / "runs") == []
    assert list((tmp_path / "runs").iterdir()) == []


def test_the_working_folder_on_a_login_node(tmp_path: Path) -> None:
    place = tmp_path / "In $(x)'s"
    place.mkdir()
    assert opened(in_working_dir(str(place)), tmp_path).stdout == f"{place}\n"
    assert opened(in_working_dir("~/In $(x)'s"), tmp_path).stdout == f"{place}\n"


def test_a_working_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = opened(in_working_dir("/nowhere/'; echo evil"), tmp_path)
    assert done.stdout == f"{tmp_path}\n"
    assert "there is no folder" in done.stderr
