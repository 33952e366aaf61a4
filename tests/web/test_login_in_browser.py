"""Logging in, and what each role sees, in the browser."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.person import SECONDS
from tests.conftest import Eventually
from tests.web.browser import PHONE, Window, window
from tests.web.lab import Lab, Served

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, patience: Eventually
) -> Iterator[tuple[Lab, Served]]:
    """A lab with a person of each role, and a job that waits."""
    lab = Lab(tmp_path_factory.mktemp("lab"), patience)
    for role in ("viewer", "operator", "admin"):
        subprocess.run(
            ["hopper", "web", "user", "add", role, "--role", role, "--password-stdin"],
            cwd=lab.folder,
            env=lab.environment,
            input=f"{PASSWORD}\n",
            text=True,
            check=True,
            timeout=SECONDS,
            capture_output=True,
        )
    lab.submit_folder("waits", "#!/bin/sh\n")
    with lab.serving(dispatch=False) as page:
        yield lab, page


def log_in(opened: Window, name: str, password: str = PASSWORD) -> None:
    page = opened.open("/jobs")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


@pytest.mark.parametrize("options", [{}, {"viewport": PHONE, "color_scheme": "dark"}])
def test_the_way_in_and_out(
    shared: tuple[Lab, Served], browser: Browser, options: dict[str, object]
) -> None:
    with window(browser, shared[1].url, **options) as opened:
        opened.expected = ("401", "status of 4")
        log_in(opened, "admin", "wrong")
        expect(opened.page.get_by_role("alert")).to_be_visible()
        assert opened.barriers() == []
        assert opened.fits()
        log_in(opened, "admin")
        expect(opened.page.locator("h1")).to_have_text("Jobs")
        opened.page.get_by_title("Log out").click()
        opened.open("/jobs")
        expect(opened.page.get_by_label("Password")).to_be_visible()


def test_a_viewer_sees_and_changes_nothing(shared: tuple[Lab, Served], browser: Browser) -> None:
    with window(browser, shared[1].url) as opened:
        opened.expected = ("status of 403",)
        log_in(opened, "viewer")
        expect(opened.page.locator("#jobs-rows")).to_contain_text("waits")
        assert opened.page.locator("button:visible", has_text="Cancel").count() == 0
        assert opened.page.locator(".rowacts button:visible").count() == 0
        opened.open("/settings")
        expect(opened.page.locator("body")).not_to_contain_text("paths.db")


def test_an_operator_holds_a_job_under_their_name(
    shared: tuple[Lab, Served], browser: Browser
) -> None:
    lab, served = shared
    with window(browser, served.url) as opened:
        log_in(opened, "operator")
        opened.page.locator(".act-hold").first.click()
        expect(opened.page.locator(".state-held").first).to_be_visible()
    assert '"by": "operator"' in lab.hopper("events", "--json")
