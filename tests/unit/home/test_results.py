from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from hopper.errors import HopperError
from hopper.home.results import Incoming, MissingResult, incoming_folder, land, purge_incoming


def fetched(inbox: Path, name: str, content: bytes, attempt: str = "a123456789") -> Incoming:
    path = incoming_folder(inbox, attempt) / f"{hash(name)}.part"
    path.write_bytes(content)
    return Incoming(
        path=path, name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest()
    )


def seen(inbox: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in inbox.iterdir() if path.is_file()}


def test_results_get_their_names(tmp_path: Path) -> None:
    two = [fetched(tmp_path, "j.zip", b"1"), fetched(tmp_path, "j.log.zip", b"22")]
    landed = land(two, tmp_path)
    assert [(file.name, file.size) for file in landed] == [("j.zip", 1), ("j.log.zip", 2)]
    assert landed[1].sha256 == two[1].sha256
    assert seen(tmp_path) == {"j.zip": b"1", "j.log.zip": b"22"}
    assert not two[0].path.exists()


def test_landing_twice_is_landing_once(tmp_path: Path) -> None:
    one = fetched(tmp_path, "j.zip", b"1")
    assert land([one], tmp_path) == land([one], tmp_path)
    one.path.write_bytes(b"1")
    assert [file.name for file in land([one], tmp_path)] == ["j.zip"]
    assert not one.path.exists()
    assert seen(tmp_path) == {"j.zip": b"1"}


def test_other_content_gets_another_name(tmp_path: Path) -> None:
    for content in (b"1", b"2", b"3", b"2"):
        land([fetched(tmp_path, "j.a.zip", content)], tmp_path)
    assert seen(tmp_path) == {"j.a.zip": b"1", "j.a.1.zip": b"2", "j.a.2.zip": b"3"}


def test_names_that_are_something_else(tmp_path: Path) -> None:
    (tmp_path / "j.zip").mkdir()
    (tmp_path / "j.1.zip").symlink_to("/etc/passwd")
    (landed,) = land([fetched(tmp_path, "j.zip", b"1")], tmp_path)
    assert landed.name == "j.2.zip"


def test_a_long_name_stays_within_what_a_name_can_be(tmp_path: Path) -> None:
    name = "é" * 125 + ".zip"
    land([fetched(tmp_path, name, b"1")], tmp_path)
    (landed,) = land([fetched(tmp_path, name, b"2")], tmp_path)
    assert landed.name.endswith("é.1.zip")


@pytest.mark.parametrize("name", ["", "../x.zip", "a/b.zip", ".hidden", "..", "/x"])
def test_hostile_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(HopperError, match="cannot be called"):
        land([fetched(tmp_path, name, b"1")], tmp_path)


def test_a_result_that_is_nowhere(tmp_path: Path) -> None:
    lost = fetched(tmp_path, "j.zip", b"1")
    lost.path.unlink()
    with pytest.raises(MissingResult):
        land([lost], tmp_path)


def test_what_is_not_kept_goes(tmp_path: Path) -> None:
    purge_incoming(tmp_path, [])
    kept = fetched(tmp_path, "j.zip", b"1", "a111111111")
    gone = fetched(tmp_path, "j.zip", b"1", "b222222222")
    (tmp_path / ".incoming" / "file").touch()
    (tmp_path / "real").mkdir()
    (tmp_path / ".incoming" / "link").symlink_to(tmp_path / "real")
    purge_incoming(tmp_path, ["a111111111"])
    assert kept.path.exists()
    assert not gone.path.parent.exists()
    assert [path.name for path in (tmp_path / ".incoming").iterdir()] == ["a111111111"]
    assert (tmp_path / "real").is_dir()
