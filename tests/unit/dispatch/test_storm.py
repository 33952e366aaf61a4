"""Whatever happens: nothing lost, nothing twice, all at its end when it is calm again."""

from __future__ import annotations

import pytest

from tests.unit.dispatch.storm import storm


@pytest.mark.parametrize("seed", range(8))
def test_a_storm(seed: int) -> None:
    it = storm(seed, jobs=60, steps=150)
    assert len(it.rig.store.jobs) == 60


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 120))
def test_a_long_storm(seed: int) -> None:
    it = storm(seed, jobs=600, steps=1500)
    assert len(it.rig.store.jobs) == 600
