from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.store.storm import die_at_each_call, storm


# The other two combinations are left to the soak.
@pytest.mark.parametrize("how", [["--power"], ["--recovering"]], ids=" ".join)
def test_death_at_each_call_loses_nothing(tmp_path: Path, how: list[str]) -> None:
    assert die_at_each_call(tmp_path, how) > 80


def test_kill_9_at_random_times_loses_nothing(tmp_path: Path) -> None:
    watcher = storm(tmp_path / "db", kills=8, seed=1)
    assert watcher.changes > 10
