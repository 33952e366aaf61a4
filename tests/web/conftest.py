"""A lab whose page is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Eventually
from tests.web.lab import Lab


@pytest.fixture
def lab(tmp_path: Path, eventually: Eventually) -> Lab:
    """A person with two workers and a backend on this machine."""
    return Lab(tmp_path, eventually)
