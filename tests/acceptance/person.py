"""Somebody at a shell who has nothing but hopper's command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

SECONDS = 240.0


class Shell:
    """Somebody at a shell, in a folder and with a home of their own."""

    def __init__(self, folder: Path, home: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            **environment,
        }

    def call(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a hopper command; the test fails when it leaves with another code."""
        done = subprocess.run(
            ["hopper", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == code, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done

    def hopper(self, *arguments: str, code: int = 0) -> str:
        """Run a hopper command and return what it printed."""
        return self.call(*arguments, code=code).stdout

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run a hopper command and return the JSON that it printed."""
        return json.loads(self.hopper(*arguments, "--json", code=code))

    def refused(self, *arguments: str, code: int = 2) -> str:
        """Run a hopper command that is refused, in one line."""
        said = self.call(*arguments, code=code).stderr.strip()
        assert len(said.splitlines()) == 1
        return said


class LocalPerson(Shell):
    """One with a config whose backend is this machine."""

    def __init__(self, folder: Path) -> None:
        self.there = folder / "there"
        self.there.mkdir()
        super().__init__(folder, self.there, GIT_CONFIG_GLOBAL="/dev/null")
        self.config({})

    def config(self, more: dict[str, Any]) -> None:
        """Write the config."""
        backend = {
            "name": "here",
            "type": "local",
            "work_dir": str(self.there / "work dir"),
            "clone_dir": str(self.there / "clones"),
            "max_concurrent": 4,
            "init": "export FROM_INIT=backend",
        }
        said = {"backends": [backend], "poll": {"interval_seconds": 1}, "disk": {"home_low": 1000}}
        text = yaml.safe_dump({**said, **more}, allow_unicode=True)
        (self.folder / "hopper.yaml").write_text(text, encoding="utf-8")

    def tasks(self, name: str, tasks: Any) -> str:
        """Write a workflow file and return its name."""
        (self.folder / name).write_text(json.dumps(tasks), encoding="utf-8")
        return name

    def dispatch(self) -> None:
        """Let the dispatcher do all there is to do."""
        self.hopper("dispatch", "--until-idle", "--quiet")

    def states(self, run: str) -> dict[str, str]:
        """Return the states of a run's tasks."""
        items = self.json("run", "show", run)["items"]
        return {item["task"]: item["state"] for item in items}

    @contextmanager
    def dispatching(self) -> Iterator[None]:
        """Have a dispatcher run beside."""
        process = subprocess.Popen(
            ["hopper", "dispatch", "--quiet"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(SECONDS)
