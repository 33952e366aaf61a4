"""A lab whose page is served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from hopper.store.state import StateStore
from tests.conftest import Eventually
from tests.web.browser import launch
from tests.web.lab import Lab


@pytest.fixture
def lab(tmp_path: Path, eventually: Eventually) -> Lab:
    """A person with two workers and a backend on this machine."""
    return Lab(tmp_path, eventually)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser that all tests of a module share; windows are apart.

    Not of a session: while it is there, no other test of the process has an event loop.
    """
    with sync_playwright() as playwright:
        started = launch(playwright)
        yield started
        started.close()


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[StateStore]:
    """The writer of a state that a Page can serve."""
    (tmp_path / "hopper.yaml").write_text("paths: {db: db}\n", encoding="utf-8")
    with StateStore.open(tmp_path / "db") as store:
        yield store
