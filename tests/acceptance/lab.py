"""A lab for acceptance tests: a hopper folder whose workers are the farm, driven by its command."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from hopper.store.state import StateStore
from tests.conftest import Eventually
from tests.rigs.farm import Farm

SECONDS = 90.0
CONFIG: dict[str, Any] = {
    "inventory": "inventory.yml",
    "poll": {"interval_seconds": 1, "settle_seconds": 0},
    "dispatch": {
        "ssh_options": "-o KexAlgorithms=curve25519-sha256 -o ServerAliveInterval=1",
        "connect_timeout": 2,
        "order_timeout": 20,
        "cancel_grace": 1,
        "backoff": {"first": "1s", "longest": "2s"},
        "quarantine": {"after_jobs": 1000},
    },
    "disk": {"home_low": "1 MB"},
}
COUNT = 'echo "$HOPPER_JOB_ID $HOPPER_ATTEMPT_ID" >> "$HOME/started"\n'
"""Leaves a line on the worker for each start, outside of all that hopper touches."""


class Lab:
    """One hopper folder on a farm."""

    def __init__(self, farm: Farm, folder: Path, eventually: Eventually) -> None:
        self.farm = farm
        self.folder = folder
        self.eventually = eventually
        self._sockets = tempfile.TemporaryDirectory(prefix="hopl")
        self.state = folder / "state"
        self.environment = {
            **os.environ,
            "XDG_RUNTIME_DIR": self._sockets.name,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }

    def set_up(
        self,
        config: Mapping[str, Any] | None = None,
        group_vars: Mapping[str, Any] | None = None,
        **hosts: Any,
    ) -> None:
        """Write config and inventory, and make the workers' folders."""
        merged = _merged(CONFIG, config or {})
        (self.folder / "hopper.yaml").write_text(yaml.safe_dump(merged), encoding="utf-8")
        self.farm.inventory(self.folder / "inventory.yml", group_vars, **hosts)
        for worker in self.farm.workers:
            done = self.farm.ssh(worker.name, f"mkdir -p '{worker.inbox}' '{worker.outbox}'")
            assert done.returncode == 0, done.stderr
        (self.state / "queue").mkdir(parents=True, exist_ok=True)

    # --- the command

    def run(self, *arguments: str, code: int | None = 0, seconds: float = SECONDS) -> str:
        """Run a hopper command and return its output; a traceback fails the test."""
        done = subprocess.run(
            ["hopper", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        if code is not None:
            assert done.returncode == code, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout if done.returncode == 0 else done.stdout + done.stderr

    def json(self, *arguments: str) -> Any:
        """Run a command with --json and return what it says."""
        return json.loads(self.run(*arguments, "--json"))

    @contextmanager
    def dispatching(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Have a dispatcher run for as long as the block does."""
        process = self.start(*arguments)
        try:
            yield process
        finally:
            end(process)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a dispatcher; whoever does ends it."""
        with (self.folder / "dispatch.out").open("ab") as output:
            return subprocess.Popen(
                ["hopper", "dispatch", *arguments],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self) -> str:
        """All that the dispatchers have printed."""
        return (self.folder / "dispatch.out").read_text("utf-8", "replace")

    # --- jobs

    def drop(
        self, name: str, script: str, *, spec: Mapping[str, Any] | None = None, size: int = 0
    ) -> None:
        """Put a zip into the queue folder, as a person would, but visible only when whole."""
        path = self.make(name, script, spec=spec, size=size)
        os.utime(path, (time.time() - 60, time.time() - 60))
        hidden = self.state / "queue" / f".{path.name}"
        shutil.move(path, hidden)
        hidden.rename(hidden.with_name(path.name))

    def make(
        self, name: str, script: str, *, spec: Mapping[str, Any] | None = None, size: int = 0
    ) -> Path:
        """Write the zip of a job; its script leaves a mark on the worker when it starts."""
        path = self.folder / f"{name}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("run_job.sh", COUNT + script)
            if spec is not None:
                archive.writestr("hopper-job.yaml", yaml.safe_dump(dict(spec)))
            if size:
                archive.writestr("payload.bin", os.urandom(size))
        return path

    def jobs(self) -> dict[str, dict[str, Any]]:
        """All jobs by name, read as `hopper jobs` reads them but without its start-up time."""
        with StateStore.open(self.state / "db", readonly=True) as store:
            return {
                job.name: {
                    "id": job.id,
                    "name": job.name,
                    "state": str(job.state),
                    "reason": job.reason,
                    "worker": job.attempt.worker if job.attempt is not None else "",
                }
                for job in store.jobs.values()
            }

    def contact_lost(self, worker: str) -> bool:
        """Whether the dispatcher knows that it cannot reach a worker."""
        with StateStore.open(self.state / "db", readonly=True) as store:
            record = store.workers.get(worker)
            return record is not None and record.no_contact_since is not None

    def state_of(self, name: str) -> str:
        """The state of the job of that name, empty while there is none."""
        return str(self.jobs().get(name, {}).get("state", ""))

    def wait_for(self, name: str, *states: str, within: float = SECONDS) -> None:
        """Wait until a job is in one of the states."""
        self.eventually(
            lambda: self.state_of(name) in states, within=within, what=f"{name} {states}"
        )

    def wait_for_all(self, *states: str, within: float = SECONDS) -> None:
        """Wait until all jobs are in one of the states."""
        self.eventually(
            lambda: (jobs := self.jobs()) and all(j["state"] in states for j in jobs.values()),
            within=within,
            what=f"all {states}",
        )

    def result(self, name: str, member: str) -> str:
        """What a job's only result at home holds under that name."""
        job_id = self.jobs()[name]["id"]
        (path,) = (self.state / "inbox").glob(f"{job_id}*.zip")
        with zipfile.ZipFile(path) as archive:
            return archive.read(member).decode()

    # --- what the workers say

    def starts(self) -> dict[str, list[str]]:
        """The attempts that were started on the workers, by job id, from the workers' side."""
        found: dict[str, list[str]] = {}
        for worker in self.farm.workers:
            with suppress(FileNotFoundError):
                for line in (worker.home / "started").read_text().splitlines():
                    job, attempt = line.split()
                    found.setdefault(job, []).append(attempt)
        return found

    def check_none_lost_none_twice(self, *, once: bool = True) -> None:
        """No attempt started twice, every zip in one folder, every job known and at its end.

        `once` for jobs that need no second attempt: none may have had one.
        """
        starts = self.starts()
        for job, attempts in starts.items():
            assert len(attempts) == len(set(attempts)), f"{job} ran twice as one attempt"
            if once:
                assert len(attempts) == 1, f"{job} ran as {attempts}"
        jobs = {job["id"]: job for job in self.jobs().values()}
        assert set(starts) <= set(jobs)
        places: dict[str, list[str]] = {}
        for folder in ("queue", "running", "done", "failed"):
            for path in (self.state / folder).glob("*.zip"):
                places.setdefault(path.name, []).append(folder)
        twice = {name: where for name, where in places.items() if len(where) > 1}
        assert not twice
        assert {f"{job_id}.zip" for job_id in jobs} <= set(places)

    def close(self) -> None:
        """Let the connections go."""
        sockets = self._sockets.name
        for entry in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
                if line.startswith("ssh: ") and sockets in line:
                    os.kill(int(entry.name), signal.SIGTERM)
        self._sockets.cleanup()


def end(process: subprocess.Popen[bytes]) -> None:
    """End a dispatcher the polite way."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a dispatcher with no warning; its Ansible run has to notice by itself."""
    process.kill()
    process.wait()


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[key] = _merged(old, value)
        else:
            merged[key] = value
    return merged
