from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from hopper.ansible import runs
from hopper.ansible.looks import look
from hopper.ansible.runs import AnsibleSettings
from hopper.errors import HopperError

SSH_SAID = (
    'Data could not be sent to remote host "w2". Make sure this host can be reached over '
    "ssh: connection\ntimed out"
)
FINE = {
    "ready": True,
    "missing": [],
    "advice": [],
    "made": ["/home/a/Inbox"],
    "inbox": {"path": "/home/a/Inbox"},
    "outbox": {"path": "/home/a/Outbox"},
    "tools": {"unpacker": "unzip"},
    "zips": [],
    "clock_skew": 0.5,
    "free_bytes": 10,
}
SETTINGS = AnsibleSettings(inventory=("inventory.yml",))


class FakeRun:
    """A run that has written these lines and ended."""

    def __init__(self, folder: Path, lines: list[object]) -> None:
        self.folder, self.lines = folder, lines
        self.extravars: Mapping[str, object] = {}
        self.playbook = ""
        self.removed = self.killed = False
        self.ends = True

    def start(
        self, folder: Path, playbook: str, extravars: Mapping[str, object], _settings: object
    ) -> FakeRun:
        self.folder, self.playbook, self.extravars = folder, playbook, extravars
        text = "".join(
            (line if isinstance(line, str) else json.dumps(line)) + "\n" for line in self.lines
        )
        Path(str(extravars["worker_inbox_report"])).write_text(text)
        return self

    def wait(self, _timeout: float) -> bool:
        return self.ends

    def said(self) -> str:
        return "ERROR! something of Ansible's"

    def kill(self) -> None:
        self.killed = True

    def remove(self) -> None:
        self.removed = True


def fake(monkeypatch: pytest.MonkeyPatch, *lines: object) -> FakeRun:
    run = FakeRun(Path(), list(lines))
    monkeypatch.setattr(runs, "start", run.start)
    return run


def test_each_worker_is_told_of_in_the_order_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = fake(
        monkeypatch,
        {"host": "w2", "unreachable": True, "msg": SSH_SAID},
        {"host": "w1", **FINE},
        '{"host": "w3", torn',
    )
    first, second, third = look(SETTINGS, ["w1", "w2", "w3"], tmp_path)
    assert (first.worker, first.ready, first.inbox) == ("w1", True, "/home/a/Inbox")
    assert (second.ready, second.unreachable) == (False, "connection timed out")
    assert (third.ready, third.unreachable) == (False, "ERROR! something of Ansible's")
    assert run.playbook == "hopper.dispatch.probe"
    assert run.extravars["hopper_hosts"] == ["w1", "w2", "w3"]
    assert run.removed


def test_making_folders_is_another_playbook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = fake(monkeypatch, {"host": "w1", **FINE, "missing": ["no tar: install it"]})
    [seen] = look(SETTINGS, ["w1"], tmp_path, make=True)
    assert run.playbook == "hopper.dispatch.setup_inbox"
    assert (seen.ready, seen.made) == (False, ("/home/a/Inbox",))


def test_an_act_that_failed_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, {"host": "w1", "failed": True, "msg": "become is not supported"})
    [seen] = look(SETTINGS, ["w1"], tmp_path)
    assert seen.unreachable == "become is not supported"


def test_a_run_that_says_nothing_of_anyone_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = fake(monkeypatch)
    with pytest.raises(HopperError, match="something of Ansible's"):
        look(SETTINGS, ["w1"], tmp_path)
    assert run.removed


def test_a_run_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = fake(monkeypatch, {"host": "w1", **FINE})
    run.ends = False
    first, second = look(SETTINGS, ["w1", "w2"], tmp_path)
    assert first.ready
    assert second.unreachable == "it did not answer in time"
    assert run.killed


def test_nobody_is_looked_at_without_a_run(tmp_path: Path) -> None:
    assert look(SETTINGS, [], tmp_path) == []
