"""A hopper folder whose backends are real batch systems, driven by its command."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from hopper.bootstrap import commands
from hopper.config.load import load
from hopper.dispatch.run_acts import run_body
from hopper.model.run import Run
from hopper.workflows.documents import parse
from hopper.workflows.planning import plan_run
from tests.conftest import Eventually

SECONDS = 240.0
CONFIG: dict[str, Any] = {
    "poll": {"interval_seconds": 2, "settle_seconds": 0},
    "dispatch": {"connect_timeout": 3, "order_timeout": 30, "backoff": {"first": "1s"}},
    "disk": {"home_low": "1 MB"},
}


def plain(value: Any) -> Any:
    """Return a value with its paths as text, as YAML takes it."""
    return json.loads(json.dumps(value, default=str))


class ClusterLab:
    """One hopper folder."""

    def __init__(
        self, folder: Path, backends: list[dict[str, Any]], eventually: Eventually
    ) -> None:
        self.folder = folder
        self.eventually = eventually
        self._sockets = tempfile.TemporaryDirectory(prefix="hopc")
        folder.mkdir(exist_ok=True)
        self._backends = backends
        self.configure()
        self.environment = {
            **os.environ,
            "XDG_RUNTIME_DIR": self._sockets.name,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }

    def configure(self, **more: Any) -> None:
        """Write the config, with more than the backends."""
        config = plain({**CONFIG, "backends": self._backends, **more})
        (self.folder / "hopper.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")

    def hopper(self, *arguments: str, code: int | None = 0) -> str:
        """Run a hopper command and return its output; a traceback fails the test."""
        done = subprocess.run(
            ["hopper", *arguments],
            cwd=self.folder, env=self.environment, capture_output=True, text=True,
            errors="replace", timeout=SECONDS, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        if code is not None:
            assert done.returncode == code, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout if done.returncode == 0 else done.stdout + done.stderr

    def start_run(self, tasks: list[dict[str, Any]], backend: str, **top: Any) -> str:
        """Start a run of tasks and return its id."""
        config = load(self.folder / "hopper.yaml")
        [target] = [item for item in config.backends if item.name == backend]
        document = parse(json.dumps({**top, "tasks": tasks}), "workflow.json")
        run = Run(
            id=f"r{secrets.token_hex(3)}",
            workflow="wf",
            backend=backend,
            created_at=datetime.now(UTC),
            max_concurrent=document.max_concurrent,
            array=document.array,
        )
        commands.give(config, run_body(plan_run(document, run, target, files=self.folder)))
        return run.id

    def dispatch(self) -> str:
        """Dispatch until nothing is left to do."""
        return self.hopper("dispatch", "--until-idle")

    @contextmanager
    def dispatching(self) -> Iterator[subprocess.Popen[bytes]]:
        """Have a dispatcher run for as long as the block does."""
        with (self.folder / "dispatch.out").open("ab") as output:
            process = subprocess.Popen(
                ["hopper", "dispatch"],
                cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)

    def tasks(self) -> dict[str, dict[str, Any]]:
        """Return what is shown of each task's job, by the task's name."""
        jobs = json.loads(self.hopper("jobs", "--all", "--json"))
        return {job["name"]: job for job in jobs}

    def states(self) -> dict[str, str]:
        """Return the state of each task's job, by the task's name."""
        return {name: str(job["state"]) for name, job in self.tasks().items()}

    def home(self, run: str, task: str) -> Path:
        """Return where what a task left is at home."""
        return self.folder / "state" / "inbox" / run / task

    def close(self) -> None:
        """Let go of the sockets' folder."""
        self._sockets.cleanup()


def task(task_id: str, command: str, **fields: Any) -> dict[str, Any]:
    """Return a task whose name is its id."""
    return {"id": task_id, "name": task_id, "command": command, **fields}


def backend(
    name: str, kind: str, ssh: Mapping[str, Any] | None = None, **keys: Any
) -> dict[str, Any]:
    """Return a backend for the config."""
    reached = {"ssh": dict(ssh)} if ssh is not None else {}
    return {"name": name, "type": kind, **reached, **keys}
