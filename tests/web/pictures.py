"""The pictures of the documentation: `python -m tests.web.pictures [FOLDER]`.

A made-up lab in the browser, as it looks while a dispatcher runs.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from bench.web_state import make_state
from hopper.bootstrap.state import DISPATCH_COMMAND
from hopper.config.load import load
from hopper.dispatch.changes import Changes
from hopper.model.attempt import Attempt
from hopper.model.job import Job, JobSpec
from hopper.model.states import JobState
from hopper.model.worker import WorkerRecord
from hopper.store.lock import StateLock
from hopper.store.state import StateStore
from tests.conftest import waited
from tests.web.browser import DESK, launch
from tests.web.lab import serving_in

BOXES = ("box-1", "box-2", "gpu-1")
WIDE = {"width": 1280, "height": 860}
SMALL = {"width": 390, "height": 844}


def lab(folder: Path) -> Path:
    """Fill a folder with a made-up lab and return its config."""
    config = make_state(folder, runs=9, tasks=240, history=30_000)
    workers = "".join(
        f"  - {{name: {name}, host: 127.0.0.1, user: lab, "
        "inbox_dir: /home/lab/Inbox, outbox_dir: /home/lab/Outbox}\n"
        for name in BOXES
    )
    text = config.read_text(encoding="utf-8")
    rest = text[text.index("backends:") :]
    config.write_text(f"workers:\n{workers}{rest}", encoding="utf-8")
    now = datetime.now(UTC)
    seen = WorkerRecord(name="", last_contact=now - timedelta(seconds=4), free_bytes=512 * 10**9)
    records = [replace(seen, name=name) for name in (*BOXES[:2], "hpc")]
    away = replace(
        seen,
        name="gpu-1",
        last_contact=now - timedelta(minutes=12),
        no_contact_since=now - timedelta(minutes=11),
        contact_error="connection timed out",
        contact_not_before=now + timedelta(minutes=4),
    )
    with StateStore.open(folder / "db") as store:
        store.commit(Changes(workers=(*records, away), jobs=tuple(_zips(now))))
    return config


def _zips(now: datetime) -> list[Job]:
    def job(number: int, name: str, state: JobState, worker: str = "", reason: str = "") -> Job:
        attempt = Attempt(
            id=f"z{number:09d}",
            number=1,
            worker=worker,
            intended_at=now - timedelta(minutes=40),
            started_at=now - timedelta(minutes=40),
        )
        return Job(
            id=f"{name}-{number:06d}",
            spec=JobSpec(name=name),
            state=state,
            submitted_at=now - timedelta(minutes=41),
            state_since=now - timedelta(minutes=40),
            zip_name=f"{name}.zip",
            user="alice",
            reason=reason,
            attempts=(attempt,) if worker else (),
        )

    return [
        job(1, "train-resnet", JobState.RUNNING, "box-1"),
        job(2, "evaluate", JobState.RUNNING, "gpu-1"),
        job(3, "train-large", JobState.PENDING),
    ]


def shoot(
    browser: Browser, url: str, folder: Path, name: str, *awaited: str, **options: Any
) -> None:
    """Take the picture of a page once all of those selectors are there."""
    context = browser.new_context(**{"viewport": DESK, **options})
    page = context.new_page()
    page.goto(url)
    page.locator("#live[data-state=live]").wait_for()
    page.wait_for_load_state("load")
    page.wait_for_load_state("domcontentloaded")
    for selector in awaited:
        page.locator(selector).first.wait_for()
    page.screenshot(path=str(folder / f"{name}.png"))
    context.close()


def main(folder: Path) -> None:
    """Take all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        config = lab(Path(place))
        lock = StateLock.acquire(load(config).paths.db, command=DISPATCH_COMMAND)
        browser = launch(playwright)
        with serving_in(Path(place), waited) as served:
            run = f"{served.url}/runs/sweep-000008"
            shoot(
                browser,
                f"{served.url}/",
                folder,
                "overview",
                "#overview-usage svg rect",
                viewport=WIDE,
            )
            shoot(browser, f"{served.url}/jobs", folder, "jobs-dark", color_scheme="dark")
            shoot(browser, run, folder, "run", "tr[id^=job-]", viewport=WIDE)
            shoot(browser, f"{run}?tab=gantt", folder, "gantt", ".gantt svg", viewport=WIDE)
            shoot(browser, f"{served.url}/", folder, "overview-phone", viewport=SMALL)
        browser.close()
        lock.release()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/images"))
