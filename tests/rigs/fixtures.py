"""pytest fixtures of the rigs; a test module or conftest takes them in by

pytest_plugins = ["tests.rigs.fixtures"]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rigs.farm import Farm, missing

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def session_farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """Four SSH workers for the whole session; take `farm` instead, which comes clean."""
    if reason := missing():
        pytest.skip(f"SSH farm: {reason}")
    with Farm.start(4, tmp_path_factory.mktemp("farm")) as farm:
        yield farm


@pytest.fixture
def farm(session_farm: Farm) -> Farm:
    """Four SSH workers, as new."""
    session_farm.reset()
    return session_farm


@pytest.fixture
def netns_farm(farm: Farm) -> Farm:
    """Four SSH workers that can be cut off, killed and started again."""
    if farm.mode != "netns":
        pytest.skip(f"SSH farm in namespaces: {farm.reason}")
    return farm
