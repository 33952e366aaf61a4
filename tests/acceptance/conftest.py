"""The lab of the acceptance tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.lab import Lab
from tests.conftest import Eventually
from tests.rigs.farm import Farm


@pytest.fixture
def lab(farm: Farm, tmp_path: Path, eventually: Eventually) -> Iterator[Lab]:
    """A hopper folder on real SSH workers."""
    lab = Lab(farm, tmp_path, eventually)
    lab.set_up()
    yield lab
    lab.close()


@pytest.fixture
def faulty_lab(netns_farm: Farm, tmp_path: Path, eventually: Eventually) -> Iterator[Lab]:
    """A hopper folder on SSH workers that can be cut off and killed."""
    lab = Lab(netns_farm, tmp_path, eventually)
    lab.set_up()
    yield lab
    lab.close()
