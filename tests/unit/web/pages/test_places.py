"""Overview, workers, queue, events and settings."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from hopper.ansible.looks import Look
from hopper.ansible.roster import Reading
from hopper.config.load import load
from hopper.config.model import HopperConfig
from hopper.dispatch.changes import Changes
from hopper.model.event import Event, EventKind
from hopper.model.states import JobState
from hopper.model.worker import WorkerRecord
from hopper.store.state import StateStore
from hopper.web.pages import events as events_page
from hopper.web.places import LookTimes
from hopper.web.security.guard import local_person
from hopper.web.security.roles import Role
from tests.unit.web.following.states import T0, a_job, a_run, a_task
from tests.unit.web.pages.browsing import BASE, HTMX, JSON, Browser, a_home, browser

BACKEND = {"name": "cl", "type": "local", "max_concurrent": 4}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    record = WorkerRecord(
        name="w1", last_contact=T0, no_contact_since=T0, contact_error="<b>No route</b> to host"
    )
    tasks = [
        a_task("t1-aaaaaa", run="sweep-1", task="fit.1", state=JobState.COMPLETED),
        a_task("t2-aaaaaa", run="sweep-1", task="fit.2"),
    ]
    refused = replace(a_job("torn-aaaaaa", state=JobState.FAILED), reason="it is not a zip")
    changes = Changes(
        runs=(a_run("sweep-1"),),
        jobs=(
            *tasks,
            refused,
            a_job("live-aaaaaa", state=JobState.RUNNING, worker="w1"),
            a_job("late-aaaaaa", at=T0 + timedelta(hours=1)),
            a_job("early-aaaaaa", at=T0 - timedelta(hours=1)),
            a_job("held-aaaaaa", held=True),
        ),
        workers=(record,),
        events=tuple(
            Event(
                kind=EventKind.JOB_HELD if number % 10 == 0 else EventKind.JOB_PRIORITY,
                at=T0,
                job=f"job-{number % 3}",
                worker="w1" if number % 2 else None,
                reason=f"<i>reason {number}</i>",
                data={"by": "ada" if number % 5 == 0 else "bob"},
            )
            for number in range(1, 1201)
        ),
    )
    return a_home(tmp_path, changes, backends=[BACKEND])


@pytest.fixture
def client(home: Path) -> Iterator[Browser]:
    with browser(home) as found:
        yield found


# --- overview


def test_the_overview_shows_how_all_stands(client: Browser) -> None:
    page = client.get("/").text
    assert "no dispatcher" in page
    assert "hopper web --dispatch" in page
    assert "&lt;b&gt;No route&lt;/b&gt; to host" in page
    assert "1 of 2 slots" in page
    assert 'id="card-backend-cl"' in page
    assert 'id="run-sweep-1"' in page
    assert "it is not a zip" in page
    assert "Getting started" not in page
    part = client.get("/", headers=HTMX).text
    assert part.lstrip().startswith('<div id="overview-part"')


def test_an_empty_overview_tells_how_to_begin(tmp_path: Path) -> None:
    with browser(a_home(tmp_path)) as client:
        assert "Getting started" in client.get("/").text


def test_usage_is_told_in_words_too(client: Browser) -> None:
    assert "being counted" in client.get("/overview/usage").text
    client.run(client.site.following.count_usage)
    part = client.get("/overview/usage").text
    assert part.count("<title>") == 366 + 24
    assert "CPU hours by day over 12 months" in part


def test_when_runs_may_end(client: Browser) -> None:
    assert 'id="left-sweep-1"' in client.get("/overview/ends").text
    assert "1h" in client.get("/overview/ends").text


def test_dispatching_is_paused_and_resumed(home: Path, client: Browser) -> None:
    assert "nothing is launched" in client.post("/dispatch/pause").text
    assert "Resume dispatching" in client.get("/").text
    assert "Dispatching is paused" in client.get("/queue").text
    client.post("/dispatch/resume")
    assert "Pause dispatching" in client.get("/").text
    assert client.post("/dispatch/explode").status_code == 404


def test_an_inventory_that_cannot_be_read_takes_nothing_else_away(
    home: Path, client: Browser
) -> None:
    (home.parent / "inventory.yml").write_text("hopper_workers: [oh", encoding="utf-8")
    for path in ("/", "/workers"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "inventory.yml" in answer.text
        assert "cl" in answer.text


def test_the_next_look_is_counted_down_to() -> None:
    looks = LookTimes(busy=timedelta(seconds=10), idle=timedelta(minutes=15))
    seen = WorkerRecord(name="w1", last_contact=T0)
    assert looks.next(seen, busy=True) == T0 + timedelta(seconds=10)
    assert looks.next(seen, busy=False) == T0 + timedelta(minutes=15)
    backed_off = replace(seen, contact_not_before=T0 + timedelta(minutes=3))
    assert looks.next(backed_off, busy=True) == T0 + timedelta(minutes=3)
    assert looks.next(WorkerRecord(name="w2"), busy=False) is None


# --- workers


def test_workers_and_backends_are_listed(client: Browser) -> None:
    page = client.get("/workers").text
    assert "unreachable" in page
    assert 'href="/jobs/live-aaaaaa"' in page
    assert "hopper workers add" in page
    said = client.get("/workers", headers=JSON).json()
    assert [one["name"] for one in said["workers"]] == ["w1"]
    assert [one["name"] for one in said["backends"]] == ["cl"]


def test_a_worker_is_drained_and_resumed(home: Path, client: Browser) -> None:
    inventory = home.parent / "inventory.yml"
    answer = client.post("/workers/w1/drain")
    assert "w1 takes no new jobs; 1 are still on it" in answer.text
    host = yaml.safe_load(inventory.read_text(encoding="utf-8"))["hopper_workers"]["hosts"]["w1"]
    assert host["hopper_drained"] is True
    assert 'aria-label="Resume w1"' in client.get("/workers").text
    client.post("/workers/w1/resume")
    host = yaml.safe_load(inventory.read_text(encoding="utf-8"))["hopper_workers"]["hosts"]["w1"]
    assert not host.get("hopper_drained")
    with StateStore.open(load(home).paths.db, readonly=True) as store:
        told = [event for event in store.events(after=1200) if event.worker == "w1"]
    assert EventKind.WORKER_DRAINED in {event.kind for event in told}
    assert all(event.data["by"] for event in told)


def test_a_backend_is_paused_and_resumed(client: Browser) -> None:
    assert "cl is paused" in client.post("/backends/cl/pause").text
    assert 'aria-label="Resume cl"' in client.get("/workers").text
    assert "cl goes on" in client.post("/backends/cl/resume").text


@pytest.mark.parametrize(
    "path", ["/workers/w9/drain", "/workers/w1/explode", "/backends/no/pause", "/backends/cl/burn"]
)
def test_unknown_places_and_acts(client: Browser, path: str) -> None:
    assert client.post(path).status_code == 404


def test_viewers_see_and_change_nothing(home: Path) -> None:
    with browser(home) as client:
        client.site.guard.accounts.add("vera", Role.VIEWER, "x")
        assert client.get("/jobs").status_code == 303
        client.as_role(Role.VIEWER)
        assert client.get("/jobs").status_code == 200
        assert client.get("/settings").status_code == 403
        for path in ("/workers/w1/drain", "/dispatch/pause", "/jobs/changes", "/queue"):
            assert client.send("POST", path, data={"act": "hold"}).status_code == 403, path
        client.as_role(Role.OPERATOR)
        assert client.send("POST", "/dispatch/pause").status_code in {200, 303}
        assert client.get("/settings").status_code == 403


# --- queue


def test_the_queue_is_in_order_with_places(client: Browser) -> None:
    page = client.get("/queue").text
    places = [page.index(f">{job}-aaaaaa<") for job in ("early", "late", "held")]
    assert places == sorted(places)
    assert "it is not a zip" in page


def a_zip(**members: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name, content in members.items():
            made.writestr(name.replace("__", "."), content)
    return file.getvalue()


def upload(client: Browser, name: str, content: bytes, **fields: str) -> tuple[int, dict[str, Any]]:
    answer = client.send(
        "POST",
        "/queue",
        data=fields,
        files={"file": (name, content, "application/zip")},
        headers={"X-CSRF-Token": client.token(), "Origin": BASE, **JSON},
    )
    return answer.status_code, answer.json()


def test_a_zip_is_handed_in(home: Path, client: Browser) -> None:
    status, said = upload(
        client,
        "../../up load.zip",
        a_zip(run_job__sh="true\n"),
        priority="3",
        tags="gpu",
        env="A=1",
        hold="1",
    )
    assert status == 201, said
    (queued,) = said["queued"]
    with StateStore.open(load(home).paths.db, readonly=True) as store:
        job = store.jobs[queued["job"]]
    assert job.spec.priority == 3
    assert job.spec.env == {"A": "1"}
    assert job.held
    assert job.user == local_person().name
    assert f">{job.id}<" in client.get("/queue").text
    assert not any((load(home).paths.db / "uploads").iterdir())


@pytest.mark.parametrize(
    ("content", "fields", "status"),
    [
        (b"no zip", {}, 422),
        (a_zip(other="x"), {}, 422),
        (a_zip(run_job__sh="true"), {"time_limit": "soon"}, 422),
        (a_zip(run_job__sh="true"), {"backend": "nowhere"}, 422),
        (a_zip(run_job__sh="true") + b"x" * 3_000_000, {}, 413),
    ],
)
def test_what_is_not_fit_is_refused_and_leaves_nothing(
    home: Path, content: bytes, fields: dict[str, str], status: int
) -> None:
    said = yaml.safe_load(home.read_text(encoding="utf-8"))
    home.write_text(yaml.safe_dump({**said, "web": {"max_upload": "2 MB"}}), encoding="utf-8")
    with browser(home) as client:
        got, problem = upload(client, "job.zip", content, **fields)
        assert got == status, problem
        assert problem["detail"]
    uploads = load(home).paths.db / "uploads"
    assert not uploads.exists() or not any(uploads.iterdir())


# --- events


def shown(client: Browser, query: str = "") -> list[int]:
    said = client.get(f"/events{query}", headers=JSON).json()
    return [event["seq"] for event in said["events"]]


def test_events_come_newest_first_and_page_by_number(client: Browser) -> None:
    first = client.get("/events", headers=JSON).json()
    assert [event["seq"] for event in first["events"]] == list(range(1200, 1100, -1))
    assert first["older"] == 1101
    assert shown(client, "?before=1101")[0] == 1100
    assert shown(client, "?before=3") == [2, 1]
    assert "&lt;i&gt;reason 1200&lt;/i&gt;" in client.get("/events").text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?kind=job_held", [number for number in range(1200, 0, -1) if number % 10 == 0]),
        ("?job=job-1", [number for number in range(1200, 0, -1) if number % 3 == 1]),
        ("?worker=w1", [number for number in range(1200, 0, -1) if number % 2]),
        ("?by=ada", [number for number in range(1200, 0, -1) if number % 5 == 0]),
        ("?by=nobody", []),
    ],
)
def test_events_are_filtered(client: Browser, query: str, found: list[int]) -> None:
    assert shown(client, query) == found[:100]


def test_a_search_that_finds_little_goes_on_where_it_stopped(
    client: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_page, "FARTHEST", 100)
    monkeypatch.setattr(events_page, "STEP", 100)
    said = client.get("/events?by=nobody", headers=JSON).json()
    assert said == {"events": [], "older": 1101}
    assert "None among those down to number 1101" in client.get("/events?by=nobody").text


# --- settings


def test_settings_tell_what_is_in_force_without_secrets(home: Path) -> None:
    said = yaml.safe_load(home.read_text(encoding="utf-8"))
    source = {"name": "git", "type": "git", "url": "https://me:geheim@example.org/r.git"}
    said |= {
        "environments": [{"name": "lab", "variables": {"API_TOKEN": "geheim", "A": "geheim"}}],
        "sources": [{**source, "backend": "cl"}],
    }
    home.write_text(yaml.safe_dump(said), encoding="utf-8")
    with browser(home) as client:
        page = client.get("/settings").text
        assert "geheim" not in page
        assert "API_TOKEN" in page
        assert "https://••••••@example.org/r.git" in page
        assert str(home) in page
        assert "The file is right" in page
        home.write_text("nonsense: 1\n", encoding="utf-8")
        assert "nonsense" in client.get("/settings").text


def test_a_worker_is_set_up_from_its_page(client: Browser, home: Path) -> None:
    assert 'action="/workers/w1/setup"' not in client.get("/workers").text
    unready = WorkerRecord(name="w1", last_contact=T0, unready="no Inbox")
    with StateStore.open(load(home).paths.db) as store:
        store.commit(Changes(workers=(unready,)))
    assert 'action="/workers/w1/setup"' in client.get("/workers").text
    seen: list[bool] = []

    def look_at(_: HopperConfig, __: Reading, names: list[str], *, make: bool) -> list[Look]:
        seen.append(make)
        return [Look(worker=names[0])]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hopper.web.pages.workers.look_at", look_at)
        answer = client.post("/workers/w1/setup")
    assert (answer.status_code, seen) == (200, [True])
    assert "w1" in answer.text
    assert client.post("/workers/nobody/setup").status_code == 404
    client.as_role(Role.VIEWER)
    assert client.post("/workers/w1/setup").status_code == 403
