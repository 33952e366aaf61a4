"""Builds take the browsers' files from npm, and do without where there is none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from hopper.web.frontend.files import PINS
from hopper.web.frontend.vendoring import NotTaken, names, take

ROOT = Path(__file__).parents[2]
VENDOR = "hopper/web/static/vendor"
WARNING = "built without the pinned front-end files"

pytestmark = [pytest.mark.packaging, pytest.mark.xdist_group("packaging")]


@pytest.fixture(scope="module")
def vendored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the real npm gives for the real pins."""
    folder = tmp_path_factory.mktemp("vendored") / "vendor"
    try:
        take(PINS, folder)
    except NotTaken as error:
        pytest.skip(f"the front-end files cannot be had: {error}")
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the build of a container image is given of the project, without what npm gives."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", "vendor", ".vendor-*")
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for name in (line[1:] for line in lines if line.startswith("!")):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def build(project: Path, out: Path, *kinds: str, npm: Path | None = None) -> str:
    """Build where npm, if any, is in the folder ``npm``; gives what was printed."""
    path = os.pathsep.join(str(p) for p in (Path(sys.executable).parent, npm) if p)
    done = subprocess.run(
        (sys.executable, "-m", "build", "--no-isolation", "-o", out, *kinds, project),
        cwd=project,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    return told


def npm_that_gives(vendored: Path, folder: Path) -> Path:
    """A folder with an npm that puts the real files where the real one would, and needs no network.

    The real npm has been asked once, by ``vendored``.
    """
    folder.mkdir()
    packages = folder / "node_modules"
    for path, name in _files().items():
        (packages / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(vendored / name, packages / path)
    (folder / "npm").write_text(f"#!/bin/sh\nexec /bin/cp -R {packages} .\n")
    (folder / "npm").chmod(0o755)
    return folder


def _files() -> dict[str, str]:
    read: dict[str, str] = json.loads((PINS / "files.json").read_text(encoding="utf-8"))
    return read


def in_wheel(folder: Path) -> dict[str, bytes]:
    """The vendored files of the wheel in ``folder``, by name."""
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        inside = [n for n in packed.namelist() if n.startswith(f"{VENDOR}/")]
        return {n.removeprefix(f"{VENDOR}/"): packed.read(n) for n in inside}


def test_a_build_with_npm_carries_the_files_into_sdist_and_wheel(
    vendored: Path, checkout: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    npm = npm_that_gives(vendored, tmp_path / "npm")
    told = build(checkout, out, "--sdist", "--wheel", npm=npm)
    assert WARNING not in told
    assert set(in_wheel(out)) == {*names(PINS), "stamp.json"}
    [sdist] = out.glob("*.tar.gz")
    with tarfile.open(sdist) as tar:
        tar.extractall(tmp_path, filter="data")
        top = tar.getnames()[0].split("/")[0]
    told = build(tmp_path / top, tmp_path / "later", "--wheel")
    assert WARNING not in told
    assert in_wheel(tmp_path / "later") == in_wheel(out)


def test_a_build_without_npm_warns_and_does_without(checkout: Path, tmp_path: Path) -> None:
    told = build(checkout, tmp_path / "out", "--wheel")
    assert f"{WARNING}, so web pages will be plain: there is no npm on PATH" in told
    assert in_wheel(tmp_path / "out") == {}
    [wheel] = (tmp_path / "out").glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        assert "hopper/web/frontend/files.json" in packed.namelist()


def test_an_editable_install_takes_them_into_the_checkout(
    vendored: Path, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = npm_that_gives(vendored, tmp_path / "npm")
    monkeypatch.setenv("PATH", f"{npm}{os.pathsep}{os.environ['PATH']}")
    script = "import sys, hatchling.build as b; print(b.build_editable(sys.argv[1]))"  # PEP 660
    subprocess.run((sys.executable, "-c", script, tmp_path), cwd=checkout, check=True, timeout=600)
    taken = {p.name for p in (checkout / "src" / VENDOR).iterdir()}
    assert taken == {*names(PINS), "stamp.json"}
