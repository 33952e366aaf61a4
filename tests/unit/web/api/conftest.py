"""A site with jobs, runs, workers and backends, and a client of its API."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from starlette.types import ASGIApp

from hopper.ansible.roster import Reading
from hopper.ansible.sweep import Sources
from hopper.bootstrap import inventory
from hopper.config.load import load
from hopper.config.model import HopperConfig
from hopper.dispatch.changes import Changes
from hopper.model.attempt import Attempt, Outcome, ResultFile
from hopper.model.job import Job
from hopper.model.states import JobState
from hopper.model.worker import Worker, WorkerRecord
from hopper.store import retention
from hopper.store.state import StateStore
from hopper.web.app import create_app
from hopper.web.opening import open_site
from hopper.web.security.roles import Role
from hopper.web.site import Site
from tests.unit.web.following.states import T0, a_job, a_run, a_task, somebodys, told

CONFIG = """\
inventory: inventory.yml
backends:
  - {name: cl, type: local}
workflows:
  - {name: sweep, backend: cl, command: "true", description: A sweep}
sources:
  - {name: lab, type: path, path: LAB, backend: cl}
web: {max_upload: 1 MB}
"""
BASE = "http://localhost:8000"


def a_zip(text: str = "echo hello\n") -> bytes:
    """A zip that is fit to be sent; its bytes are the same at any time."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo("run_job.sh"), text)
    return content.getvalue()


@dataclass
class Client:
    """Puts requests to an application, each in an event loop of its own."""

    app: ASGIApp
    token: str | None = None

    def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {**({"Authorization": f"Bearer {self.token}"} if self.token else {})}
        headers |= more.pop("headers", {})

        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=("127.0.0.1", 5000))
            async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
                return await client.request(method, path, headers=headers, timeout=60, **more)

        return anyio.run(run)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self("GET", f"/api/v1{path}", **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self("POST", f"/api/v1{path}", **more)


@dataclass
class Lab:
    """The site, and tokens for it."""

    config: HopperConfig
    site: Site
    app: ASGIApp
    tokens: dict[Role, str]

    def client(self, role: Role | None = Role.ADMIN) -> Client:
        return Client(self.app, self.tokens[role] if role is not None else None)

    def has(self, *jobs: Job, **more: Any) -> None:
        with StateStore.open(self.config.paths.db) as store:
            store.commit(Changes(jobs=jobs, **more))


def the_jobs() -> list[Job]:
    """Jobs of each kind."""
    done = a_job("done-000001", state=JobState.COMPLETED, worker="node1")
    last = done.attempts[-1]
    log = replace(
        last,
        log_bytes=12,
        results=(ResultFile(name="done-000001.results.zip", size=3, sha256="ab" * 32),),
    )
    failed = a_job("failed-000001", state=JobState.FAILED, worker="node1")
    ended: Attempt = replace(failed.attempts[-1], outcome=Outcome.FAILED, exit_code=3)
    return [
        replace(done, attempts=(log,), zip_sha256="ab" * 32, zip_name="done-000001.zip"),
        replace(failed, attempts=(ended,), reason="exit code 3", zip_sha256="ab" * 32),
        a_job("waits-000001", tags=("gpu",)),
        a_job("held-000001", held=True, at=T0 + timedelta(hours=1)),
        a_job("runs-000001", state=JobState.RUNNING, worker="node1"),
        a_task("fit1-000001", run="sweep-000001", task="fit.1", state=JobState.COMPLETED),
        a_task("fit2-000001", run="sweep-000001", task="fit.2", state=JobState.FAILED),
        a_task("sum-0000001", run="sweep-000001", task="sum"),
        a_task("old1-000001", run="sweep-000002", task="fit.1", state=JobState.COMPLETED),
    ]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A site with something of everything; its tokens are needed for all but its health."""
    path = tmp_path / "hopper.yaml"
    path.write_text(CONFIG.replace("LAB", str(tmp_path)), encoding="utf-8")
    (tmp_path / "inventory.yml").write_text(
        "hopper_workers:\n  hosts:\n    node1: {}\n    node2: {}\n", encoding="utf-8"
    )
    config = load(path)

    def read(_: HopperConfig) -> Reading:
        names = ("node1", "node2")
        known = {name: Worker(name=name, address=name, slots=2) for name in names}
        return Reading(workers=known, sources=Sources(paths=("inventory.yml",)))

    monkeypatch.setattr(inventory, "read_inventory", read)
    jobs = the_jobs()
    with StateStore.open(config.paths.db) as store:
        store.commit(
            Changes(
                jobs=tuple(jobs),
                runs=(a_run("sweep-000001"), a_run("sweep-000002")),
                workers=(WorkerRecord(name="node1", last_contact=T0),),
                externals=(somebodys(1), somebodys(2, gone=True)),
                events=tuple(told(job) for job in jobs),
            )
        )
        old = a_job("gone-000001", state=JobState.COMPLETED, worker="node2")
        retention.archive(config.paths.db, [old])
    config.paths.inbox.mkdir(parents=True, exist_ok=True)
    (config.paths.inbox / "done-000001.results.zip").write_bytes(b"zip")
    folder = config.paths.db / "logs" / "done-000001"
    folder.mkdir(parents=True)
    (folder / f"{jobs[0].attempts[-1].id}.log").write_bytes(b"one\ntwo\nend\n")
    site = open_site(config)
    site.following.past.bring_up_to_date()
    now = site.guard.now()
    tokens = {role: site.guard.tokens.create(str(role), role, now=now)[0] for role in Role}
    yield Lab(config=config, site=site, app=create_app(site), tokens=tokens)
    site.following.close()


@pytest.fixture
def api(lab: Lab) -> Client:
    """A client that may do everything."""
    return lab.client()
