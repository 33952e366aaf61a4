"""Hostile names in every field that pages show: no script of theirs runs, no page breaks."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from hopper.dispatch.changes import Changes
from hopper.model.attempt import Attempt, Outcome
from hopper.model.backend import ClusterRecord, ExternalJob
from hopper.model.event import Event, EventKind
from hopper.model.job import Job, JobSpec, Origin
from hopper.model.native import NativePhase
from hopper.model.resources import Requirements
from hopper.model.run import GitVersion, Run
from hopper.model.states import JobState
from hopper.model.task import BatchResources, Task
from hopper.model.worker import WorkerRecord
from hopper.store.state import StateStore
from tests.conftest import Eventually
from tests.web.browser import PHONE, Window, window
from tests.web.lab import Lab, Served

EVIL = (
    '"\'><img src=x onerror="window.owned=1"><script>window.owned=1</script>'
    "<svg onload=window.owned=1>{{191*7}}${191*7}</textarea></title>\u202egpj.\u0000\u2028"
)
"""Ends attributes, tags and texts, in HTML, scripts and templates; turns round what follows."""
AT = datetime(2026, 1, 1, tzinfo=UTC)
RUN = "evil-run001"
TASK = "group.<b onclick=owned()>.task"


def evil_job(number: int, state: JobState, **more: object) -> Job:
    """Return a job all of whose texts are hostile."""
    needs = Requirements(tags=frozenset({EVIL}), partition=EVIL)
    attempt = Attempt(
        id=f"a{number:09d}",
        number=1,
        worker=EVIL,
        intended_at=AT,
        started_at=AT,
        native_id=EVIL,
        node=EVIL,
        reason=EVIL,
        waits_for=EVIL,
        outcome=Outcome.FAILED if state.terminal else None,
        ended_at=AT if state.terminal else None,
    )
    said: dict[str, object] = {
        "spec": JobSpec(name=EVIL, requirements=needs, env={"A": EVIL}, results=(EVIL,)),
        "zip_name": EVIL,
        "source_name": EVIL,
        "user": EVIL,
        "reason": EVIL,
        "attempts": () if state is JobState.PENDING else (attempt,),
        **more,
    }
    return Job(id=f"evil-{number:06d}", state=state, submitted_at=AT, state_since=AT, **said)  # type: ignore[arg-type]


def fill(folder: Path) -> None:
    """Write hostile things of every kind into a state."""
    task = Task(
        id=TASK,
        command=f"echo '{EVIL}'",
        working_dir=EVIL,
        resources=BatchResources(partition=EVIL),
        environment=EVIL,
        variables={"A": EVIL},
    )
    run = Run(
        id=RUN,
        workflow=EVIL,
        backend=EVIL,
        created_at=AT,
        description=EVIL,
        user=EVIL,
        warnings=(EVIL,),
        git=GitVersion(repo=EVIL, branch=EVIL, sha=EVIL),
    )
    states = (JobState.PENDING, JobState.RUNNING, JobState.FAILED)
    jobs = [evil_job(number, state) for number, state in enumerate(states)]
    jobs += [
        evil_job(10 + number, state, origin=Origin.RUN, run=RUN, backend=EVIL, task=task)
        for number, state in enumerate(states)
    ]
    other = ExternalJob(
        id=f"hpc/{EVIL}",
        backend="hpc",
        native_id=EVIL,
        name=EVIL,
        user=EVIL,
        phase=NativePhase.RUNNING,
        word=EVIL,
        partition=EVIL,
        node=EVIL,
        first_seen=AT,
    )
    record = WorkerRecord(
        name=EVIL, unready=EVIL, contact_error=EVIL, quarantine_reason=EVIL, no_contact_since=AT
    )
    event = Event(
        kind=EventKind.TROUBLE, at=AT, job=EVIL, worker=EVIL, reason=EVIL, data={"by": EVIL}
    )
    with StateStore.open(folder) as store:
        store.commit(
            Changes(
                jobs=tuple(jobs),
                runs=(run,),
                externals=(other,),
                clusters=(ClusterRecord(name="hpc", seen_at=AT),),
                workers=(record,),
                events=(event,),
            )
        )


PATHS = (
    "/",
    "/jobs",
    "/jobs?text=%3Cscript%3Ewindow.owned%3D1%3C%2Fscript%3E&user=%22%3E%3Cimg%20src%3Dx%3E",
    "/jobs/evil-000000",
    "/jobs/evil-000002",
    "/jobs/evil-000000/explain",
    "/runs",
    f"/runs/{RUN}",
    f"/runs/{RUN}?tab=gantt",
    f"/runs/{RUN}?tab=details",
    f"/runs/{RUN}/tasks/evil-000012",
    f"/runs/{RUN}/tasks/evil-000012?tab=script",
    f"/runs/{RUN}/tasks/evil-000012?tab=json",
    "/workers",
    "/queue",
    "/events",
    "/workflows",
    "/sources",
    "/settings",
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, patience: Eventually) -> Iterator[Served]:
    """A lab with a state in which every text is hostile."""
    lab = Lab(tmp_path_factory.mktemp("lab"), patience)
    fill(lab.folder / "state" / "db")
    with lab.serving(dispatch=False) as page:
        yield page


@pytest.mark.parametrize("path", PATHS)
def test_no_name_becomes_a_script(served: Served, browser: Browser, path: str) -> None:
    with window(browser, served.url, viewport=PHONE) as opened:
        # A task may have no name in an address that any page leads to: then that is told.
        opened.expected = ("status of 404", "status of 422", "status of 503")
        opened.open(path)
        assert_harmless(opened)
        assert opened.fits(), path


def assert_harmless(opened: Window) -> None:
    """Fail where a script ran, an element of theirs is there, or a template was evaluated."""
    page = opened.page
    assert page.evaluate("window.owned") is None
    assert page.locator("main img[src=x], main svg[onload], main b[onclick]").count() == 0
    assert "1337" not in page.locator("main").inner_text()


def test_a_log_full_of_markup_and_control_sequences(
    tmp_path: Path, browser: Browser, patience: Eventually
) -> None:
    lab = Lab(tmp_path, patience)
    folder = tmp_path / "evil.zip"
    script = (
        "cat evil.txt; printf '\\033]0;owned\\007\\033[31mred\\033[0m\\r\\b\\b end\\n'; exit 1\n"
    )
    with zipfile.ZipFile(folder, "w") as archive:
        archive.writestr("run_job.sh", script)
        archive.writestr("evil.txt", EVIL + "\n")
        archive.writestr("hopper-job.yaml", json.dumps({"name": EVIL.replace("\0", "")[:80]}))
    job = lab.hopper("submit", str(folder)).strip()
    with lab.serving() as served:
        lab.wait_for(job, "failed")
        with window(browser, served.url) as opened:
            page = opened.open(f"/jobs/{job}")
            page.locator("text=<img src=x").first.wait_for()
            assert_harmless(opened)
            assert "\x1b" not in page.locator("body").inner_text()
