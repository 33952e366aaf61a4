from __future__ import annotations

import json
from pathlib import Path

import pytest

from hopper.web.frontend import Frontend, find_frontend
from hopper.web.frontend.files import PINS
from hopper.web.frontend.vendoring import names


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    folder = tmp_path / "pins"
    folder.mkdir()
    wanted = {"a/a.js": "a.js", "a/LICENSE": "a.LICENSE", "b/b.css": "b.css"}
    (folder / "files.json").write_text(json.dumps(wanted))
    return folder


@pytest.fixture
def static(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    (folder / "vendor").mkdir(parents=True)
    for name in ("app.css", "vendor/a.js", "vendor/b.css"):
        (folder / name).write_text(name)
    return folder


def test_all_there(static: Path, pins: Path) -> None:
    found = find_frontend(static, pins)
    assert found.trouble() is None
    assert found.has("vendor/a.js")
    assert found.folder == static


def test_an_address_changes_with_the_content_alone(static: Path, pins: Path) -> None:
    before = find_frontend(static, pins).address("app.css")
    name, _, version = before.partition("?v=")
    assert name == "app.css"
    assert len(version) == 12
    (static / "app.css").touch()
    assert find_frontend(static, pins).address("app.css") == before
    (static / "app.css").write_text("other")
    assert find_frontend(static, pins).address("app.css") != before


def test_what_is_missing_is_said_with_the_way_out(static: Path, pins: Path) -> None:
    (static / "vendor" / "a.js").unlink()
    found = find_frontend(static, pins)
    assert found.missing == ("vendor/a.js",)
    assert not found.has("vendor/a.js")
    told = found.trouble() or ""
    assert "vendor/a.js" in told
    assert "python -m hopper.web.frontend" in told
    assert "\n" not in told


def test_a_missing_file_has_an_address_still(static: Path, pins: Path) -> None:
    assert find_frontend(static, pins).address("not here.js") == "not%20here.js"


def test_no_folder_at_all(tmp_path: Path, pins: Path) -> None:
    found = find_frontend(tmp_path / "static", pins)
    assert found.versions == {}
    assert found.missing == ("vendor/a.js", "vendor/b.css")


def test_a_build_beside_the_server_is_not_looked_at(static: Path, pins: Path) -> None:
    (static / ".vendor-x").mkdir()
    (static / ".vendor-x" / "a.js").touch()
    assert set(find_frontend(static, pins).versions) == {"app.css", "vendor/a.js", "vendor/b.css"}


def test_what_this_package_asks_for() -> None:
    found = find_frontend(Path("/nowhere"))
    assert isinstance(found, Frontend)
    loaded = {name for name in names(PINS) if "LICENSE" not in name}
    assert {f"vendor/{name}" for name in loaded} == set(found.missing)
    assert {"vendor/htmx.min.js", "vendor/sse.js", "vendor/pico.min.css"} <= set(found.missing)
