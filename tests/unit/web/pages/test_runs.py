"""The list of runs, a run's page with its tabs and fragments, and what is done to runs there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hopper.config.load import load
from hopper.dispatch.changes import Changes
from hopper.model.job import Job
from hopper.model.places import task_folder
from hopper.model.run import GitVersion
from hopper.model.states import JobState
from hopper.store.state import StateStore
from tests.unit.web.following.states import T0, a_run, a_task
from tests.unit.web.pages.browsing import HTMX, JSON, Browser, a_home, browser

HOSTILE = "<img src=x onerror=alert(1)>"


def ended(job: Job) -> Job:
    return replace(job, state=JobState.COMPLETED, reason="")


def the_jobs() -> tuple[Job, ...]:
    failed = a_task("bad-aaaaaa", run="sweep-1", task="fit.7", state=JobState.FAILED)
    lost = a_task("lost-aaaaaa", run="sweep-1", task="report", state=JobState.DEP_FAILED)
    return (
        a_task("good-aaaaaa", run="sweep-1", task="fit.1", state=JobState.COMPLETED),
        replace(failed, reason="exit code 3"),
        replace(
            lost,
            attempts=(),
            reason="fit.7 failed",
            spec=replace(lost.spec, after=("bad-aaaaaa",)),
        ),
        a_task("live-aaaaaa", run="busy-1", task="one", state=JobState.RUNNING),
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    git = GitVersion(repo="https://example.org/x.git", branch="main", sha="ab" * 20)
    runs = (
        replace(a_run("sweep-1"), git=git, description=HOSTILE, warnings=("odd",)),
        replace(a_run("busy-1", user="bob"), workflow="other", created_at=T0 + timedelta(hours=2)),
    )
    path = a_home(tmp_path, Changes(runs=runs, jobs=the_jobs()))
    config = load(path)
    folder = task_folder(config.paths.inbox, the_jobs()[1])
    folder.mkdir(parents=True)
    (folder / ".hopper-attempt").write_text("bad-aaaaaa-1\n")
    (folder / "stderr.log").write_text("first\n\x1b[31mno such\x1b[0m <b>file</b>\n")
    return path


@pytest.fixture
def web(home: Path) -> Iterator[Browser]:
    with browser(home) as found:
        yield found


def test_runs_are_listed_the_newest_first_with_their_counts(web: Browser) -> None:
    page = web.get("/runs").text
    assert page.index('id="run-busy-1"') < page.index('id="run-sweep-1"')
    assert "1 / <span" in page
    listed = web.get("/runs", JSON).json()
    assert [(run["id"], run["state"], run["tasks"]) for run in listed["runs"]] == [
        ("busy-1", "running", 1),
        ("sweep-1", "failed", 3),
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=running", ["busy-1"]),
        ("workflow=sweep", ["sweep-1"]),
        ("user=bob", ["busy-1"]),
        ("backend=none", []),
        ("page=2", []),
    ],
)
def test_runs_are_filtered(web: Browser, query: str, found: list[str]) -> None:
    listed = web.get(f"/runs?{query}", JSON).json()["runs"]
    assert [run["id"] for run in listed] == found
    part = web.get(f"/runs?{query}", HTMX).text
    assert part.lstrip().startswith('<div id="runs-part"')


def test_a_run_of_the_history_is_listed_and_shown_where_asked(home: Path) -> None:
    with StateStore.open(load(home).paths.db) as store:
        store.maintain(T0 + timedelta(days=900), keep=timedelta(days=1))
        gone = "sweep-1" not in store.runs
    with browser(home) as web:
        assert gone
        web.site.following.past.bring_up_to_date()
        assert "sweep-1" not in web.get("/runs").text
        assert "sweep-1" in web.get("/runs?history=1").text
        assert "of the history" in web.get("/runs/sweep-1").text
        assert "fit.7" in web.get("/runs/sweep-1/items?group=fit", HTMX).text
        assert web.post("/runs/sweep-1/cancel").status_code == 409
        assert web.post("/runs/sweep-1/delete").status_code == 200
        assert web.get("/runs/sweep-1").status_code == 404


def test_a_runs_page_tells_how_far_it_is_and_leads_to_its_groups(web: Browser) -> None:
    page = web.get("/runs/sweep-1").text
    assert "<strong>1</strong> of 3 completed" in page
    assert 'data-group="fit"' in page
    assert 'data-group="tasks"' in page
    assert "sse-connect" in page
    assert HOSTILE not in page
    assert "of 3 completed" in web.get("/runs/sweep-1/head", HTMX).text
    only = web.get("/runs/sweep-1?state=dep_failed", HTMX).text
    assert 'data-group="fit"' not in only
    assert web.get("/runs/sweep-1", JSON).json()["counts"]["failed"] == 1


def test_a_failed_row_has_its_cause_and_the_end_of_what_it_said(web: Browser) -> None:
    rows = web.get("/runs/sweep-1/items?group=fit", HTMX).text
    assert "exit code 3" in rows
    assert "no such &lt;b&gt;file&lt;/b&gt;" in rows
    assert "\x1b" not in rows
    rest = web.get("/runs/sweep-1/items?group=tasks", HTMX).text
    assert "fit.7 failed" in rest
    items = web.get("/runs/sweep-1/items?state=dep_failed", JSON).json()
    assert [(item["task"], item["deps"]) for item in items["items"]] == [("report", ["fit.7"])]


@pytest.mark.parametrize("tab", ["gantt", "details", "gantt&deps=1", "gantt&group=fit"])
def test_each_tab_is_a_page_and_a_part(web: Browser, tab: str) -> None:
    assert "<h1>sweep-1</h1>" in web.get(f"/runs/sweep-1?tab={tab}").text
    part = web.get(f"/runs/sweep-1?tab={tab}", HTMX).text
    assert part.lstrip().startswith('<div id="run-part"')
    assert ("<svg" in part) == tab.startswith("gantt")
    assert ("ab" * 20 in part) == (tab == "details")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/runs/none", 404),
        ("/runs/none/items", 404),
        ("/runs/none/facts", 404),
        ("/runs/sweep-1?tab=no", 422),
        ("/runs/sweep-1?state=no", 422),
        ("/runs/sweep-1?page=0", 422),
    ],
)
def test_what_is_not_there_and_what_makes_no_sense_is_told(
    web: Browser, path: str, status: int
) -> None:
    assert web.get(path, JSON).status_code == status


def test_facts_come_apart(web: Browser) -> None:
    assert web.get("/runs/sweep-1/facts", HTMX).status_code == 200
    assert web.get("/runs/sweep-1/manifest").json()["id"] == "sweep-1"


def test_a_run_is_cancelled_by_whom_it_says(web: Browser, home: Path) -> None:
    answer = web.post("/runs/busy-1/cancel", page="/runs/busy-1")
    assert answer.status_code == 200
    assert "1 task cancelled" in answer.text
    with StateStore.open(load(home).paths.db, readonly=True) as store:
        assert store.runs["busy-1"].cancelled
        assert [e.data["by"] for e in store.events() if e.kind == "run_cancelled"]


def test_failed_tasks_are_run_again_and_without_what_was_kept(web: Browser, home: Path) -> None:
    answer = web.post("/runs/sweep-1/rerun-failed", part=False, no_cache="1")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/runs/sweep-1"
    with StateStore.open(load(home).paths.db, readonly=True) as store:
        assert store.jobs["good-aaaaaa"].state == "completed"
        assert store.jobs["bad-aaaaaa"].state == "pending"
        assert store.jobs["bad-aaaaaa"].no_cache
    assert web.post("/runs/none/rerun").status_code == 404


def test_a_task_is_run_again(web: Browser, home: Path) -> None:
    assert web.post("/runs/sweep-1/tasks/fit.7/change", act="requeue").status_code == 200
    with StateStore.open(load(home).paths.db, readonly=True) as store:
        assert store.jobs["bad-aaaaaa"].state == "pending"
    assert web.post("/runs/sweep-1/tasks/fit.7/change", act="explode").status_code == 422


def test_only_what_has_ended_is_deleted(web: Browser, home: Path) -> None:
    assert web.post("/runs/busy-1/delete").status_code == 409
    answer = web.post("/runs/sweep-1/delete", results="1")
    assert answer.headers["hx-redirect"] == "/runs"
    assert web.get("/runs/sweep-1").status_code == 404
    assert not (load(home).paths.inbox / "sweep-1").exists()


def test_a_run_of_a_thousand_tasks_stays_small(tmp_path: Path) -> None:
    jobs = [
        a_task(f"job-{n:06}", run="big-1", task=f"g{n % 20}.{n}", state=JobState.COMPLETED)
        for n in range(1000)
    ]
    path = a_home(tmp_path, Changes(runs=(a_run("big-1"),), jobs=tuple(jobs)))
    with browser(path) as web:
        for query in ("", "?tab=gantt", "?tab=gantt&group=g3"):
            assert len(web.get(f"/runs/big-1{query}").content) < 300_000
        rows = web.get("/runs/big-1/items", HTMX)
        assert len(rows.content) < 300_000
        assert rows.text.count("<tr id=") == 100
        assert "page 1 of 10" in rows.text


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("/queues", "/runs"),
        ("/queues/a-1/items?page=2", "/runs/a-1/items?page=2"),
        ("/queues/a-1/tasks/x%20y%3F/logs/error", "/runs/a-1/tasks/x%20y%3F/logs/error"),
        ("/task-sources", "/workflows"),
        ("/task-sources/study/dry-run", "/workflows/study/dry-run"),
    ],
)
def test_older_names_lead_to_the_newer(web: Browser, older: str, newer: str) -> None:
    answer = web.get(older)
    assert (answer.status_code, answer.headers["location"]) == (308, newer)


def test_a_post_to_an_older_name_stays_one(web: Browser) -> None:
    assert web.post("/queues/busy-1/cancel").status_code == 308


def test_older_names_lead_nowhere_else(web: Browser) -> None:
    for path in ("/queues//evil.example", "/queues/%2F%2Fevil.example"):
        assert web.get(path).headers["location"].startswith("/runs/")
