"""The set-up of ``make``: what it says on a machine that lacks something."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder that is all of PATH, with the plain tools of a system in it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in (
        "sh",
        "cut",
        "sort",
        "tr",
        "tail",
        "rm",
        "mktemp",
        "chmod",
        "env",
        "cat",
        "dirname",
    ):
        found = shutil.which(tool)
        assert found, tool
        (folder / tool).symlink_to(found)
    return folder


def write_program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def run(programs: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", *command],
        env={"PATH": str(programs), "TMPDIR": str(programs.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_without_a_new_enough_python_it_says_what_to_install(programs: Path) -> None:
    write_program(programs, "python3", "exit 1")  # what its version check ends with
    done = run(programs, ROOT / ".ci" / "venv", programs.parent / "venv")
    assert done.returncode == 1
    assert "Python 3.11" in done.stderr
    assert "apt install python3 python3-venv" in done.stderr


def test_without_venv_it_names_the_package(programs: Path) -> None:
    write_program(
        programs,
        "python3",
        f'case $2 in *ensurepip*) exit 1 ;; esac\nexec "{sys.executable}" "$@"',
    )
    done = run(programs, ROOT / ".ci" / "venv", programs.parent / "venv")
    assert done.returncode == 1
    assert "apt install python3-venv" in done.stderr
    assert f"python3.{sys.version_info.minor}-venv" in done.stderr


def test_an_old_python_is_passed_over_for_a_newer_one(programs: Path) -> None:
    write_program(programs, "python3", "exit 1")
    write_program(programs, "python3.12", f'exec "{sys.executable}" "$@"')
    venv = programs.parent / "venv"
    assert run(programs, ROOT / ".ci" / "venv", venv).returncode == 0
    assert os.access(venv / "bin" / "pip", os.X_OK)


def test_missing_programs_are_named_with_what_will_be_skipped(programs: Path) -> None:
    write_program(programs, "id", "echo 1000")
    done = run(programs, ROOT / "tests" / "system-packages.sh")
    assert done.returncode == 0
    assert "no rsync (package rsync): skipping the rsync transfer mode" in done.stdout.splitlines()


def test_a_failing_apt_fails_nothing(programs: Path) -> None:
    write_program(programs, "id", "echo 0")
    write_program(programs, "tee", "cat > /dev/null")
    (programs / "chmod").unlink()
    write_program(programs, "chmod", "exit 1")  # so that no policy counts as made
    write_program(programs, "apt-get", "echo no network >&2; exit 100")
    done = run(programs, ROOT / "tests" / "system-packages.sh")
    assert done.returncode == 0, done.stderr
    assert "apt-get failed:" in done.stdout
    assert "no network" in done.stdout
    assert "skipping the rsync transfer mode" in done.stdout


def test_an_apt_that_works_installs_what_is_missing(programs: Path) -> None:
    write_program(programs, "id", "echo 0")
    write_program(programs, "tee", "cat > /dev/null")
    (programs / "chmod").unlink()
    write_program(programs, "chmod", "exit 1")
    asked = programs.parent / "asked"
    write_program(programs, "apt-get", f'echo "$@" >> {asked}')
    assert run(programs, ROOT / "tests" / "system-packages.sh").returncode == 0
    update, install = asked.read_text().splitlines()
    assert update.endswith("update")
    assert {"rsync", "unzip"} <= set(install.split())
