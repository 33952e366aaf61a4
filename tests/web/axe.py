"""axe-core, which finds what keeps people from using a page; ``make`` takes it from npm."""

from __future__ import annotations

from pathlib import Path

import pytest

AXE = Path(__file__).parent / "vendor" / "axe.min.js"


def axe_script() -> str:
    """The script to add to a page; without it the test is skipped, with the reason."""
    if not AXE.is_file():
        pytest.skip("axe-core is not there: needs npm, then 'make frontend'")
    return AXE.read_text(encoding="utf-8")
