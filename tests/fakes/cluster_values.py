"""What the cluster in memory is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from hopper.model.batch import (
    Said,
)

if TYPE_CHECKING:
    from tests.fakes.cluster_visit import Visit

LATENCY, FAULT_SECONDS, STALL_SECONDS = 0.2, 10.0, 45.0
QUEUE_SECONDS = 1.5
DIGEST = "ab"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the next attempt of a job does."""

    seconds: float = 4.0
    exit_code: int = 0
    refused: bool = False


@dataclass(frozen=True, kw_only=True)
class Start:
    """A command that started."""

    job: str
    attempt: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Fault:
    """``undelivered``, ``lost`` (its report), ``late``; ``cut`` or ``stall`` at a step from 1."""

    kind: str = ""
    step: int = 0


NOTHING = Said(code=255, stdout="", stderr="")


@dataclass(kw_only=True)
class Side:
    """A side folder."""

    owner: Visit | None = None
    script: str = ""
    tasks: dict[int, str] = field(default_factory=dict)
    tried: bool = False
    submitted: bool = False
    said: Said = NOTHING
    cancel: bool = False
    run: bool = False
    started: float | None = None
    native: str = ""
    code: int | None = None
    ended: float | None = None


@dataclass(kw_only=True)
class Native:
    """A job of the batch system, or one member of a job array."""

    id: str
    name: str
    """The attempt's id, or the array's."""
    index: int
    script: str
    begins: datetime
    ends: datetime | None = None
    attempt: str = ""
    exit_code: int = 0
    over: bool = False
