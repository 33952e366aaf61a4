"""The store's tests run with orjson and without it where that could differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from hopper.store import codec


@pytest.fixture(params=["orjson", "json"])
def json_library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which library encodes and decodes."""
    if request.param == "json":
        monkeypatch.setattr(codec, "orjson", None)
    elif codec.orjson is None:
        pytest.skip("orjson is not installed")
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A state folder that does not exist yet."""
    return tmp_path / "db"
