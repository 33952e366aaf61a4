"""Jobs from the browser alone: handed in, watched, cancelled, had again."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.conftest import Eventually
from tests.web.browser import Window, window
from tests.web.lab import Lab, Served

LONG = "#!/bin/sh\nwhile :; do sleep 1; done\n"
FAILS = "#!/bin/sh\necho it went wrong\nexit 3\n"


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, patience: Eventually
) -> Iterator[tuple[Lab, Served]]:
    """A lab that the tests of this module share, with its page."""
    lab = Lab(tmp_path_factory.mktemp("lab"), patience)
    with lab.serving() as page:
        yield lab, page


@pytest.fixture
def lab(shared: tuple[Lab, Served]) -> Lab:
    return shared[0]


@pytest.fixture
def opened(shared: tuple[Lab, Served], browser: Browser) -> Iterator[Window]:
    with window(browser, shared[1].url) as found:
        yield found


def zipped(folder: Path, name: str, script: str) -> Path:
    """Write a zip of a job and return where it is."""
    path = folder / f"{name}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("run_job.sh", script)
    return path


def yes(dialog: Dialog) -> None:
    dialog.accept()


def test_a_zip_from_the_browser_to_its_results(opened: Window, tmp_path: Path) -> None:
    page = opened.open("/queue")
    script = "#!/bin/sh\necho calculating\nmkdir -p results\necho 42 > results/answer.txt\n"
    page.locator("input[name=file]").set_input_files(zipped(tmp_path, "from-browser", script))
    page.get_by_role("button", name="Queue them").click()
    page.locator("#uploads a").first.click()
    expect(page.locator("h1")).to_contain_text("from-browser")
    # No reload: the page follows the job by itself.
    expect(page.locator(".state-completed").first).to_be_visible()
    with page.expect_download() as download:
        page.locator("a[download]").first.click()
    got = tmp_path / "result.zip"
    download.value.save_as(got)
    with zipfile.ZipFile(got) as archive:
        names = {Path(name).name: name for name in archive.namelist()}
        assert archive.read(names["answer.txt"]) == b"42\n"


def test_an_open_page_follows_what_happens(opened: Window, lab: Lab) -> None:
    page = opened.open("/jobs")
    expect(page.locator("#live[data-state=live]")).to_be_visible()
    page.evaluate("window.stayed = true")
    job = lab.submit_folder("seen-live", "#!/bin/sh\necho hello\n")
    row = page.locator(f"#job-{job}")
    expect(row.locator(".state-completed")).to_be_visible()
    assert page.evaluate("window.stayed") is True


def test_a_job_is_cancelled_and_had_again(opened: Window, lab: Lab) -> None:
    job = lab.submit_folder("goes-on", LONG)
    page = opened.open("/jobs")
    page.on("dialog", yes)
    row = page.locator(f"#job-{job}")
    expect(row.locator(".state-running")).to_be_visible()
    row.locator(".act-cancel").click()
    expect(row.locator(".state-cancelled")).to_be_visible()
    row.locator(".act-requeue").click()
    expect(row.locator(".state-running")).to_be_visible()
    row.locator(".act-cancel").click()
    expect(row.locator(".state-cancelled")).to_be_visible()
    assert lab.state_of(job) == "cancelled"
    events = lab.hopper("events", "--job", job, "--json")
    assert '"by"' in events


def focused(page: Page) -> str:
    """Return what the element is called that has the focus."""
    return str(page.evaluate("document.activeElement.getAttribute('aria-label')"))


def test_the_keyboard_stays_where_it_was(opened: Window, lab: Lab, eventually: Eventually) -> None:
    page = opened.open("/jobs")
    expect(page.locator("#live[data-state=live]")).to_be_visible()
    job = lab.hopper("submit", "--tag", "no-such-tag", "--name", "keyed", "--", "true").strip()
    page.locator(f"#job-{job} .act-hold").focus()
    # The whole list comes anew, and then the row, with another button in the place of this one.
    other = lab.submit_folder("beside-it", "#!/bin/sh\ntrue\n")
    expect(page.locator(f"#job-{other}")).to_be_visible()
    eventually(lambda: focused(page) == f"Hold {job}", within=60)
    page.keyboard.press("Enter")
    expect(page.locator(f"#job-{job} .state-held")).to_be_visible()
    eventually(lambda: focused(page) == f"Release {job}", within=60)
    # Who leaves it is not taken back.
    page.locator("h1").click()
    third = lab.submit_folder("after-it", "#!/bin/sh\ntrue\n")
    expect(page.locator(f"#job-{third} .state-completed")).to_be_visible()
    assert focused(page) != f"Release {job}"


def test_why_a_job_waits(opened: Window, lab: Lab) -> None:
    folder = lab.folder / "jobs" / "waits"
    folder.mkdir(parents=True)
    (folder / "run_job.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    job = lab.hopper("submit", "--tag", "no-such-tag", str(folder)).strip()
    page = opened.open("/jobs?state=pending")
    page.locator(f"#job-{job}").get_by_text("why?").click()
    expect(page.locator("dialog[open]")).to_contain_text("no-such-tag")
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_what_a_failed_job_has_said(opened: Window, lab: Lab) -> None:
    job = lab.submit_folder("fails", FAILS)
    lab.wait_for(job, "failed")
    page = opened.open(f"/jobs/{job}")
    expect(page.locator("body")).to_contain_text("exit code 3")


def test_filters_find_jobs_and_stay_in_the_address(opened: Window, lab: Lab) -> None:
    mine = lab.submit_folder("needle-in-hay", "#!/bin/sh\n")
    other = lab.submit_folder("just-hay", "#!/bin/sh\n")
    lab.wait_for(mine, "completed")
    lab.wait_for(other, "completed")
    page = opened.open("/jobs")
    expect(page.locator(f"#job-{other}")).to_be_visible()
    page.locator("#jobs-text").fill("needle")
    expect(page.locator(f"#job-{other}")).to_have_count(0)
    expect(page.locator(f"#job-{mine}")).to_be_visible()
    assert "text=needle" in page.url
    page.reload()
    expect(page.locator(f"#job-{mine}")).to_be_visible()
    expect(page.locator(f"#job-{other}")).to_have_count(0)


def test_light_and_dark_by_a_click_and_for_good(opened: Window) -> None:
    page = opened.open("/jobs")
    background = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(background)
    page.locator("[data-theme-switch]").click()
    dark = page.evaluate(background)
    assert light != dark
    opened.open("/queue")
    assert page.evaluate(background) == dark


def test_all_by_the_keyboard(opened: Window, lab: Lab) -> None:
    page = opened.open("/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    names = page.locator("header.bar nav a")
    names.nth(1).focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Jobs")
