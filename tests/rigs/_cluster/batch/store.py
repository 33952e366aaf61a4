"""The jobs of a stand-in: one JSON file each in a folder, changed under a lock."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

State = Literal["waiting", "held", "running", "ended"]
Why = Literal["", "deleted", "limit"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A job. Times are epoch seconds; `code` is None until it ended, and if it never ran.

    `limit` is the run limit in seconds, `why` what ended it before its time. `variables` are put
    over those of the server, or are all there are if `bare`. `options` are those of its system.
    A member of a job array has the number of its `array` and its `index` in it.
    """

    number: int
    array: int = 0
    index: int = 0
    name: str
    user: str
    queue: str
    folder: str
    state: State
    submitted: float
    started: float | None = None
    ended: float | None = None
    code: int | None = None
    why: Why = ""
    kill: bool = False
    pid: int | None = None
    slots: int = 1
    limit: int | None = None
    output: str = ""
    error: str = ""
    arguments: str = ""
    bare: bool = False
    variables: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """What the cluster is like; written by the rig. `queues` gives each its limit in seconds."""

    host: str
    slots: int
    queues: dict[str, int | None]
    closed: tuple[str, ...] = ()
    dialect: str = ""


class Store:
    """The folder of the jobs. Whoever changes one holds `lock`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def setup(self) -> Setup:
        """What the rig wrote."""
        raw: dict[str, Any] = json.loads((self.folder / "setup.json").read_text())
        return Setup(**{**raw, "closed": tuple(raw["closed"])})

    @property
    def down(self) -> bool:
        """Whether commands should not reach the server."""
        return (self.folder / "down").exists()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep everybody else from changing jobs."""
        with (self.folder / "lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def number(self) -> int:
        """The number of the next job; call it under `lock`."""
        path = self.folder / "last"
        last = int(path.read_text()) if path.exists() else 0
        path.write_text(str(last + 1))
        return last + 1

    def script(self, number: int) -> Path:
        """Where the script of a job is."""
        return self.folder / f"{number}.script"

    def spool(self, number: int, kind: str) -> Path:
        """Where a running job's `out` or `err` goes until its end."""
        return self.folder / f"{number}.{kind}"

    def save(self, job: Job) -> None:
        """Write a job."""
        part = self.folder / f"{job.number}.part"
        part.write_text(json.dumps(asdict(job)))
        part.replace(self._path(job.number))

    def load(self, number: int) -> Job | None:
        """The job of that number, None if there is none."""
        with suppress(FileNotFoundError):
            return Job(**json.loads(self._path(number).read_text()))
        return None

    def numbers(self) -> list[int]:
        """The numbers of all jobs, in order."""
        return sorted(int(path.stem) for path in self.folder.glob("*.json") if path.stem.isdigit())

    def all(self) -> list[Job]:
        """All jobs, in order of their numbers."""
        return [job for number in self.numbers() if (job := self.load(number))]

    def forget(self, number: int) -> None:
        """Drop a job from the history."""
        for path in self.folder.glob(f"{number}.*"):
            path.unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number}.json"
