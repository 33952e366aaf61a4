from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hopper.errors import UsageError
from hopper.service.unit import render_unit
from hopper.service.user import (
    Completed,
    ServiceFailed,
    ServiceTaken,
    UserService,
    run_command,
    unit_folder,
)

CONFIG = Path("/lab/hopper.yaml")
PYTHON = Path("/venv/bin/python")
UNIT = render_unit(config=CONFIG, python=PYTHON, environment={})


@dataclass
class FakeSystemd:
    """Answers systemctl and loginctl, and keeps what it was asked."""

    asked: list[str] = field(default_factory=list)
    failing: str = ""
    linger: str | None = "yes"
    shown: str = "ActiveState=active\nUnitFileState=enabled\nMainPID=41\nLoadState=loaded\n"

    def __call__(self, command: Sequence[str]) -> Completed:
        self.asked.append(" ".join(command))
        if command[0] == "loginctl":
            told = self.linger is not None
            return Completed(code=0 if told else 1, output=f"Linger={self.linger}\n")
        if command[2] == self.failing:
            return Completed(code=1, output="Failed to connect to bus:\n No medium found\n")
        return Completed(code=0, output=self.shown if command[2] == "show" else "")

    def verbs(self) -> list[str]:
        return [a.split()[2] for a in self.asked if a.startswith("systemctl")]


@pytest.fixture
def systemd() -> FakeSystemd:
    return FakeSystemd()


@pytest.fixture
def service(systemd: FakeSystemd, tmp_path: Path) -> UserService:
    return UserService(folder=tmp_path / "systemd" / "user", run=systemd)


# --- where it goes


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({}, "/home/ada/.config/systemd/user"),
        ({"XDG_CONFIG_HOME": "/cfg"}, "/cfg/systemd/user"),
        ({"XDG_CONFIG_HOME": "relative"}, "/home/ada/.config/systemd/user"),
    ],
)
def test_the_units_of_a_person(environment: dict[str, str], folder: str) -> None:
    assert unit_folder(environment, Path("/home/ada")) == Path(folder)


@pytest.mark.parametrize("name", ["", "a/b", "a b", "../x", "größe", "a@b"])
def test_a_name_is_checked(name: str, tmp_path: Path, systemd: FakeSystemd) -> None:
    with pytest.raises(UsageError, match="no name for a unit"):
        UserService(folder=tmp_path, run=systemd, name=name)


# --- installing, asking, removing


def test_installing_writes_and_starts(service: UserService, systemd: FakeSystemd) -> None:
    state = service.install(UNIT)
    assert service.path.read_text(encoding="utf-8") == UNIT
    assert systemd.verbs() == ["daemon-reload", "enable", "restart", "show"]
    assert (state.installed, state.active, state.enabled, state.pid) == (
        True, "active", "enabled", 41,
    )  # fmt: skip
    assert [p.name for p in service.path.parent.iterdir()] == ["hopper.service"]


def test_installing_again_takes_the_new_text(service: UserService) -> None:
    service.install(UNIT)
    newer = render_unit(config=CONFIG, python=Path("/newer/bin/python"), environment={})
    service.install(newer)
    assert service.path.read_text(encoding="utf-8") == newer


def test_another_config_needs_another_name(service: UserService, systemd: FakeSystemd) -> None:
    service.install(UNIT)
    asked = len(systemd.asked)
    other = render_unit(config=Path("/other.yaml"), python=PYTHON, environment={})
    with pytest.raises(ServiceTaken, match="another config") as caught:
        service.install(other)
    assert caught.value.path == service.path
    assert service.path.read_text(encoding="utf-8") == UNIT
    assert len(systemd.asked) == asked


def test_a_unit_of_someone_else_is_left_alone(service: UserService, systemd: FakeSystemd) -> None:
    service.path.parent.mkdir(parents=True)
    service.path.write_text("[Unit]\n")
    for act in (lambda: service.install(UNIT), service.remove):
        with pytest.raises(ServiceTaken, match="not written by hopper"):
            act()
    assert service.path.read_text() == "[Unit]\n"
    assert systemd.asked == []


def test_no_user_session_is_said(service: UserService, systemd: FakeSystemd) -> None:
    systemd.failing = "daemon-reload"
    with pytest.raises(ServiceFailed, match="Failed to connect to bus: No medium found") as caught:
        service.install(UNIT)
    assert caught.value.command == ("systemctl", "--user", "daemon-reload")
    assert "tmux" in str(caught.value)


def test_removing_stops_and_takes_away(service: UserService, systemd: FakeSystemd) -> None:
    service.install(UNIT)
    systemd.asked.clear()
    assert service.remove()
    assert systemd.asked == [
        "systemctl --user disable --now hopper.service",
        "systemctl --user daemon-reload",
    ]
    assert not service.path.exists()
    assert not service.remove()


def test_a_unit_that_would_not_stop_stays(service: UserService, systemd: FakeSystemd) -> None:
    service.install(UNIT)
    systemd.failing = "disable"
    with pytest.raises(ServiceFailed):
        service.remove()
    assert service.path.exists()


def test_the_state_of_what_is_not_there(service: UserService, systemd: FakeSystemd) -> None:
    systemd.shown = "ActiveState=inactive\nUnitFileState=\nMainPID=0\nLoadState=not-found\n"
    systemd.linger = None
    state = service.state()
    assert (state.installed, state.active, state.enabled) == (False, "inactive", "no")
    assert state.pid is None
    assert state.lingers is None


@pytest.mark.parametrize(("word", "lingers"), [("yes", True), ("no", False)])
def test_whether_it_outlives_the_logout(
    service: UserService, systemd: FakeSystemd, word: str, lingers: bool
) -> None:
    systemd.linger = word
    assert service.state().lingers is lingers


# --- running commands


def test_a_command_is_run() -> None:
    done = run_command([sys.executable, "-c", "import sys; print('said'); sys.exit(3)"])
    assert (done.code, done.output) == (3, "said\n")


def test_a_missing_command_is_no_crash() -> None:
    done = run_command(["no-such-program-here"])
    assert done.code == 127
    assert "no-such-program-here" in done.output


def test_a_mute_command_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hopper.service.user.COMMAND_TIMEOUT_SECONDS", 0.05)
    assert run_command([sys.executable, "-c", "import time; time.sleep(60)"]).code == 124
