"""What a worker in memory holds: side folders, results, and how it is to misbehave."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from hopper.model.orders import (
    Launch,
)


class Files(Protocol):
    """The files at home, as the workers' side sees them."""

    def has_zip(self, path: str) -> bool: ...

    def write(self, path: str, content: bytes) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a job does when it runs."""

    seconds: float = 5.0
    exit_code: int = 0
    results: tuple[str, ...] = ("",)
    """Ends of the result names, between the job's id and ``.zip``."""
    immortal: bool = False
    """No signal ends it."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """A job that started, as the worker tells."""

    worker: str
    job_id: str
    attempt: str
    at: datetime


@dataclass(kw_only=True)
class Side:
    """An attempt's side folder."""

    launch: Launch | None = None
    begins: datetime | None = None
    """Claimed, still unpacking until then."""
    run: bool = False
    started: datetime | None = None
    ends: datetime | None = None
    boot: int = 0
    cancelled: bool = False
    how: str = ""
    code: int = 0
    ended: datetime | None = None
    immortal: bool = False


@dataclass(kw_only=True)
class FakeWorker:
    """One worker."""

    name: str
    zips: dict[str, str] = field(default_factory=dict)
    """What is in the Inbox: name without ``.zip``, and whose it is (empty: a stranger's)."""
    sides: dict[str, Side] = field(default_factory=dict)
    outbox: dict[str, bytes] = field(default_factory=dict)
    boot: int = 1
    up: bool = True
    set_up: bool = True
    stuck_remains: bool = False
    """Nothing can be cleaned away."""
    refuses: str = ""
    """Why every launch is refused."""


def is_result_of(result: str, name: str) -> bool:
    return result == f"{name}.zip" or (result.startswith(f"{name}.") and result.endswith(".zip"))
