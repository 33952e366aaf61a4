"""A real browser: Debian's Chromium, driven by Playwright, which can reach nothing but the page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, Request, expect

from tests.web.axe import axe_script

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 60_000
"""What a page may take on a machine that is busy."""
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}


def launch(playwright: Playwright) -> Browser:
    """Start the browser; the test is skipped, with the reason, where there is none."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no chromium: install the package chromium")
    expect.set_options(timeout=PATIENCE_MS)
    return playwright.chromium.launch(executable_path=path, args=list(FLAGS))


class Window:
    """A person's browser window on one site; remembers all that went wrong in it."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.complaints: list[str] = []
        self.outside: list[str] = []
        """Addresses of other hosts that were asked for."""
        self.expected: tuple[str, ...] = ()
        """Parts of complaints that the test means to cause."""
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        context.on("request", self._on_request)

    def _on_console(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def _on_request(self, request: Request) -> None:
        host = urlsplit(request.url)
        if (
            host.scheme in {"http", "https", "ws", "wss"}
            and host.netloc != urlsplit(self.url).netloc
        ):
            self.outside.append(request.url)

    def open(self, path: str) -> Page:
        """Go to a path of the site."""
        self.page.goto(f"{self.url}{path}", wait_until="load")
        return self.page

    def fits(self) -> bool:
        """Return True when nothing of the page is cut off by the window's width."""
        width = self.page.evaluate("document.documentElement.scrollWidth")
        return bool(width <= self.page.evaluate("window.innerWidth"))

    def barriers(self) -> list[str]:
        """Return what axe-core finds to keep people from using the page."""
        # By the protocol, since the page's own policy lets no script in.
        self.page.evaluate(axe_script())
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{fault['id']}: {node['target']} {node['failureSummary']}"
            for fault in found["violations"]
            for node in fault["nodes"]
        ]

    def check(self) -> None:
        """Fail where the browser has complained, or asked another host."""
        odd = [c for c in self.complaints if not any(part in c for part in self.expected)]
        assert not odd, odd
        assert not self.outside, self.outside


@contextmanager
def window(browser: Browser, url: str, **options: Any) -> Iterator[Window]:
    """Open a window with cookies of its own; what it complained of fails the test."""
    context = browser.new_context(**{"viewport": DESK, **options})
    try:
        opened = Window(context, url)
        yield opened
        opened.check()
    finally:
        context.close()
