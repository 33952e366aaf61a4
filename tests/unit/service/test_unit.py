from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.errors import UsageError
from hopper.service.unit import argument, quoted, render_unit

CONFIG = Path("/lab/hopper.yaml")
PYTHON = Path("/venv/bin/python")
UNIT = render_unit(config=CONFIG, python=PYTHON, environment={})


def lines_of(unit: str, key: str) -> list[str]:
    return [x.partition("=")[2] for x in unit.splitlines() if x.startswith(f"{key}=")]


def test_the_unit_dispatches_with_the_config() -> None:
    assert lines_of(UNIT, "ExecStart") == ['"/venv/bin/python" -P -m hopper dispatch']
    assert '"HOPPER_CONFIG=/lab/hopper.yaml"' in lines_of(UNIT, "Environment")


def test_the_unit_with_the_page_runs_the_dispatcher_beside_it() -> None:
    unit = render_unit(config=CONFIG, python=PYTHON, environment={}, web=True)
    assert lines_of(unit, "ExecStart") == ['"/venv/bin/python" -P -m hopper web --dispatch']
    assert lines_of(unit, "Description") == ["hopper, the job dispatcher and its web page"]
    assert lines_of(unit, "KillMode") == ["process"]


def test_ansible_is_found_beside_python() -> None:
    unit = render_unit(config=CONFIG, python=PYTHON, environment={"PATH": "/slurm/bin:/bin"})
    assert '"PATH=/venv/bin:/slurm/bin:/bin"' in lines_of(unit, "Environment")


def test_stopping_the_dispatcher_leaves_local_jobs() -> None:
    assert lines_of(UNIT, "KillMode") == ["process"]


def test_a_mistake_in_the_config_is_not_tried_for_ever() -> None:
    assert lines_of(UNIT, "RestartPreventExitStatus") == ["2"]


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("plain", '"plain"'),
        ("a b", '"a b"'),
        ("100%h", '"100%%h"'),
        ('say "x"', '"say \\"x\\""'),
        ("it's", '"it\'s"'),
        ("back\\slash", '"back\\\\slash"'),
        ("two\nlines\t\r", '"two\\nlines\\t\\r"'),
        ("\x01\x7f", '"\\x01\\x7f"'),
        ("$HOME", '"$HOME"'),
        ("Größe", '"Größe"'),
    ],
)
def test_a_value_is_quoted(value: str, word: str) -> None:
    assert quoted(value) == word


def test_an_argument_names_no_variable() -> None:
    assert argument("$HOME ${X}") == '"$$HOME $${X}"'


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_value_cannot_leave_its_line_or_its_quotes(value: str) -> None:
    word = quoted(value)
    inside = word[1:-1].replace("\\\\", "").replace('\\"', "")
    assert word[0] == word[-1] == '"'
    assert '"' not in inside
    assert not set(inside) & set("\n\r\0")
    assert not inside.endswith("\\")
    assert inside.count("%") == 2 * value.count("%")


@pytest.mark.parametrize("value", ["nul\0", "torn\udcff"])
def test_what_a_unit_cannot_hold_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="cannot stand"):
        quoted(value)


@pytest.mark.parametrize(("config", "python"), [("hopper.yaml", "/p"), ("/c", "bin/python")])
def test_paths_are_absolute(config: str, python: str) -> None:
    with pytest.raises(UsageError, match="no absolute path"):
        render_unit(config=Path(config), python=Path(python), environment={})


HARD_NAMES = [
    "plain",
    "two words",
    "100%h",
    'quote"d',
    "it's",
    "back\\slash",
    "$HOME",
    "Größe",
    "-x",
]


@pytest.mark.parametrize("name", HARD_NAMES)
def test_systemd_reads_the_unit_as_it_was_meant(name: str, tmp_path: Path) -> None:
    # systemd says so when the program it read is not there, so its path must come through.
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze on this machine")
    folder = tmp_path / name
    folder.mkdir()
    (folder / "python").symlink_to(sys.executable)
    unit = tmp_path / "hopper.service"
    unit.write_text(
        render_unit(
            config=folder / "hopper.yaml",
            python=folder / "python",
            environment={"PATH": "/usr/bin:/bin", "SSH_AUTH_SOCK": f"/run/{name}"},
        ),
        encoding="utf-8",
    )
    done = verify(unit, tmp_path)
    assert done.returncode == 0, done.stdout
    assert done.stdout == ""


@pytest.mark.parametrize("name", ["it's", 'quote"d', "back\\slash"])
def test_a_program_that_systemd_takes_no_name_of_is_an_argument(name: str) -> None:
    unit = render_unit(config=CONFIG, python=Path(f"/$x/{name}/python"), environment={})
    [command] = lines_of(unit, "ExecStart")
    word = argument(f"/$x/{name}/python")
    assert command == f"""/bin/sh -c 'exec "$$0" "$$@"' {word} -P -m hopper dispatch"""


def test_systemd_misses_a_program_that_is_not_there(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze on this machine")
    unit = tmp_path / "hopper.service"
    unit.write_text(UNIT, encoding="utf-8")
    assert "/venv/bin/python" in verify(unit, tmp_path).stdout


def verify(unit: Path, runtime: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "verify", "--user", str(unit)],
        env={**os.environ, "XDG_RUNTIME_DIR": str(runtime), "HOME": str(runtime)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
