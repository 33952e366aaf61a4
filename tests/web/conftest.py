"""A lab whose page is served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.conftest import Eventually
from tests.web.browser import launch
from tests.web.lab import Lab


@pytest.fixture
def lab(tmp_path: Path, eventually: Eventually) -> Lab:
    """A person with two workers and a backend on this machine."""
    return Lab(tmp_path, eventually)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A browser that all tests of a process share; windows are apart."""
    with sync_playwright() as playwright:
        started = launch(playwright)
        yield started
        started.close()
