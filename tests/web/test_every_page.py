"""What holds of every page: it is whole, fits, is open to all people, and asks no other host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.conftest import Eventually
from tests.web.browser import PHONE, window
from tests.web.lab import Lab, Served

PATHS = (
    "/",
    "/jobs",
    "/queue",
    "/workers",
    "/events",
    "/settings",
    "/accounts",
    "/account",
    "/login",
)
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "light", "viewport": PHONE},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, patience: Eventually) -> Iterator[Served]:
    """A lab with something of everything."""
    lab = Lab(Path(tmp_path_factory.mktemp("lab")), patience)
    with lab.serving() as page:
        yield page


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("path", PATHS)
def test_a_page(site: Served, browser: Browser, path: str, look: str) -> None:
    with window(browser, site.url, **LOOKS[look]) as opened:
        page = opened.open(path)
        assert page.locator("h1").count() == 1
        assert opened.fits()
        assert opened.barriers() == []
