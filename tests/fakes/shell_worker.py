"""A worker in a folder of this machine: its login shell is any ``sh``, with no network between."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hopper.errors import TransportError
from hopper.model.ids import new_attempt_id
from hopper.model.orders import Follow, Launch, Order, Report, Sighting, Target
from hopper.remote.host import carry_out
from hopper.remote.transport import Answer
from tests.conftest import Eventually

SHELLS = ("dash", "bash", "busybox", "mksh")
"""What stands in for ``sh``; busybox runs as one."""


@dataclass(kw_only=True)
class ShellTransport:
    """Runs command lines by the ``sh`` in ``bin_folder``; ``broken`` makes the line go dead."""

    bin_folder: Path
    home: Path
    broken: str = ""
    cut_input: int | None = None
    """Bytes of the input after which the line goes dead."""

    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.bin_folder}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
        }

    def exec(self, command: str, stdin: bytes = b"") -> Answer:
        if self.broken:
            raise TransportError(self.broken)
        done = subprocess.run(
            [self.bin_folder / "sh", "-c", command],
            input=stdin if self.cut_input is None else stdin[: self.cut_input],
            capture_output=True,
            env=self.environment(),
            cwd=self.home,
            check=False,
            timeout=120,
        )
        if self.cut_input is not None:
            raise TransportError("the line went dead")
        return Answer(code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def put(self, local: Path, remote: str) -> None:
        shutil.copyfile(local, remote)

    def fetch(self, remote: str, local: Path) -> None:
        shutil.copyfile(remote, local)


@dataclass(kw_only=True)
class ShellWorker:
    """A worker with Inbox and Outbox, and what a test asks of it."""

    folder: Path
    transport: ShellTransport
    inbox: Path
    outbox: Path
    attempts: list[Target] = field(default_factory=list)

    @classmethod
    def make(cls, folder: Path, shell: str) -> ShellWorker:
        """Make one whose ``sh`` is that shell."""
        found = shutil.which(shell)
        if found is None:
            raise FileNotFoundError(shell)
        home, bin_folder = folder / "home", folder / "bin"
        for path in (home / "Inbox", home / "Outbox", bin_folder):
            path.mkdir(parents=True)
        (bin_folder / "sh").symlink_to(found)
        transport = ShellTransport(bin_folder=bin_folder, home=home)
        return cls(folder=folder, transport=transport, inbox=home / "Inbox", outbox=home / "Outbox")

    def zip(self, files: Mapping[str, str | bytes], name: str = "job") -> Path:
        """Write a zip of these files."""
        path = self.folder / f"{name}-{secrets.token_hex(4)}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in files.items():
                archive.writestr(member, content)
        return path

    def job(self, script: str, *, name: str = "job-abcdef", **extra: Any) -> Launch:
        """Return the launch of a script, which notes its start in the file ``starts``."""
        counted = f"echo started >> '{self.starts}'\n{script}\n"
        files = extra.pop("files", {})
        path = self.zip({"run_job.sh": counted, **files})
        content = path.read_bytes()
        values: dict[str, Any] = {
            "attempt": new_attempt_id(secrets.choice),
            "job_id": name,
            "name": name,
            "zip_path": str(path),
            "zip_size": len(content),
            "zip_sha256": hashlib.sha256(content).hexdigest(),
            "command": "sh run_job.sh",
            "env": {},
        }
        launch = Launch(**{**values, **extra})
        self.attempts.append(self.target(launch))
        return launch

    @staticmethod
    def target(launch: Launch) -> Target:
        return Target(attempt=launch.attempt, name=launch.name)

    @property
    def starts(self) -> Path:
        return self.folder / "starts"

    def started(self) -> int:
        """How many times a job of this worker has started, as the jobs themselves say."""
        return len(self.starts.read_text().splitlines()) if self.starts.exists() else 0

    def order(self, **parts: Any) -> Order:
        values: dict[str, Any] = {
            "id": "o1",
            "host": "here",
            "inbox": str(self.inbox),
            "outbox": str(self.outbox),
            "incoming": str(self.folder / "incoming"),
            "grace": 1,
        }
        return Order(**{**values, **parts})

    def ask(self, **parts: Any) -> Report:
        """Have an order carried out, which must be answered."""
        report = carry_out(self.transport, self.order(**parts))
        assert not report.error, report.error
        return report

    def launch(self, launch: Launch, **parts: Any) -> str:
        """Launch it; return the verdict, with the reason of a refusal."""
        [result] = self.ask(launches=(launch,), **parts).launched
        return f"{result.verdict} {result.why}".strip()

    def look(self, launch: Launch) -> Sighting:
        """See where it stands, without collecting."""
        follow = Follow(attempt=launch.attempt, name=launch.name, collect=False)
        [sighting] = self.ask(follows=(follow,)).sightings
        return sighting

    def collect(self, launch: Launch, **parts: Any) -> Report:
        """Follow it, and bring home what there is if it is over."""
        globs = parts.pop("globs", ("results",))
        follow = Follow(attempt=launch.attempt, name=launch.name, globs=globs)
        return self.ask(follows=(follow,), **parts)

    def cancel(self, launch: Launch) -> tuple[str, str, str]:
        [cancelled] = self.ask(cancels=(self.target(launch),)).cancelled
        return cancelled

    def side(self, launch: Launch) -> Path:
        return self.inbox / ".hopper" / launch.attempt

    def close(self) -> None:
        """Kill whatever its jobs left."""
        self.transport.broken, self.transport.cut_input = "", None
        carry_out(self.transport, self.order(grace=0, cancels=tuple(self.attempts)))


class Following:
    """Waits for a job of a worker."""

    def __init__(self, worker: ShellWorker, eventually: Eventually) -> None:
        self.worker, self.eventually = worker, eventually

    def until(self, launch: Launch, *phases: str) -> None:
        def reached() -> bool:
            return self.worker.look(launch).phase in phases

        self.eventually(reached, what=f"{launch.attempt} to be {phases}")

    def run(self, script: str, **extra: Any) -> Launch:
        """Launch a job and wait for its end."""
        launch = self.worker.job(script, **extra)
        assert self.worker.launch(launch) == "now"
        self.until(launch, "ended")
        return launch


def pid_in(path: Path) -> int:
    """Return the first number in a file, 0 while there is none."""
    text = path.read_text().split() if path.exists() else []
    return int(text[0]) if text else 0


def alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return False
    return state not in "ZX"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def home(report: Report) -> dict[str, Path]:
    """Return the files that came home by their names on the worker."""
    return {item.name: Path(item.path) for item in report.collected}
