"""Values and errors of the SSH farm rig."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

Mode = Literal["netns", "loopback"]
STATE_FILE = "farm.json"


class FarmError(RuntimeError):
    """The rig could not do what was asked; the message says what and where to look."""


class FarmUnsupportedError(FarmError):
    """This farm's mode, or this machine's kernel, cannot make the fault asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FarmWorker:
    """One SSH worker, as the controller and as a test outside it see it.

    `home` is the worker's home folder seen from outside, to be read without ssh; `inbox` and
    `outbox` are absolute paths as seen on the worker. `folder` holds its sshd's files and log.
    """

    name: str
    number: int
    host: str
    port: int
    user: str
    folder: Path
    home: Path
    inbox: str
    outbox: str

    @property
    def etc(self) -> Path:
        """Where the worker's sshd configuration, keys and pid file are, seen from outside."""
        return self.folder / "etc"

    @property
    def log(self) -> Path:
        """What its sshd says."""
        return self.folder / "sshd.log"

    def outside(self, remote: str) -> Path:
        """The path outside of `remote`, a path under the worker's home.

        Raises ValueError when `remote` is not below the home.
        """
        root = Path(self.inbox).parent
        return self.home / Path(remote).relative_to(root)


@dataclass(frozen=True, kw_only=True, slots=True)
class FarmPlan:
    """All that is needed to find and remove a farm again; kept in its `farm.json`."""

    tag: str
    mode: Mode
    reason: str
    folder: Path
    user: str
    uid: int
    gid: int
    gateway: str
    prefix: int
    disk_mb: int | None
    workers: tuple[FarmWorker, ...]

    def save(self) -> None:
        """Write the plan into its folder."""
        text = json.dumps(asdict(self), default=str, indent=1)
        (self.folder / STATE_FILE).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> FarmPlan:
        """Read the plan back. Raises FarmError when no farm was started in `folder`."""
        path = folder / STATE_FILE
        try:
            raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            message = f"no farm in {folder}: start one with `python -m tests.rigs.farm up`"
            raise FarmError(message) from error
        workers = tuple(_worker(entry) for entry in raw.pop("workers"))
        return cls(**{**raw, "folder": Path(raw["folder"]), "workers": workers})


def _worker(entry: dict[str, Any]) -> FarmWorker:
    paths = {key: Path(entry[key]) for key in ("folder", "home")}
    return FarmWorker(**{**entry, **paths})


def until(condition: Callable[[], bool], what: str, *, seconds: float = 15.0) -> None:
    """Wait for a condition. Raises FarmError naming `what` when it does not come in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            message = f"waited {seconds:g} s for {what}"
            raise FarmError(message)
        time.sleep(0.005)
