"""Shell text that is run on this machine in place of a login node."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hopper.workflows import here, shell

LONG = timedelta(seconds=60)


def test_what_it_says_comes_back(tmp_path: Path) -> None:
    step = shell.run_command("pwd; echo wrong >&2")
    said = here.run(
        shell.in_folder(str(tmp_path), [step], work_dir=str(tmp_path / "w")), key=None, within=LONG
    )
    assert shell.parse(said, "it").content == f"{tmp_path}\n"
    assert "wrong" in said.stderr


def test_a_key_is_lent_and_taken_back(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("SECRET")
    text = 'echo "$hopper_uploads"; cat "$hopper_uploads/deploy_key"; ls -l "$hopper_uploads"'
    said = here.run(text, key=tmp_path / "key", within=LONG)
    folder, secret, _ = said.stdout.split("\n", 2)
    assert secret.startswith("SECRET")
    assert "-rw-------" in said.stdout
    assert not Path(folder).exists()


def test_what_takes_too_long_is_ended_with_all_its_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(here, "PATIENCE", 0.1)
    # It comes back once nobody holds its output any more.
    text = "trap '' TERM; sleep 600 & sleep 600"
    said = here.run(text, key=None, within=timedelta(seconds=0.2))
    assert said.code == 124
    with pytest.raises(shell.SourceError, match="took too long"):
        shell.parse(said, "it")
