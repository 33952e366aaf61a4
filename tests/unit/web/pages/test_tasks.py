"""A task's page, its logs, script and results; a job's log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hopper.config.load import load
from hopper.dispatch.changes import Changes
from hopper.model.attempt import Outcome, ResultFile
from hopper.model.job import Job
from hopper.model.places import task_folder
from hopper.model.states import JobState
from hopper.operations.log_asking import NoContact
from hopper.web.downloads import attachment
from hopper.web.far_logs import FarLogs
from hopper.web.pages.logs import SHOWN
from tests.unit.web.following.states import a_job, a_run, a_task
from tests.unit.web.pages.browsing import HTMX, JSON, Browser, a_home, browser

TEXT = {"Accept": "text/plain"}
LONG = b"".join(b"line %7d\n" % number for number in range(60_000))
HOSTILE = "<script>alert(1)</script>"


def a_failed(task: str, job_id: str) -> Job:
    job = a_task(job_id, run="sweep-1", task=task, state=JobState.FAILED)
    attempts = tuple(replace(one, outcome=Outcome.FAILED, log_bytes=0) for one in job.attempts)
    return replace(job, attempts=attempts, reason="exit code 3")


def results_of(*names: str) -> tuple[ResultFile, ...]:
    return tuple(ResultFile(name=name, size=3, sha256="0" * 64) for name in names)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    bad = a_failed("fit.7", "bad-aaaaaa")
    inside = f"{task_folder(Path(), bad)}/out.csv"
    listed = results_of(inside, "link.csv", "away.csv", "../hopper.yaml")
    bad = replace(bad, attempts=(replace(bad.attempts[0], results=listed),))
    zipped = a_job("zip-aaaaaa", state=JobState.COMPLETED, worker="w1")
    jobs = (
        bad,
        a_failed("odd/one", "odd-aaaaaa"),
        a_task("wait-aaaaaa", run="sweep-1", task=f"x{HOSTILE[:8]}", state=JobState.PENDING),
        a_task("live-aaaaaa", run="sweep-1", task="live-aaaaaa", state=JobState.RUNNING),
        zipped,
    )
    config = {"backends": [{"name": "cl", "type": "local", "work_dir": str(tmp_path / "cl")}]}
    path = a_home(tmp_path, Changes(runs=(a_run("sweep-1"),), jobs=jobs), **config)
    known = load(path)
    folder = task_folder(known.paths.inbox, bad)
    folder.mkdir(parents=True)
    (folder / ".hopper-attempt").write_text("bad-aaaaaa-1\n")
    (folder / "stdout.log").write_bytes(LONG)
    (folder / "stderr.log").write_text(f"\x1b[31m{HOSTILE}\x1b[0m\n")
    (folder / "out.csv").write_text("1,2")
    (known.paths.inbox / "link.csv").symlink_to(path)
    logs = known.paths.db / "logs" / "zip-aaaaaa"
    logs.mkdir(parents=True)
    (logs / "zip-aaaaaa-1.log").write_text("packed\n")
    return path


@pytest.fixture
def web(home: Path) -> Iterator[Browser]:
    with browser(home) as found:
        yield found


TASK = "/runs/sweep-1/tasks/fit.7"


def test_a_tasks_page_shows_its_errors_without_what_they_would_do(web: Browser) -> None:
    page = web.get(f"{TASK}?tab=error").text
    assert HOSTILE not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "\x1b" not in page
    assert "exit code 3" in page


def test_only_the_end_of_a_long_log_is_shown_and_earlier_parts_come_on_demand(
    web: Browser,
) -> None:
    page = web.get(TASK)
    assert len(page.content) < SHOWN + 40_000
    assert "line   59999" in page.text
    assert "line       0" not in page.text
    start = len(LONG) - SHOWN
    assert f'data-start="{start}" data-next="{len(LONG)}"' in page.text
    part = web.get(f"{TASK}/logs/output?before={start}", JSON).json()
    assert part["next"] == start
    assert part["text"] == LONG[part["start"] : start].decode()
    assert not part["live"]
    end = web.get(f"{TASK}/logs/output?start={len(LONG)}", JSON).json()
    assert (end["text"], end["next"]) == ("", len(LONG))


def test_programs_are_given_the_whole_log_as_text(web: Browser) -> None:
    answer = web.get(f"{TASK}/logs/output", TEXT)
    assert answer.content == LONG
    assert answer.headers["content-type"].startswith("text/plain")
    assert "content-disposition" not in answer.headers
    kept = web.get(f"{TASK}/logs/output?download=1")
    assert kept.content == LONG
    assert kept.headers["content-disposition"] == ('attachment; filename="bad-aaaaaa-1-output.log"')
    assert "<pre" in web.get(f"{TASK}/logs/output").text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{TASK}/logs/system", 404),
        (f"{TASK}/logs/..%2fstdout.log", 404),
        (f"{TASK}/logs/output?attempt=9", 404),
        ("/runs/sweep-1/tasks/wait-aaaaaa/logs/output", 404),
        ("/runs/sweep-1/tasks/none/logs/output", 404),
        ("/runs/none/tasks/fit.7/logs/output", 404),
        (f"{TASK}/logs/output?start=-1", 422),
        ("/jobs/zip-aaaaaa/logs/error", 422),
        ("/jobs/none-aaaaaa/logs/output", 404),
        (f"{TASK}?tab=no", 422),
    ],
)
def test_logs_that_are_not_there(web: Browser, path: str, status: int) -> None:
    assert web.get(path, TEXT).status_code == status


def test_a_task_that_has_not_run_says_so(web: Browser) -> None:
    page = web.get("/runs/sweep-1/tasks/wait-aaaaaa").text
    assert "It has not run yet." in page
    said = web.get("/runs/sweep-1/tasks/wait-aaaaaa/logs/output", JSON).json()
    assert (said["live"], said["text"]) == (True, "")


def test_a_log_that_did_not_come_home_takes_nothing_else_away(web: Browser) -> None:
    page = web.get("/runs/sweep-1/tasks/odd-aaaaaa")
    assert page.status_code == 200
    assert "did not come home" in page.text
    assert "odd/one" in page.text


def test_a_page_waits_for_nobody_far_away(web: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object, **__: object) -> None:
        raise AssertionError("the page asked the far end")

    monkeypatch.setattr(FarLogs, "piece", asked)
    page = web.get("/runs/sweep-1/tasks/live-aaaaaa").text
    assert 'data-next="-1"' in page
    assert 'data-live="yes"' in page


def test_a_far_end_that_does_not_answer_is_told(
    web: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(*_: object, **__: object) -> None:
        raise NoContact("no contact with cl: no answer")

    monkeypatch.setattr(FarLogs, "piece", silent)
    answer = web.get("/runs/sweep-1/tasks/live-aaaaaa/logs/output", JSON)
    assert answer.status_code == 503
    assert answer.json()["detail"] == "no contact with cl: no answer"


@pytest.mark.parametrize("tab", ["script", "json"])
def test_script_and_json(web: Browser, tab: str) -> None:
    assert "<pre" in web.get(f"{TASK}?tab={tab}").text
    waits = web.get(f"/runs/sweep-1/tasks/wait-aaaaaa?tab={tab}").text
    assert HOSTILE[:8] not in waits.replace("<script src", "")


def test_the_script_of_a_task_that_waits_is_as_it_would_be(web: Browser) -> None:
    script = web.get("/runs/sweep-1/tasks/wait-aaaaaa/script", TEXT)
    assert script.text.startswith("#!")
    assert web.get(f"{TASK}/script", TEXT).status_code == 503  # it was not kept


def test_the_head_of_a_tasks_page_comes_without_its_log(web: Browser) -> None:
    part = web.get(TASK, HTMX).text
    assert part.lstrip().startswith('<div id="task-part"')
    assert "line   59999" not in part


def test_only_a_jobs_own_results_are_sent_and_to_be_kept(web: Browser, home: Path) -> None:
    answer = web.get(f"{TASK}/results/sweep-1/fit.7/out.csv")
    assert answer.content == b"1,2"
    assert answer.headers["content-disposition"] == 'attachment; filename="out.csv"'
    for name in ("link.csv", "away.csv", "../hopper.yaml", "..%2Fhopper.yaml", "sweep-1/fit.7"):
        assert web.get(f"{TASK}/results/{name}").status_code == 404, name
    outside = "sweep-1/fit.7/stdout.log"  # there, but not of its results
    assert (load(home).paths.inbox / outside).is_file()
    assert web.get(f"{TASK}/results/{outside}").status_code == 404


def test_a_jobs_log_is_shown_like_a_tasks(web: Browser) -> None:
    assert "packed" in web.get("/jobs/zip-aaaaaa/logs").text
    assert web.get("/jobs/zip-aaaaaa/logs/output", TEXT).text == "packed\n"
    assert web.get("/jobs/zip-aaaaaa/logs/output", JSON).json()["text"] == "packed\n"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a.log", "a.log"),
        ('x"; filename="evil.html', "x___filename__evil.html"),
        ("a\r\nSet-Cookie: x", "a__Set-Cookie__x"),
        ("../../etc", "_.._etc"),
        ("", "file"),
    ],
)
def test_a_names_header_is_safe(name: str, safe: str) -> None:
    assert attachment(name) == f'attachment; filename="{safe}"'
