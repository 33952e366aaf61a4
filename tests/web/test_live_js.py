from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page as Tab
from playwright.async_api import Route, async_playwright

from hopper.store.state import StateStore
from tests.web.browser import FLAGS
from tests.web.served import SECONDS, Page, commit, run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HTML = """<!doctype html><title>a page</title>
<span id="live" role="status" data-position="POSITION"></span>
<time id="age" data-ago datetime="2020-01-01T00:00:00+00:00">long</time>
<time id="due" data-countdown datetime="2020-01-01T00:00:00+00:00">soon</time>
<time id="bad" data-ago datetime="<never>">never</time>
<pre id="text">what is copied</pre>
<button id="copy" data-copy="#text">Copy</button>
<table><tr id="job-j1"></tr><tr id="job-j2"></tr></table>
<script>window.htmx = {}</script>
<script src="static/live.js"></script>
<script>
  window.heard = [];
  window.source = htmx.createEventSource("jobs/stream?view=jobs");
  source.addEventListener("rows", (event) => heard.push(event.data));
</script>
"""
HIDE = """hidden => {
  Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
  document.dispatchEvent(new Event("visibilitychange"));
}"""

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium: install the package chromium")


@asynccontextmanager
async def tab_of(page: Page) -> AsyncIterator[Tab]:
    """Open a page with live.js alone in a browser."""
    url = page.url.removesuffix("/jobs/stream")
    html = HTML.replace("POSITION", str(page.following.position))

    async def answer(route: Route) -> None:
        await route.fulfill(body=html, content_type="text/html")

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            tab = await browser.new_page()
            tab.set_default_timeout(SECONDS * 1000)
            await tab.route(f"{url}/a-page", answer)
            await tab.goto(f"{url}/a-page")
            yield tab
        finally:
            await browser.close()


async def watchers(page: Page, count: int) -> None:
    """Wait until so many watch."""
    while len(page.following.hub) != count:
        await asyncio.sleep(0.01)


def test_a_tab_misses_nothing_while_it_is_hidden(tmp_path: Path, writer: StateStore) -> None:
    async def scene() -> None:
        page = Page(tmp_path)
        async with page.served(), tab_of(page) as tab:
            await watchers(page, 1)
            await tab.wait_for_selector("#live[data-state=live]")
            commit(writer, "j1")
            await tab.wait_for_function("heard.length === 1")
            await tab.evaluate(HIDE, arg=True)
            await watchers(page, 0)
            commit(writer, "j2")
            await tab.evaluate(HIDE, arg=False)
            await tab.wait_for_function("heard.length === 2")
            rows = ['<tr id="job-j1"></tr>', '<tr id="job-j2"></tr>']
            assert await tab.evaluate("heard") == rows
            commit(writer, "not-shown")
            await tab.wait_for_function("heard.length === 3")
            assert await tab.evaluate("heard[2]") == ""
            await tab.evaluate("source.close()")
            await watchers(page, 0)

    run(scene())


def test_what_changed_before_the_stream_was_open_is_told(
    tmp_path: Path, writer: StateStore
) -> None:
    async def scene() -> None:
        page = Page(tmp_path)
        async with page.served():
            opened = tab_of(page)  # made at the position before
            tab = await opened.__aenter__()
            try:
                await tab.wait_for_selector("#live[data-state=live]")
                await tab.evaluate(HIDE, arg=True)
                await watchers(page, 0)
                commit(writer, "j1")
                while page.following.position.seq < 1:
                    await asyncio.sleep(0.01)
                await tab.evaluate("source.close()")
                await tab.evaluate(HIDE, arg=False)
                await tab.reload()
                await tab.wait_for_function("heard.length === 1")
            finally:
                await opened.__aexit__(None, None, None)

    run(scene())


def test_a_server_that_goes_is_told_and_one_that_comes_is_found(
    tmp_path: Path, writer: StateStore
) -> None:
    async def scene() -> None:
        page = Page(tmp_path)
        async with page.served():
            opened = tab_of(page)
            tab = await opened.__aenter__()
            await tab.wait_for_selector("#live[data-state=live]")
            port = page.port
        try:
            await tab.wait_for_selector("#live[data-state=waiting]")
            commit(writer, "j1")
            later = Page(tmp_path, port=port)
            async with later.served():
                await tab.wait_for_function("heard.length === 1")
                await tab.wait_for_selector("#live[data-state=live]")
        finally:
            await opened.__aexit__(None, None, None)

    run(scene())


def test_times_and_copying(tmp_path: Path, writer: StateStore) -> None:
    async def scene() -> None:
        page = Page(tmp_path)
        async with page.served(), tab_of(page) as tab:
            await tab.wait_for_function("/^[0-9]+d/.test(age.textContent)")
            assert await tab.text_content("#due") == "0s"
            assert await tab.text_content("#bad") == "never"
            assert "2020" in (await tab.get_attribute("#age", "title") or "")
            await tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
            await tab.click("#copy")
            await tab.wait_for_function("copy.textContent === 'Copied'")
            assert await tab.evaluate("navigator.clipboard.readText()") == "what is copied"
            await tab.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
            await tab.wait_for_function("copy.textContent === 'Copy'")
            await tab.click("#copy")
            await tab.wait_for_function("copy.textContent === 'Copied'")

    run(scene())
