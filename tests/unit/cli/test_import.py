"""import and demo, as far as they need no worker."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import yaml

from hopper.cli.demo import ANSWER, answer_in
from tests.unit.cli.shell import Shell

SEED = "workers: [{name: w1, host: x, inbox_dir: /In, outbox_dir: /Out}]\n"


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(capsys, monkeypatch)


def test_import_writes_config_and_inventory_beside(in_folder: Path, shell: Shell) -> None:
    (in_folder / "old").mkdir()
    (in_folder / "old/jobhopper.yaml").write_text(SEED)
    said = shell("import", "old/jobhopper.yaml")
    assert "wrote old/hopper.yaml" in said.out
    assert "there is no database" in said.err
    hosts = yaml.safe_load((in_folder / "old/inventory.yml").read_text())["hopper_workers"]
    assert list(hosts["hosts"]) == ["w1"]
    shell("--config", "old/hopper.yaml", "config", "check")
    shell("import", "old/jobhopper.yaml")


@pytest.mark.parametrize("name", ["hopper.yaml", "inventory.yml"])
def test_import_writes_nothing_over_what_is_there(in_folder: Path, shell: Shell, name: str) -> None:
    (in_folder / "jobhopper.yaml").write_text(SEED)
    (in_folder / name).write_text("mine")
    assert f"{name} is there already" in shell("import", "jobhopper.yaml", code=2).err
    assert {p.name for p in in_folder.iterdir()} == {"jobhopper.yaml", name}
    assert (in_folder / name).read_text() == "mine"


def test_import_of_no_jobhopper_is_refused(in_folder: Path, shell: Shell) -> None:
    assert "no config nowhere" in shell("import", "nowhere", code=2).err
    (in_folder / "x.yaml").write_text("a: 1\n")
    assert "no jobhopper config" in shell("import", "x.yaml", code=2).err


def test_import_of_a_scripthut_writes_a_config_only(in_folder: Path, shell: Shell) -> None:
    (in_folder / "scripthut.yaml").write_text(
        "backends: [{name: here, type: local}]\nsettings: {data_dir: x}\n"
    )
    said = shell("import", "scripthut.yaml")
    assert "wrote hopper.yaml" in said.out
    assert "jobhopper" not in said.out
    assert "settings.data_dir was left out" in said.err
    assert not (in_folder / "inventory.yml").exists()
    assert '"inventory": null' in shell("import", "scripthut.yaml", "--json").out


def test_an_answer_is_found_wherever_it_lies_in_a_result(tmp_path: Path) -> None:
    path = tmp_path / "result.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("results/other.txt", "no")
        made.writestr(f"results/{ANSWER}", "42\n")
    assert answer_in(path) == "42"


def test_a_result_without_an_answer_has_none(tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    for name in ("broken.zip", "empty.zip", "missing.zip"):
        assert answer_in(tmp_path / name) == ""


def test_a_demo_folder_that_cannot_be_made_is_one_line(in_folder: Path, shell: Shell) -> None:
    (in_folder / "file").touch()
    assert "cannot make file/x" in shell("demo", "--dir", "file/x", code=2).err
