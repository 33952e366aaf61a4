"""What holds for every file of the project."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ("src", "plugins", "tests", "bench")
TEXT = (*PYTHON, "playbooks", "roles", "examples", "inventory", "docs", "meta", ".ci")
BUILT = {"__pycache__", "node_modules", ".venv"}


def files(folders: tuple[str, ...], pattern: str) -> list[Path]:
    found = (path for folder in folders for path in (ROOT / folder).rglob(pattern))
    return sorted(p for p in found if p.is_file() and not BUILT & set(p.parts))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def all_text() -> Iterator[tuple[Path, str]]:
    # In a linked working tree, .git is a file.
    own = (".coverage", ".git")
    top = [p for p in ROOT.iterdir() if p.is_file() and not p.name.startswith(own)]
    top += [p for p in ROOT.glob(".git?*") if p.is_file()]
    for path in [*top, *files(TEXT, "*")]:
        if "data" in path.relative_to(ROOT).parts[:2]:
            continue  # captured output is kept as it came
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


# Written so that this file does not hold them.
FOREIGN = re.compile(r"/wo" + r"rk/(main|shared)|/Us" + r"ers/|/tmp/v1" + r"\d|/opt/py" + "pi")


def test_no_path_of_the_machine_it_was_written_on() -> None:
    found = [
        f"{name(path)}:{number}: {line.strip()}"
        for path, text in all_text()
        for number, line in enumerate(text.splitlines(), 1)
        if FOREIGN.search(line)
    ]
    assert not found, "\n".join(found)


def test_python_of_a_module_fits_in_the_head() -> None:
    long = {
        name(p): n for p in files(PYTHON, "*.py") if (n := len(p.read_bytes().splitlines())) > 500
    }
    assert not long


def swallows_everything(node: ast.ExceptHandler) -> bool:
    broad = node.type is None or (
        isinstance(node.type, ast.Name) and node.type.id in {"BaseException", "Exception"}
    )
    return broad and all(isinstance(s, ast.Pass | ast.Continue) for s in node.body)


def test_no_except_hides_everything() -> None:
    found = [
        f"{name(path)}:{node.lineno}"
        for path in files(PYTHON, "*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler) and (node.type is None or swallows_everything(node))
    ]
    assert not found


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_what_is_internal_to_ansible_stays_in_one_file() -> None:
    users = [name(p) for p in files(("src",), "*.py") if "ansible" in imported(p)]
    assert len(users) <= 1, users
    assert all(user.startswith("src/hopper/remote/") for user in users)


SCRIPTS = [name(p) for p in files(("src", "examples", "tests", ".ci", "roles"), "*.sh")]
EXTENSIONLESS = [
    name(p)
    for p in files((".ci",), "*")
    if p.suffix == "" and re.match(rb"#!\S*(/| )(ba)?sh\b", p.read_bytes())
]


def shell_of(script: Path) -> str:
    first = script.read_text(encoding="utf-8").splitlines()[0]
    return "bash" if first.startswith("#!") and "bash" in first else "sh"


def check(program: str, *arguments: str) -> None:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"no {program} on this machine")
    done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("script", [*SCRIPTS, *EXTENSIONLESS])
def test_scripts_pass_shellcheck(script: str) -> None:
    check("shellcheck", "-s", shell_of(ROOT / script), str(ROOT / script))


@pytest.mark.parametrize("script", [*SCRIPTS, *EXTENSIONLESS])
@pytest.mark.parametrize("shell", ["bash", "dash", "busybox"])
def test_scripts_parse_in_each_shell(script: str, shell: str) -> None:
    path = ROOT / script
    if shell != "bash" and shell_of(path) == "bash":
        check("bash", "-n", str(path))
        return
    check(shell, *(["sh"] if shell == "busybox" else []), "-n", str(path))


def test_types_are_checked_wherever_there_is_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    checked = set(project["tool"]["mypy"]["files"])
    assert {folder for folder in PYTHON if files((folder,), "*.py")} <= checked
