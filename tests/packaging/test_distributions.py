"""The sdist and the wheel hold everything, and what is installed from them works anywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COLLECTION = "ansible_collections/hopper/dispatch"
CONTENT = ("playbooks", "plugins", "roles", "meta")
SOURCES = (*CONTENT, "src", "tests", "bench", "docs", "examples", "inventory", "changelogs", ".ci")

pytestmark = [pytest.mark.packaging, pytest.mark.xdist_group("packaging")]


def tracked(*folders: str) -> set[str]:
    """The files under the folders as they should be packed, relative to the root."""
    found = (p for folder in folders for p in (ROOT / folder).rglob("*") if p.is_file())
    ignored = {"__pycache__", "node_modules"}
    inside = {p.relative_to(ROOT).as_posix() for p in found if not ignored & set(p.parts)}
    # What tests take from npm is for this checkout alone.
    return {name for name in inside if not name.startswith("tests/web/vendor/")}


def run(*command: str | Path, cwd: Path, path: Path | None = None) -> str:
    """Run a command without the settings of the person who runs the tests."""
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "HOPPER_", "PYTHON"))
    }
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    if path is not None:
        environment["PATH"] = f"{path}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@dataclass(frozen=True, kw_only=True)
class Built:
    """What a build of the checkout gave."""

    sdist: Path
    wheel: Path
    wheel_of_sdist: Path

    def sdist_names(self) -> set[str]:
        with tarfile.open(self.sdist) as tar:
            return {n.split("/", 1)[1] for n in tar.getnames()}

    def wheel_content(self, wheel: Path) -> dict[str, bytes]:
        with zipfile.ZipFile(wheel) as packed:
            return {n: packed.read(n) for n in packed.namelist()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """An sdist, a wheel, and a wheel of the sdist."""
    direct = tmp_path_factory.mktemp("direct")
    staged = tmp_path_factory.mktemp("staged")
    build = (sys.executable, "-m", "build", "--no-isolation", "-o")
    run(*build, direct, "--wheel", ROOT, cwd=direct)
    run(*build, staged, ROOT, cwd=staged)
    [sdist] = staged.glob("*.tar.gz")
    [wheel] = direct.glob("*.whl")
    [wheel_of_sdist] = staged.glob("*.whl")
    return Built(sdist=sdist, wheel=wheel, wheel_of_sdist=wheel_of_sdist)


def test_the_sdist_holds_every_source(built: Built) -> None:
    names = built.sdist_names()
    top = {"pyproject.toml", "hatch_build.py", "Makefile", "galaxy.yml", "ansible.cfg", "LICENSE"}
    assert (tracked(*SOURCES) | top | {"README.md"}) <= names
    assert not any(n.startswith((".collections", ".git/", ".venv")) for n in names)


def test_the_wheel_holds_every_part_of_the_collection(built: Built) -> None:
    names = set(built.wheel_content(built.wheel))
    wanted = tracked(*CONTENT) | {"galaxy.yml", "README.md", "LICENSE"}
    packed = {n.removeprefix(f"{COLLECTION}/") for n in names if n.startswith(COLLECTION)}
    assert packed == wanted


def test_the_wheel_holds_every_file_of_the_package(built: Built) -> None:
    names = set(built.wheel_content(built.wheel))
    assert {n.removeprefix("src/") for n in tracked("src/hopper")} <= names
    assert {n.split("/")[0] for n in names if ".dist-info" not in n} == {
        "hopper",
        "ansible_collections",
    }


def test_a_wheel_of_the_sdist_is_the_same(built: Built) -> None:
    assert built.wheel_content(built.wheel_of_sdist) == built.wheel_content(built.wheel)


def test_an_editable_install_holds_no_copy_of_the_collection(tmp_path: Path) -> None:
    script = "import sys, hatchling.build as b; print(b.build_editable(sys.argv[1]))"  # PEP 660
    name = run(sys.executable, "-c", script, tmp_path, cwd=ROOT).split()[-1]
    with zipfile.ZipFile(tmp_path / name) as packed:
        assert not [n for n in packed.namelist() if n.startswith("ansible_collections")]


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a clean venv with the wheel, and what it asks for, in it."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", built.wheel, cwd=folder)
    return folder / "bin"


@pytest.mark.parametrize("playbook", sorted(p.stem for p in (ROOT / "playbooks").glob("*.yml")))
def test_installed_playbooks_resolve_from_anywhere(
    installed: Path, playbook: str, tmp_path: Path
) -> None:
    command = ("ansible-playbook", "--syntax-check", "-i", "localhost,")
    run(installed / command[0], *command[1:], f"hopper.dispatch.{playbook}", cwd=tmp_path)


def test_the_installed_collection_is_listed(installed: Path, tmp_path: Path) -> None:
    shown = run(installed / "ansible-galaxy", "collection", "list", cwd=tmp_path, path=installed)
    assert "hopper.dispatch" in shown


def test_the_installed_package_finds_its_content(installed: Path, tmp_path: Path) -> None:
    script = "from hopper.ansible import content; print(content.collection_folder())"
    folder = Path(run(installed / "python", "-c", script, cwd=tmp_path).strip())
    assert folder.is_relative_to(installed.parent)
    assert (folder / "galaxy.yml").is_file()


def test_the_installed_demo_runs_its_jobs(installed: Path, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "demo", ignore_errors=True)
    run(installed / "hopper", "demo", cwd=tmp_path)


@pytest.mark.parametrize(
    "words", ["web", "web user add alice --role admin", "service install --web"]
)
def test_without_the_extra_the_page_says_in_one_line_what_to_install(
    installed: Path, words: str, tmp_path: Path
) -> None:
    run(installed / "hopper", "init", cwd=tmp_path)
    done = subprocess.run(
        (installed / "hopper", *words.split()),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    [told] = done.stderr.splitlines()
    assert "pip install 'jobhopper[web]'" in told
