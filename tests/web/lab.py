"""A lab on this machine with its page served: two workers, a backend, a workflow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.acceptance.person import SECONDS, Shell
from tests.conftest import Eventually

TASKS = [
    {"id": "prepare", "name": "prepare", "command": "echo prepared"},
    *(
        {"id": f"fit.{n}", "name": f"fit {n}", "command": f"echo fitted {n}", "deps": ["prepare"]}
        for n in range(3)
    ),
    {"id": "report", "name": "report", "command": "echo all of it", "deps": ["fit.*"]},
]


@dataclass(kw_only=True)
class Served:
    """A page that is served."""

    url: str
    """Without a slash at its end."""
    process: subprocess.Popen[str]

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Get a path of it."""
        return httpx.get(f"{self.url}{path}", timeout=SECONDS, **options)

    def health(self) -> dict[str, Any]:
        """Return what it says of its health."""
        said: dict[str, Any] = self.get("/health").json()
        return said

    def kill(self) -> None:
        """End it with no warning."""
        self.process.kill()
        self.process.wait(SECONDS)


@contextmanager
def serving_in(
    folder: Path, eventually: Eventually, *options: str, **environment: str
) -> Iterator[Served]:
    """Serve the page of the config in a folder; the server must end by itself, and well."""
    path = folder / "web.log"
    words = ["hopper", "web", "--port", "0", *options]
    with path.open("w+", encoding="utf-8") as log:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
        )
        try:
            url = eventually(lambda: _url(path, process), within=SECONDS)
            yield Served(url=url, process=process)
        finally:
            ended_by_itself = process.poll() is not None
            process.send_signal(signal.SIGTERM)
            process.wait(SECONDS)
    said = path.read_text(encoding="utf-8")
    assert "Traceback" not in said, said
    assert ended_by_itself or process.returncode == 0, said


def _url(log: Path, process: subprocess.Popen[str]) -> str:
    said = log.read_text(encoding="utf-8")
    assert process.poll() is None, said
    _, found, rest = said.partition("the page is at ")
    return rest.split()[0].rstrip("/") if found and "\n" in rest else ""


class Lab(Shell):
    """A person who has begun a lab in a folder of their own."""

    def __init__(self, folder: Path, eventually: Eventually) -> None:
        self._eventually = eventually
        home = folder / "home"
        home.mkdir()
        self.tasks_file = folder / "tasks.json"
        super().__init__(folder, home, GIT_CONFIG_GLOBAL="/dev/null", PYTHONUNBUFFERED="1")
        self.hopper("init")
        self.tasks_file.write_text(json.dumps(TASKS), encoding="utf-8")
        self.config({})
        self.hopper("workers", "setup")

    def config(self, more: dict[str, Any]) -> None:
        """Put more into the config than what there is."""
        path = self.folder / "hopper.yaml"
        known = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        backend = {
            "name": "here",
            "type": "local",
            "work_dir": str(self.folder / "there"),
            "clone_dir": str(self.folder / "clones"),
            "max_concurrent": 4,
        }
        workflow = {"name": "study", "backend": "here", "command": f"cat {self.tasks_file}"}
        said = {
            "backends": [backend],
            "workflows": [workflow],
            "poll": {"interval_seconds": 1, "settle_seconds": 0},
            "disk": {"home_low": 1000},
        }
        path.write_text(yaml.safe_dump({**known, **said, **more}), encoding="utf-8")

    @contextmanager
    def serving(self, *options: str, dispatch: bool = True) -> Iterator[Served]:
        """Serve the page until the block ends; it must then end by itself, and well."""
        beside = ("--dispatch",) if dispatch else ()
        with serving_in(self.folder, self._eventually, *beside, *options, **self.environment) as it:
            yield it

    def submit_folder(self, name: str, script: str) -> str:
        """Hand in a job by the command line and return its id."""
        folder = self.folder / "jobs" / name
        folder.mkdir(parents=True)
        (folder / "run_job.sh").write_text(script, encoding="utf-8")
        return self.hopper("submit", str(folder)).strip()

    def state_of(self, job: str) -> str:
        """Return a job's state by the command line."""
        return str(self.json("show", job)["state"])

    def wait_for(self, job: str, state: str) -> None:
        """Wait until a job is in that state."""
        self._eventually(lambda: self.state_of(job) == state, within=SECONDS, what=f"{job} {state}")
