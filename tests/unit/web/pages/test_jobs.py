"""The list of jobs, a job's page, and what is done to jobs there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hopper.config.load import load
from hopper.dispatch.changes import Changes
from hopper.model.attempt import ResultFile
from hopper.model.states import JobState
from hopper.store.state import StateStore
from hopper.web.pages.job_filter import ROWS
from tests.unit.web.following.states import T0, a_job, a_run, a_task, somebodys
from tests.unit.web.pages.browsing import HTMX, JSON, Browser, a_home, browser

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    done = a_job("done-aaaaaa", state=JobState.COMPLETED, worker="w1")
    result = ResultFile(name="done-aaaaaa-1.zip", size=4, sha256="0" * 64)
    away = ResultFile(name="moved.zip", size=4, sha256="0" * 64)
    done = replace(done, attempts=(replace(done.attempts[0], results=(result, away)),))
    changes = Changes(
        runs=(a_run("sweep-1"),),
        jobs=(
            a_job("wait-aaaaaa", tags=("gpu",), name=HOSTILE, at=T0 + timedelta(minutes=1)),
            a_job("held-aaaaaa", held=True),
            a_job("live-aaaaaa", state=JobState.RUNNING, worker="w1"),
            done,
            replace(a_job("bad-aaaaaa", state=JobState.FAILED, worker="w1"), reason="exit code 3"),
            a_task("task-aaaaaa", run="sweep-1", task="fit.1", state=JobState.RUNNING),
        ),
        externals=(somebodys(7),),
    )
    path = a_home(tmp_path, changes)
    inbox = load(path).paths.inbox
    inbox.mkdir(parents=True)
    (inbox / "done-aaaaaa-1.zip").write_bytes(b"ours")
    return path


@pytest.fixture
def client(home: Path) -> Iterator[Browser]:
    with browser(home) as found:
        yield found


def ids(client: Browser, query: str = "") -> list[str]:
    answer = client.get(f"/jobs{query}", headers=JSON)
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()["jobs"]]


def test_all_live_jobs_are_listed_the_newest_first(client: Browser) -> None:
    assert ids(client)[0] == "wait-aaaaaa"
    assert set(ids(client)) == {
        *("wait-aaaaaa", "held-aaaaaa", "live-aaaaaa", "done-aaaaaa", "bad-aaaaaa"),
        *("task-aaaaaa", "cl/7"),
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?state=failed", {"bad-aaaaaa"}),
        ("?state=failed&state=completed", {"bad-aaaaaa", "done-aaaaaa"}),
        ("?run=sweep-1", {"task-aaaaaa"}),
        ("?workflow=sweep", {"task-aaaaaa"}),
        ("?user=eve", {"cl/7"}),
        ("?backend=cl", {"cl/7", "task-aaaaaa"}),
        ("?backend=w1&state=running", {"live-aaaaaa"}),
        ("?text=IMG", {"wait-aaaaaa"}),
        ("?tag=gpu", {"wait-aaaaaa"}),
        ("?tag=gpu,cpu", set()),
        ("?origin=cluster", {"cl/7"}),
        ("?state=nonsense", set()),
    ],
)
def test_filters(client: Browser, query: str, found: set[str]) -> None:
    assert set(ids(client, query)) == found


def test_sorting_turns_around(client: Browser) -> None:
    rising = ids(client, "?sort=id&order=asc")
    assert rising == sorted(rising)
    assert ids(client, "?sort=id&order=desc") == rising[::-1]
    page = client.get("/jobs?sort=id&order=asc").text
    assert 'aria-sort="ascending"' in page
    assert "/jobs?sort=id&amp;order=desc" in page


@pytest.mark.parametrize("query", ["?sort=nonsense", "?page=0", "?page=x", f"?text={'x' * 300}"])
def test_what_makes_no_sense_is_refused(client: Browser, query: str) -> None:
    answer = client.get(f"/jobs{query}", headers=JSON)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_names_are_never_markup(client: Browser) -> None:
    for path in ("/jobs", "/jobs/wait-aaaaaa", "/queue", "/"):
        page = client.get(path).text
        assert "<img src=x" not in page, path
    assert "&lt;img src=x" in client.get("/jobs").text


def test_htmx_gets_the_list_alone(client: Browser) -> None:
    part = client.get("/jobs?state=failed", headers=HTMX).text
    assert part.lstrip().startswith('<div id="jobs-part"')
    assert "<html" not in part
    assert "exit code 3" in part


def test_pages_are_cut_on_the_server(tmp_path: Path) -> None:
    jobs = tuple(a_job(f"job-{n:06d}", at=T0 + timedelta(seconds=n)) for n in range(ROWS + 5))
    with browser(a_home(tmp_path, Changes(jobs=jobs))) as client:
        first = client.get("/jobs", headers=JSON).json()
        assert [len(first["jobs"]), first["total"]] == [ROWS, ROWS + 5]
        rest = client.get(first["next"], headers=JSON).json()
        assert [job["id"] for job in rest["jobs"]] == [f"job-{n:06d}" for n in range(4, -1, -1)]
        assert rest["next"] is None
        assert "page 1 of 2" in client.get("/jobs").text


def test_only_ones_own_jobs(client: Browser) -> None:
    everything = len(ids(client))
    answer = client.post("/filter/toggle", part=False)
    assert answer.status_code == 303
    assert ids(client) == []
    assert 'aria-pressed="true"' in client.get("/jobs").text
    client.post("/filter/toggle", part=False)
    assert len(ids(client)) == everything


def state_of(home: Path, job: str) -> tuple[JobState, bool, int]:
    with StateStore.open(load(home).paths.db, readonly=True) as store:
        found = store.jobs[job]
        return found.state, found.held, found.spec.priority


def test_a_row_is_acted_on(home: Path, client: Browser) -> None:
    answer = client.post("/jobs/changes", act="hold:wait-aaaaaa")
    assert answer.status_code == 200, answer.text
    assert answer.headers["HX-Trigger"] == "changed"
    assert state_of(home, "wait-aaaaaa") == (JobState.PENDING, True, 0)
    client.post("/jobs/changes", act="release:wait-aaaaaa")
    assert state_of(home, "wait-aaaaaa") == (JobState.PENDING, False, 0)


def test_the_chosen_are_acted_on_and_refusals_are_told(home: Path, client: Browser) -> None:
    answer = client.post(
        "/jobs/changes", act="cancel", jobs=["wait-aaaaaa", "held-aaaaaa", "done-aaaaaa"]
    )
    assert "2 jobs: cancelled" in answer.text
    assert "done-aaaaaa is completed already" in answer.text
    assert state_of(home, "held-aaaaaa")[0] is JobState.CANCELLED


def test_priority(home: Path, client: Browser) -> None:
    client.post("/jobs/changes", act="priority", priority="7", jobs=["wait-aaaaaa"])
    assert state_of(home, "wait-aaaaaa")[2] == 7
    for wrong in ("", "high", "99999999"):
        answer = client.post("/jobs/changes", act="priority", priority=wrong, jobs=["wait-aaaaaa"])
        assert answer.status_code == 422


def test_without_scripts_one_comes_back_to_the_list(client: Browser) -> None:
    answer = client.post("/jobs/changes", part=False, act="hold:wait-aaaaaa")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/jobs"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"act": "cancel:done-aaaaaa"}, 409),
        ({"act": "cancel:nobody-aaaaaa"}, 404),
        ({"act": "cancel"}, 422),
        ({"act": "explode:wait-aaaaaa"}, 422),
        ({}, 422),
    ],
)
def test_what_cannot_be_done_is_told(client: Browser, fields: dict[str, Any], status: int) -> None:
    answer = client.post("/jobs/changes", **fields)
    assert answer.status_code == status, answer.text


def test_a_change_needs_its_token(client: Browser) -> None:
    client.get("/jobs")
    answer = client.send("POST", "/jobs/changes", data={"act": "cancel:wait-aaaaaa"})
    assert answer.status_code == 403


def test_why_a_job_waits(client: Browser) -> None:
    part = client.get("/jobs/held-aaaaaa/explain", headers=HTMX)
    assert "held" in part.text
    assert "<html" not in part.text
    assert "<html" in client.get("/jobs/held-aaaaaa/explain").text
    assert client.get("/jobs/nobody-aaaaaa/explain").status_code == 404


def test_a_jobs_page(client: Browser) -> None:
    page = client.get("/jobs/bad-aaaaaa").text
    assert "exit code 3" in page
    assert 'value="requeue:bad-aaaaaa"' in page
    assert 'value="cancel:bad-aaaaaa"' not in page
    assert client.get("/jobs/bad-aaaaaa", headers=JSON).json()["state"] == "failed"
    assert client.get("/jobs/nobody-aaaaaa").status_code == 404
    assert client.get("/jobs/bad").status_code == 404


def test_a_jobs_page_has_its_output(home: Path, client: Browser) -> None:
    page = client.get("/jobs/done-aaaaaa").text
    assert 'id="log-text"' in page
    assert 'href="/jobs/done-aaaaaa/logs?attempt=1"' in page
    assert 'id="log-text"' not in client.get("/jobs/done-aaaaaa", headers=HTMX).text
    for job in ("wait-aaaaaa", "live-aaaaaa"):
        assert 'id="log-text"' not in client.get(f"/jobs/{job}").text
    assert 'href="/jobs/live-aaaaaa/logs"' in client.get("/jobs/live-aaaaaa").text


def test_who_makes_a_change_sees_it_next(client: Browser) -> None:
    client.post("/jobs/changes", act="hold:wait-aaaaaa")
    assert client.site.following.index.rows["wait-aaaaaa"].held


def test_a_job_of_a_cluster(client: Browser) -> None:
    assert "/jobs/external/cl/7" in client.get("/jobs").text
    assert "did not submit" in client.get("/jobs/external/cl/7").text
    assert client.get("/jobs/external/cl/8").status_code == 404


def test_results_are_attachments_and_nothing_else_is_sent(home: Path, client: Browser) -> None:
    answer = client.get("/jobs/done-aaaaaa/results/done-aaaaaa-1.zip")
    assert answer.content == b"ours"
    assert answer.headers["content-disposition"].startswith("attachment")
    inbox = load(home).paths.inbox
    (inbox / "other.zip").write_bytes(b"another's")
    (inbox / "moved.zip").symlink_to(home)
    for name in ("other.zip", "moved.zip", "%2e%2e%2fhopper.yaml", "..%2f..%2fhopper.yaml"):
        assert client.get(f"/jobs/done-aaaaaa/results/{name}").status_code == 404, name
