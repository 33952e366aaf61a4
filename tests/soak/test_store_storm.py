from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.store.storm import die_at_each_call, storm

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("seed", [11, 12])
def test_forty_kills_of_the_store_lose_nothing(tmp_path: Path, seed: int) -> None:
    watcher = storm(tmp_path / "db", kills=40, seed=seed)
    assert watcher.looks > 1000
    assert watcher.changes > 100


@pytest.mark.parametrize("how", [[], ["--power", "--recovering"]], ids=" ".join)
def test_death_at_each_call_loses_nothing(tmp_path: Path, how: list[str]) -> None:
    assert die_at_each_call(tmp_path, how) > 80
