"""Orders to a batch system's login node and its reports, as they travel in JSON lines.

Times are epoch seconds. What is in the batch system's own words travels unread; the backend
reads it at home.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hopper.model.orders import Collected, LogPart, Order, Report


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """A question to the batch system: shell text whose output is read at home."""

    name: str
    """What the backend knows it by; lower-case letters and underscores."""
    shell: str
    """POSIX sh, all values in it quoted. It runs under a time limit, without input."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a command said."""

    code: int
    """Exit code; 124 when it was ended by its time limit."""
    stdout: str
    stderr: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """Hand this attempt to the batch system, once."""

    attempt: str
    script: str
    """The whole submission script."""
    command: str
    """Shell text that submits ``$hopper_script`` and prints the native id. Empty where the script
    is started as a process group of the host itself (``local``)."""
    lookup: str
    """Shell text that prints what the batch system knows of the attempt, asked before a
    submission that may have been made already is made again. Empty where nothing can be asked
    (``local``)."""
    time_limit: int = 0
    """Seconds, where no batch system keeps it (``local``); 0 for none."""
    inputs: tuple[tuple[str, str], ...] = ()
    """Files at home, and the names they get in the attempt's folder."""
    tasks: tuple[tuple[int, str], ...] = ()
    """Of a job array, whose id stands in the attempt's place: index and script of each member."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowBatch:
    """Tell what the attempt's own side folder says; if it has ended, bring home what it left."""

    attempt: str
    collect: bool = True
    """False while there is no room at home, or it is known that it goes on."""
    working_dir: str = "~"
    output_file: str = ""
    """Where its output goes instead of the side folder; a leading ``~`` is expanded there."""
    error_file: str = ""
    outputs: tuple[str, ...] = ()
    """Globs below the working folder."""
    generates_source: str = ""
    array_log: str = ""
    """Of a member of a job array, where below the work folder what the system keeps of it is."""
    over: bool = False
    """The batch system says that it has ended: collect though its script recorded no end."""
    zip_name: str = ""
    """For a zip: its name there without ``.zip``; its results are found as on a worker."""
    unpack_dirname: str = "job"


@dataclass(frozen=True, kw_only=True, slots=True)
class CancelBatch:
    """End an attempt."""

    attempt: str
    command: str
    """Shell text; empty where the process group is ours to end (``local``)."""
    others: tuple[str, ...] = ()
    """More attempts that the same command ends."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Withdrawal:
    """See that an attempt whose submission is not known to have been made never runs."""

    attempt: str
    lookup: str
    array: str = ""
    """The id of the job array that it is submitted in, by which it is looked up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadBatchLog:
    """Read a part of a log; an offset below 0 counts from its end."""

    attempt: str
    file: str
    """``out`` or ``err`` for hopper's own, else the task's output or error file."""
    working_dir: str
    offset: int
    limit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchOrder:
    """All that one login node is to do in one go, in the order of the fields."""

    id: str
    host: str
    backend: str
    program: str = ""
    """What must be on PATH there; if it is not, the login profile is read."""
    work_dir: str = "~/.hopper"
    """Where the attempts' side folders are."""
    turn: str = ""
    """Its place among the orders of one hopper, ``LINE LIFE NUMBER``: one that comes after a later
    one submits nothing. Empty for one that submits nothing."""
    incoming: str = ""
    """Folder at home where collected files are put, a folder for each attempt in it."""
    grace: int = 10
    query_timeout: int = 30
    """Seconds that a command of the batch system may take."""
    answer_limit: int = 1 << 28
    """Bytes that it may say; one that says more has given no answer."""
    inline_limit: int = 1_000_000
    fetch_limit: int | None = None
    log_limit: int = 1_000_000
    cancels: tuple[CancelBatch, ...] = ()
    withdrawals: tuple[Withdrawal, ...] = ()
    cleans: tuple[str, ...] = ()
    """Attempts of which nothing is wanted any more."""
    array_cleans: tuple[tuple[str, str, int], ...] = ()
    """The same of members of job arrays: attempt, array and index."""
    submissions: tuple[Submission, ...] = ()
    queries: tuple[Query, ...] = ()
    follows: tuple[FollowBatch, ...] = ()
    uploads: tuple[tuple[str, str], ...] = ()
    """Files at home and the names that they get in ``$hopper_uploads``, for the queries."""
    log: ReadBatchLog | None = None
    deadline: float | None = None
    apart: bool = False


class Submitted(StrEnum):
    """What became of a submission."""

    NOW = "now"
    """It was made now."""
    AGAIN = "again"
    """It had been made before; what was said then is told again."""
    UNDERWAY = "underway"
    """An earlier try may still be at it, or its outcome cannot be found out now."""
    FOUND = "found"
    """An earlier try had got through; the batch system knows the attempt."""
    REFUSED = "refused"
    """It could not be made: no place for its folder, say. Never has been, never will."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SubmitResult:
    """What became of the submission of an attempt, and the batch system's words."""

    attempt: str
    verdict: Submitted
    said: Said


@dataclass(frozen=True, kw_only=True, slots=True)
class SideSighting:
    """What an attempt's side folder says."""

    attempt: str
    native: str = ""
    """The batch system's id as the running script saw it."""
    started_at: float | None = None
    exit_code: int | None = None
    """None while the script has recorded no end."""
    ended_at: float | None = None
    out_bytes: int = 0
    err_bytes: int = 0
    alive: bool | None = None
    """``local`` only: whether its process group lives."""
    node: str = ""
    how: str = ""
    """``local`` only: ``timeout`` or ``cancelled`` when it was ended from outside."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchReport:
    """What came of an order. With ``error``, nothing is known."""

    order: str
    host: str
    at: float
    error: str = ""
    delivered: bool = True
    clock_skew: float | None = None
    free_bytes: int | None = None
    submitted: tuple[SubmitResult, ...] = ()
    answers: tuple[tuple[str, Said], ...] = ()
    """What the queries said, by their names."""
    sides: tuple[SideSighting, ...] = ()
    cancelled: tuple[tuple[str, Said], ...] = ()
    withdrawn: tuple[str, ...] = ()
    """Attempts that were never submitted and never will be."""
    cleaned: tuple[str, ...] = ()
    collected: tuple[Collected, ...] = ()
    words: tuple[tuple[str, str], ...] = ()
    """Attempts, and the end of what the batch system itself said of them in its files."""
    gathered: tuple[str, ...] = ()
    """Attempts of which all that was offered came home."""
    too_large: tuple[str, ...] = ()
    log: LogPart | None = None
    troubles: tuple[tuple[str, str], ...] = ()
    """Attempt (or nothing) and what went wrong."""


AnyOrder = Order | BatchOrder
AnyReport = Report | BatchReport
