from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from hopper.web.frontend import __main__ as program
from hopper.web.frontend import vendoring
from hopper.web.frontend.files import PINS
from hopper.web.frontend.vendoring import NotTaken, is_taken, names, take

LEFT_PAD = """\
mkdir -p node_modules/left-pad/dist
echo "pad()" > node_modules/left-pad/dist/pad.js
echo "Do what you want" > node_modules/left-pad/LICENSE
"""


@dataclass(frozen=True, kw_only=True)
class FakeNpm:
    """An npm of a few lines of shell, first on PATH; what it was called with is in ``calls``."""

    bin: Path
    calls: Path

    def does(self, script: str) -> None:
        npm = self.bin / "npm"
        npm.write_text(f'#!/bin/sh\necho "$*" >> "{self.calls}"\n{script}')
        npm.chmod(0o755)

    def called(self) -> int:
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNpm:
    made = FakeNpm(bin=tmp_path / "bin", calls=tmp_path / "calls")
    made.bin.mkdir()
    monkeypatch.setenv("PATH", f"{made.bin}{os.pathsep}/usr/bin{os.pathsep}/bin")
    made.does(LEFT_PAD)
    return made


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    folder = tmp_path / "pins"
    folder.mkdir()
    (folder / "package.json").write_text("{}")
    (folder / "package-lock.json").write_text('{"lockfileVersion": 3}')
    wanted = {"left-pad/dist/pad.js": "pad.js", "left-pad/LICENSE": "pad.LICENSE"}
    (folder / "files.json").write_text(json.dumps(wanted))
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "static" / "vendor"


def test_takes_the_named_files_under_their_names(npm: FakeNpm, pins: Path, target: Path) -> None:
    assert take(pins, target)
    assert {p.name for p in target.iterdir()} == {"pad.js", "pad.LICENSE", "stamp.json"}
    assert (target / "pad.js").read_text() == "pad()\n"
    assert target.stat().st_mode & 0o777 == 0o755
    assert [p.name for p in target.parent.iterdir()] == ["vendor"]
    assert "--ignore-scripts" in npm.calls.read_text()


def test_npm_is_not_asked_again(npm: FakeNpm, pins: Path, target: Path) -> None:
    take(pins, target)
    assert not take(pins, target)
    assert npm.called() == 1


@pytest.mark.parametrize("pin", ["package-lock.json", "files.json"])
def test_other_pins_replace_what_was_taken(
    npm: FakeNpm, pins: Path, target: Path, pin: str
) -> None:
    take(pins, target)
    (pins / pin).write_text((pins / pin).read_text() + "\n")
    (target / "left over").touch()
    assert take(pins, target)
    assert not (target / "left over").exists()


@pytest.mark.parametrize("stamp", ["", "[]", "{}", '{"pins": 1, "files": []}', "\xff"])
def test_a_damaged_stamp_is_no_stamp(npm: FakeNpm, pins: Path, target: Path, stamp: str) -> None:
    take(pins, target)
    (target / "stamp.json").write_text(stamp, encoding="latin-1")
    assert not is_taken(pins, target)
    assert take(pins, target)


def test_a_changed_or_lost_file_is_taken_again(npm: FakeNpm, pins: Path, target: Path) -> None:
    take(pins, target)
    (target / "pad.js").write_text("evil()")
    assert take(pins, target)
    assert (target / "pad.js").read_text() == "pad()\n"
    (target / "pad.LICENSE").unlink()
    assert take(pins, target)


def test_without_npm_it_says_so_and_leaves_all_as_it_was(
    npm: FakeNpm, pins: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(pins, target)
    (pins / "package-lock.json").write_text("newer")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NotTaken, match="there is no npm on PATH"):
        take(pins, target)
    assert (target / "pad.js").exists()
    assert [p.name for p in target.parent.iterdir()] == ["vendor"]


def test_npm_that_fails_is_quoted_in_one_bounded_line(
    npm: FakeNpm, pins: Path, target: Path
) -> None:
    long = "printf 'npm error %0999d' 7"
    npm.does(f"echo 'npm warn x'; echo 'npm error code ENOTFOUND'; {long}; exit 1")
    with pytest.raises(NotTaken, match="npm failed: npm error code ENOTFOUND; ") as caught:
        take(pins, target)
    assert "warn" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert not target.exists()


def test_npm_that_fails_without_a_word(npm: FakeNpm, pins: Path, target: Path) -> None:
    npm.does("exit 3")
    with pytest.raises(NotTaken, match="printed nothing"):
        take(pins, target)


def test_npm_is_not_waited_for_without_end(
    npm: FakeNpm, pins: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendoring, "NPM_TIMEOUT_SECONDS", 0.2)
    npm.does("exec sleep 60")
    with pytest.raises(NotTaken, match=r"longer than 0\.2 s"):
        take(pins, target)


def test_a_package_without_the_file(npm: FakeNpm, pins: Path, target: Path) -> None:
    npm.does("mkdir node_modules")
    with pytest.raises(NotTaken, match=r"have no left-pad/dist/pad\.js"):
        take(pins, target)
    assert list(target.parent.iterdir()) == []


def test_a_place_that_cannot_be_made(npm: FakeNpm, pins: Path, target: Path) -> None:
    target.parent.write_text("a file where a folder should be")
    with pytest.raises(NotTaken, match="cannot be made"):
        take(pins, target)


def test_another_build_may_have_been_quicker(
    npm: FakeNpm, pins: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between this build's look and its rename, another puts the same folder there."""
    real = vendoring._copy

    def copy_while_another_finishes(pins: Path, modules: Path, made: Path) -> None:
        real(pins, modules, made)
        monkeypatch.setattr(vendoring, "_copy", real)
        monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
        take(pins, target)

    monkeypatch.setattr(vendoring, "_copy", copy_while_another_finishes)
    assert take(pins, target)
    assert is_taken(pins, target)
    assert npm.called() == 2


def test_the_command_takes_and_tells(
    npm: FakeNpm, pins: Path, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main([str(pins), str(target)]) == 0
    assert str(target) in capsys.readouterr().out
    assert program.main([str(pins), str(target)]) == 0
    assert capsys.readouterr().out == ""


def test_the_command_says_in_one_line_why_not(
    npm: FakeNpm, pins: Path, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    npm.does("exit 1")
    assert program.main([str(pins), str(target)]) == 1
    told = capsys.readouterr().err
    assert told == "front-end files are missing: npm failed: it printed nothing\n"
    assert program.main(["one"]) == 2


def test_the_pinned_versions_are_exact_and_name_no_registry() -> None:
    for folder in (PINS, Path(__file__).parents[3] / "web"):
        asked = json.loads((folder / "package.json").read_text())["dependencies"]
        locked = json.loads((folder / "package-lock.json").read_text())["packages"]
        for name, version in asked.items():
            package = locked[f"node_modules/{name}"]
            assert package["version"] == version
            assert package["integrity"].startswith("sha512-")
            assert "resolved" not in package
        assert names(folder)


def test_each_package_comes_with_its_licence() -> None:
    for folder in (PINS, Path(__file__).parents[3] / "web"):
        packages = json.loads((folder / "package.json").read_text())["dependencies"]
        wanted = json.loads((folder / "files.json").read_text())
        licensed = {path.rpartition("/LICENSE")[0] for path in wanted if "/LICENSE" in path}
        assert licensed == set(packages)
