"""Workflows and sources: what there is, previews, runs, and looking anew."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hopper.config.load import load
from hopper.operations.starting import planned_run
from hopper.store.state import StateStore
from tests.unit.web.pages.browsing import HTMX, JSON, Browser, a_home, browser

TASKS = [
    {"id": "prepare", "name": "prepare", "command": "echo <b>bold</b>"},
    {"id": "fit", "name": "fit", "command": "true", "deps": ["prepare"]},
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    files = tmp_path / "files"
    files.mkdir()
    (files / "plan.hut.json").write_text(json.dumps(TASKS))
    (tmp_path / "private.json").write_text(json.dumps(TASKS))
    return a_home(
        tmp_path,
        backends=[{"name": "here", "type": "worker"}],
        workflows=[
            {"name": "study", "backend": "here", "command": f"cat {files}/plan.hut.json"},
            {"name": "broken", "backend": "here", "command": "echo no tasks; exit 3"},
        ],
        sources=[
            {
                "name": "lab",
                "type": "path",
                "path": str(files),
                "backend": "here",
                "workflows_glob": "**/*.json",
            }
        ],
    )


@pytest.fixture
def web(home: Path) -> Iterator[Browser]:
    with browser(home) as found:
        yield found


def runs(home: Path) -> list[str]:
    with StateStore.open(load(home).paths.db, readonly=True) as store:
        return [run.workflow for run in store.runs.values()]


def test_workflows_are_listed_for_people_and_programs(web: Browser) -> None:
    assert 'data-workflow="study"' in web.get("/workflows").text
    names = [row["name"] for row in web.get("/workflows", JSON).json()]
    assert names == ["study", "broken"]


def test_a_preview_runs_nothing_until_the_page_itself_asks(web: Browser, home: Path) -> None:
    frame = web.get("/workflows/study/dry-run").text
    assert 'hx-trigger="load"' in frame
    assert "prepare" not in frame
    plan = web.get("/workflows/study/dry-run?most=3", HTMX).text
    assert "2 tasks" in plan
    assert "&lt;b&gt;bold" in plan
    assert runs(home) == []
    found = web.get("/workflows/study/dry-run?most=3", JSON).json()
    assert found["max_concurrent"] == 3
    assert [task["deps"] for task in found["tasks"]] == [[], ["prepare"]]


def test_another_site_cannot_have_a_preview_made(web: Browser) -> None:
    for headers in (HTMX, JSON):
        answer = web.get("/workflows/study/dry-run", {**headers, "Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403


def test_a_previews_scripts_come_on_demand(web: Browser) -> None:
    plan = web.get("/workflows/study/dry-run", HTMX).text
    address = plan.split('hx-get="')[1].split('"')[0].replace("&amp;", "&")
    assert web.get(address).text.startswith("#!")
    assert web.get("/plans/none/script?task=fit").status_code == 404


def test_a_workflow_is_run_by_whom_it_says_with_what_was_chosen(web: Browser, home: Path) -> None:
    answer = web.post("/workflows/study/run", most="2", no_cache="1")
    with StateStore.open(load(home).paths.db, readonly=True) as store:
        (run,) = store.runs.values()
        assert run.max_concurrent == 2
        assert all(job.no_cache for job in store.jobs.values())
        assert any(e.kind == "run_created" and e.data.get("by") for e in store.events())
    assert answer.headers["hx-redirect"] == f"/runs/{run.id}"
    assert web.get(f"/runs/{run.id}").status_code == 200


def test_programs_are_told_of_the_run(web: Browser) -> None:
    token = web.token()
    answer = web.send(
        "POST",
        "/workflows/study/run",
        headers={**JSON, "Origin": "http://localhost:8000", "X-CSRF-Token": token},
    )
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/runs/{answer.json()['run']}"


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/workflows/none/run", {}, 404),
        ("/workflows/lab:plan.hut.json/run", {}, 404),
        ("/workflows/private.json/run", {}, 404),
        ("/sources/lab/workflows/../private.json/run", {}, 422),
        ("/sources/lab/workflows/none.json/run", {}, 503),
        ("/sources/none/workflows/plan.hut.json/run", {}, 404),
        ("/workflows/study/run", {"most": "0"}, 422),
        ("/workflows/study/run", {"array": "maybe"}, 422),
        ("/workflows/broken/run", {}, 503),
        ("/sources/none/sync", {}, 404),
    ],
)
def test_what_cannot_be_run(
    web: Browser, home: Path, path: str, fields: dict[str, Any], status: int
) -> None:
    assert web.post(path.replace("..", "%2E%2E"), **fields).status_code == status
    assert runs(home) == []


def test_a_second_click_starts_no_second_run(
    web: Browser, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on = threading.Event(), threading.Event()
    real = planned_run

    def slowly(*args: object, **named: object) -> object:
        asked.set()
        assert go_on.wait(30)
        return real(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("hopper.web.planning.planned_run", slowly)
    first: list[int] = []
    clicking = threading.Thread(
        target=lambda: first.append(web.post("/workflows/study/run").status_code)
    )
    clicking.start()
    try:
        assert asked.wait(30)
        assert web.post("/workflows/study/run").status_code == 409
    finally:
        go_on.set()
        clicking.join(30)
    assert first == [200]
    assert runs(home) == ["study"]


def test_a_source_is_looked_at_and_its_files_are_run(web: Browser, home: Path) -> None:
    assert "Not looked at yet" in web.get("/sources").text
    assert web.post("/sources/lab/sync").status_code == 200
    assert "plan.hut.json" in web.get("/sources").text
    assert web.get("/api/sources").json()[0]["files"] == ["plan.hut.json"]
    assert web.get("/sources", JSON).json()[0]["name"] == "lab"
    listed = web.get("/sources/lab/workflows", JSON).json()
    assert [item["file"] for item in listed] == ["plan.hut.json"]
    assert "plan.hut.json" in web.get("/sources/lab/workflows").text
    assert "lab:plan.hut.json" in web.get("/workflows").text
    assert "2 tasks" in web.get("/sources/lab/workflows/plan.hut.json/dry-run", HTMX).text
    assert web.post("/sources/lab/workflows/plan.hut.json/run").status_code == 200
    assert runs(home) == ["lab:plan.hut.json"]


def test_a_source_that_is_gone_is_told(web: Browser, home: Path) -> None:
    folder = home.parent / "files"
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    assert web.post("/sources/lab/sync").status_code == 503
    assert "notice bad" in web.get("/sources").text
