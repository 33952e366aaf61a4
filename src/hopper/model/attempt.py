"""One try at a job on one worker or batch system."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hopper.model.task import Usage


class Outcome(StrEnum):
    """How an attempt ended."""

    COMPLETED = "completed"
    """Its script ended with exit code 0."""
    FAILED = "failed"
    """Its script ended otherwise."""
    TIMED_OUT = "timed_out"
    """It ran into its time limit and was killed."""
    OUT_OF_MEMORY = "oom"
    """It took more memory than it was given and was killed."""
    NODE_FAILED = "node_fail"
    """The machine that it ran on failed, or was taken from it."""
    CANCELLED = "cancelled"
    """A person had it killed, and its death was seen."""
    REBOOTED = "rebooted"
    """Its worker was rebooted under it."""
    VANISHED = "vanished"
    """It is gone and left no exit code, nor did anybody else tell one."""
    NOT_STARTED = "not_started"
    """It is known never to have started; costs the job no retry."""
    ABANDONED = "abandoned"
    """A person or the clock gave up waiting for a worker that cannot be reached."""

    @property
    def retryable(self) -> bool:
        """True when the cause lies in the worker, or may pass, and the job has retries left."""
        return self in {
            Outcome.FAILED,
            Outcome.TIMED_OUT,
            Outcome.OUT_OF_MEMORY,
            Outcome.NODE_FAILED,
            Outcome.REBOOTED,
            Outcome.VANISHED,
        }


class Remains(StrEnum):
    """What is left of an attempt on its worker."""

    PRESENT = "present"
    """Its folders are there and are needed."""
    ABANDONED = "abandoned"
    """It may still run there: to be killed, its results set aside, at the next contact."""
    KEPT = "kept"
    """Its folder is kept for a person to look at, until ``keep_until``."""
    UNWANTED = "unwanted"
    """To be cleaned away at the next contact."""
    GONE = "gone"
    """Cleaned away, or never there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultFile:
    """One result at home: a file in ``paths.inbox``."""

    name: str
    """Its file name at home."""
    size: int
    """Bytes."""
    sha256: str
    """Hex digest, equal to that of the file on the worker."""
    remote_name: str = ""
    """Its name in the worker's Outbox; empty for what hopper packed itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TakenFrom:
    """Whose result an attempt took for its own, so that nothing had to run."""

    job: str
    attempt: str
    """The attempt that ran."""
    run: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One try at a job on one worker or batch system. Times are aware UTC."""

    id: str
    number: int
    """1 for the first."""
    worker: str
    """The worker, or the backend, that has it."""
    slot: int = 0
    """Which of the worker's slots it holds, from 0."""
    intended_at: datetime
    """When the launch was recorded, before it was ordered."""
    started_at: datetime | None = None
    """When the worker's launcher started it, by the worker's own word."""
    ended_at: datetime | None = None
    ending: Outcome | None = None
    """How the worker says it ended, while results are still to come home."""
    outcome: Outcome | None = None
    """How it ended, once all is home. Final."""
    exit_code: int | None = None
    reason: str = ""
    """Why it ended so, for a person."""
    boot_id: str = ""
    """The worker's boot id at its start."""
    native_id: str = ""
    """Its process group there, or the batch system's own id of it."""
    array: str = ""
    """The id of the job array that it is submitted in; empty where it goes by itself."""
    array_index: int = 0
    """Its index there, from 1."""
    left_array: str = ""
    """``ARRAY.INDEX`` of the job array that was refused, before it went by itself: its script is
    still there."""
    overdue: bool = False
    """It has outlived its time limit and is to be ended from here."""
    log_bytes: int = 0
    """Size of its log on the worker when last seen."""
    error_bytes: int = 0
    """Size of its separate error log, where it has one."""
    node: str = ""
    """The cluster's machine that it ran on."""
    waits_for: str = ""
    """Why the batch system has it wait, in its own words."""
    stuck_since: datetime | None = None
    """Since when it waits in an error that only a person can clear there."""
    given_up: str = ""
    """Why it is taken off the batch system, though nobody asked for that: it is stuck there."""
    usage: Usage | None = None
    """What it used, by the batch system's accounting; None while that has not told."""
    gathered: bool = False
    """All that it left is home."""
    results: tuple[ResultFile, ...] = ()
    released: bool = False
    """Its results have left the worker's Outbox."""
    remains: Remains = Remains.PRESENT
    keep_until: datetime | None = None
    result_key: str = ""
    """SHA-256 of all that its result depends on; empty where that is not to be kept."""
    taken_from: TakenFrom | None = None
    """Set where nothing ran: its results are copies of those of an earlier attempt."""

    @property
    def made_by(self) -> str:
        """The id of the attempt that really made its results."""
        return self.id if self.taken_from is None else self.taken_from.attempt

    @property
    def array_place(self) -> tuple[str, int] | None:
        """The job array in whose folder its script is, and its index there."""
        if self.array:
            return self.array, self.array_index
        array, _, index = self.left_array.partition(".")
        return (array, int(index)) if index else None

    @property
    def open(self) -> bool:
        """True until its outcome is known."""
        return self.outcome is None
