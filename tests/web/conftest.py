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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a module with a browser in one xdist worker, so that they share it."""
    for item in items:
        if isinstance(item, pytest.Function) and "browser" in item.fixturenames:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


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
