"""Workflows and runs from the browser alone: previewed, run, followed, rerun, cancelled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import Eventually
from tests.web.browser import PHONE, Window, window
from tests.web.lab import Lab, Served

SLOW = "for n in 1 2 3 4 5 6 7 8; do echo step $n; sleep 1; done"
TASKS: list[dict[str, Any]] = [
    {"id": "prepare", "name": "prepare", "command": SLOW},
    *({"id": f"fit.{n}", "name": f"fit {n}", "command": "exit 0"} for n in range(30)),
    {"id": "broken", "name": "broken", "command": "echo so it goes >&2; exit 4"},
    {"id": "report", "name": "report", "command": "exit 0", "deps": ["fit.*", "broken"]},
]


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, patience: Eventually
) -> Iterator[tuple[Lab, Served]]:
    """A lab that the tests of this module share, with its page."""
    lab = Lab(tmp_path_factory.mktemp("lab"), patience)
    lab.tasks_file.write_text(json.dumps(TASKS), encoding="utf-8")
    with lab.serving() as page:
        yield lab, page


@pytest.fixture
def opened(shared: tuple[Lab, Served], browser: Browser) -> Iterator[Window]:
    with window(browser, shared[1].url) as found:
        found.page.on("dialog", lambda dialog: dialog.accept())
        yield found


def start(opened: Window) -> Page:
    """Preview the workflow, run it, and be on the page of its run."""
    page = opened.open("/workflows")
    page.get_by_role("button", name="Preview study").click()
    expect(page.locator("body")).to_contain_text("prepare")
    page.locator("#choices button[type=submit]").click()
    page.wait_for_url("**/runs/study-*")
    return page


def test_a_workflow_from_the_browser_to_its_end(opened: Window, shared: tuple[Lab, Served]) -> None:
    page = start(opened)
    run = page.url.rpartition("/")[2]
    page.evaluate("window.stayed = true")
    # Followed without a reload, to its end: one task fails, one never starts.
    expect(page.locator("#run-head .state-failed")).to_be_visible()
    assert page.evaluate("window.stayed") is True
    expect(page.locator("body")).to_contain_text("so it goes")
    page.get_by_role("link", name="Gantt").click()
    expect(page.locator("svg.gantt, .gantt svg").first).to_be_visible()
    page.get_by_role("link", name="Details").click()
    expect(page.locator("body")).to_contain_text("Manifest")
    page.go_back()
    expect(page.locator("svg.gantt, .gantt svg").first).to_be_visible()
    opened.open(f"/runs/{run}")
    page.locator("[data-act=rerun-failed]").click()
    expect(page.locator("#run-head .state-running")).to_be_visible()
    expect(page.locator("#run-head .state-failed")).to_be_visible()
    shown = shared[0].json("run", "show", run)
    attempts = {item["task"]: item["attempts"] for item in shown["items"]}
    assert (attempts["broken"], attempts["prepare"]) == (2, 1)


def test_a_log_is_followed_while_its_task_runs(opened: Window) -> None:
    page = start(opened)
    run = page.url.rpartition("/")[2]
    page = opened.open(f"/runs/{run}/tasks/prepare")
    expect(page.locator("#log-text")).to_contain_text("step 2")
    assert "step 8" not in page.locator("#log-text").inner_text()
    expect(page.locator("#log-text")).to_contain_text("step 8")
    expect(page.locator("h1 ~ .state-completed, .head .state-completed").first).to_be_visible()
    page.get_by_role("link", name="Script").click()
    expect(page.locator("#whole-text")).to_contain_text("for n in 1 2 3")
    page.get_by_role("link", name="JSON").click()
    assert json.loads(page.locator("#whole-text").inner_text())["state"] == "completed"
    opened.open(f"/runs/{run}/tasks/broken?tab=error")
    expect(page.locator("#log-text")).to_contain_text("so it goes")


def test_a_run_is_cancelled_on_a_phone(shared: tuple[Lab, Served], browser: Browser) -> None:
    with window(browser, shared[1].url, viewport=PHONE, has_touch=True, is_mobile=True) as opened:
        opened.page.on("dialog", lambda dialog: dialog.accept())
        page = start(opened)
        assert opened.fits()
        page.locator("[data-act=cancel]").tap()
        # What had failed by then keeps its word.
        ended = "#run-head .state-cancelled, #run-head .state-failed"
        expect(page.locator(ended)).to_be_visible()
        assert opened.fits()
        assert opened.barriers() == []


def test_a_preview_that_fails_says_so_in_its_place(
    opened: Window, shared: tuple[Lab, Served]
) -> None:
    tasks = shared[0].tasks_file
    good = tasks.read_text(encoding="utf-8")
    tasks.write_text("{ no json", encoding="utf-8")
    opened.expected = ("422",)
    try:
        page = opened.open("/workflows")
        page.get_by_role("button", name="Preview study").click()
        expect(page.locator("#plan")).to_contain_text("not JSON")
        expect(page.locator("#plan .wait-mark")).to_have_count(0)
    finally:
        tasks.write_text(good, encoding="utf-8")
