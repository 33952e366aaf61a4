"""init, config, db, service, and what becomes of a crash."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import click
import pytest
import yaml

from hopper.cli import init as init_command
from hopper.cli.main import COMMANDS
from hopper.store.lock import StateLock
from tests.unit.cli.shell import Shell


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(capsys, monkeypatch)


# --- init


def test_init_writes_what_works_and_says_what_is_next(in_folder: Path, shell: Shell) -> None:
    said = shell("init").out
    assert "cd " not in said
    for name in ("hopper.yaml", "inventory.yml", "hello/run_job.sh"):
        assert (in_folder / name).is_file()
        assert f"wrote {name}" in said
    assert (in_folder / "hello/run_job.sh").stat().st_mode & 0o100
    assert shell("config", "check").out == "hopper.yaml is right\n"


def test_init_overwrites_nothing(in_folder: Path, shell: Shell) -> None:
    (in_folder / "lab").mkdir()
    (in_folder / "lab/hopper.yaml").write_text("mine")
    said = shell("init", "lab").out
    assert (in_folder / "lab/hopper.yaml").read_text() == "mine"
    assert "kept  lab/hopper.yaml" in said
    assert "wrote lab/inventory.yml" in said
    assert "cd lab" in said


@pytest.mark.parametrize("taken", ["lab", "lab/hello", "lab/hopper.yaml/x"])
def test_init_names_what_is_in_its_way(in_folder: Path, shell: Shell, taken: str) -> None:
    path = in_folder / taken
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a file")
    said = shell("init", "lab", code=2)
    assert taken.removesuffix("/x") in said.err


# --- config


def test_config_check_tells_all_that_is_wrong(in_folder: Path, shell: Shell) -> None:
    (in_folder / "hopper.yaml").write_text("pol: {}\npoll: {interval_seconds: 0}\n")
    said = shell("config", "check", code=2)
    assert len(said.err.splitlines()) == 2
    assert "hopper.yaml:1: pol is not a key; did you mean poll?" in said.err
    document = shell("config", "check", "--json", code=2).json
    assert (document["ok"], len(document["problems"])) == (False, 2)


def test_config_check_knows_the_kinds_of_backends(in_folder: Path, shell: Shell) -> None:
    text = "backends: [{name: hpc, type: slrum, ssh: {host: h}}]\n"
    (in_folder / "hopper.yaml").write_text(text)
    assert "no backend type 'slrum'; use one of slurm" in shell("config", "check", code=2).err


def test_config_show_is_a_config(in_folder: Path, shell: Shell) -> None:
    (in_folder / "hopper.yaml").write_text("dispatch: {keep_failed: 90m}\n")
    shown = shell("config", "show").out
    values = yaml.safe_load(shown)
    assert values == shell("config", "show", "--json").json
    assert values["dispatch"]["keep_failed"] == "1h30m"
    assert values["zips"]["max_size"] == "20 GB"
    assert values["paths"]["queue"] == str(in_folder / "state/queue")
    (in_folder / "again.yaml").write_text(shown)
    again = yaml.safe_load(shell("--config", "again.yaml", "config", "show").out)
    assert again == values


def test_a_config_that_is_not_there_is_one_line(in_folder: Path, shell: Shell) -> None:
    said = shell("config", "show", code=2)
    assert said.err.startswith("hopper: there is no config hopper.yaml; write one with")
    assert len(said.err.splitlines()) == 1


# --- db


@pytest.fixture
def state(in_folder: Path) -> Path:
    (in_folder / "hopper.yaml").write_text("{}\n")
    return in_folder / "state/db"


def test_db_without_a_state_says_so(state: Path, shell: Shell) -> None:
    for action in ("check", "compact", "export"):
        assert "there is no state" in shell("db", action, code=2).err
    assert not state.exists()


def test_db_check_compact_and_export(state: Path, shell: Shell) -> None:
    shell("workers", "pause")
    assert shell("db", "check").out == f"{state} is sound\n"
    assert "before" in shell("db", "compact").out
    whole = shell("db", "export").out
    assert json.loads(whole)["settings"]
    shell("db", "export", "all.json")
    assert Path("all.json").read_text() == whole
    assert "there already" in shell("db", "export", "all.json", code=2).err


def test_db_check_finds_damage(state: Path, shell: Shell) -> None:
    shell("workers", "pause")
    (state / "jobs.json").write_text("{")
    findings = shell("db", "check", "--json", code=1).json
    assert not findings["ok"]
    assert findings["findings"][0]["file"] == str(state / "jobs.json")
    assert shell("db", "check", code=1).out


def test_db_compact_names_who_holds_the_state(state: Path, shell: Shell) -> None:
    shell("workers", "pause")
    with StateLock.acquire(state, command="hopper dispatch"):
        assert "hopper dispatch" in shell("db", "compact", code=1).err
        shell("db", "check")


# --- service


def test_service_prints_its_unit(state: Path, shell: Shell) -> None:
    unit = shell("service", "install", "--print").out
    assert f"HOPPER_CONFIG={state.parent.parent / 'hopper.yaml'}" in unit
    assert "hopper dispatch" in unit
    assert "hopper web --dispatch" in shell("service", "install", "--web", "--print").out


def test_service_without_systemd_says_what_to_do(
    state: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(state.parent))
    for action in ("install", "status", "remove"):
        assert "run 'hopper dispatch' under tmux" in shell("service", action, code=1).err


def fake_systemctl(folder: Path, monkeypatch: pytest.MonkeyPatch, active: str) -> None:
    (folder / "bin").mkdir()
    program = folder / "bin/systemctl"
    program.write_text(
        f'#!/bin/sh\necho "ActiveState={active}\nUnitFileState=enabled\nMainPID=7"\n'
    )
    program.chmod(0o755)
    (folder / "bin/loginctl").write_text("#!/bin/sh\necho Linger=no\n")
    (folder / "bin/loginctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "xdg"))


def test_service_is_installed_told_of_and_removed(
    state: Path, in_folder: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_systemctl(in_folder, monkeypatch, "active")
    assert "not installed" in shell("service", "status", code=1).out
    assert "enable-linger" in shell("service", "install").out
    status = shell("service", "status", "--json").json
    assert (status["installed"], status["active"], status["pid"]) == (True, "active", 7)
    assert "is active, enabled, pid 7" in shell("service", "status").out
    assert "hopper.service is gone" in shell("service", "remove").out
    assert "there is no hopper.service" in shell("service", "remove").out


# --- a crash


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("one\ntwo")

    monkeypatch.setattr(init_command, "command", click.Command("init", callback=fail))


def test_a_crash_is_one_line_and_a_file(
    broken: None, in_folder: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(in_folder))
    said = shell("init", code=1)
    [line] = said.err.splitlines()
    assert line.startswith("hopper: internal error: ZeroDivisionError: one two; details in ")
    [path] = in_folder.glob("hopper-crash-*")
    assert str(path) in line
    assert "ZeroDivisionError: one" in path.read_text()
    assert "Traceback" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_crash_is_told_in_the_state_folder_where_there_is_one(
    broken: None, state: Path, shell: Shell
) -> None:
    state.mkdir(parents=True)
    (state / "crash.log").write_text("x" * 10_000)
    for _ in range(2):
        assert str(state / "crash.log") in shell("init", code=1).err
    assert (state / "crash.log").read_text().startswith("hopper ")


def test_a_crash_log_is_written_through_no_link(
    broken: None, state: Path, in_folder: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(in_folder))
    state.mkdir(parents=True)
    (in_folder / "precious").write_text("kept")
    (state / "crash.log").symlink_to(in_folder / "precious")
    assert "hopper-crash-" in shell("init", code=1).err
    assert (in_folder / "precious").read_text() == "kept"


def test_every_command_that_is_listed_has_help_with_examples(shell: Shell) -> None:
    for names in COMMANDS.values():
        for name in names:
            assert "Examples:" in shell(name, "--help").out, name
