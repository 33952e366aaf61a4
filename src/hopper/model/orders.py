"""Orders to a worker and its reports. Times are epoch seconds.

``wire`` makes JSON of them, and reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """Start this attempt of a job, once."""

    attempt: str
    job_id: str
    name: str
    """The zip's name on the worker, without ``.zip``."""
    zip_path: str
    """Where the zip lies at home."""
    zip_size: int
    zip_sha256: str
    unpacked_size: int = 0
    command: str
    """One or more lines of shell, run in the unpack folder."""
    env: Mapping[str, str]
    time_limit: int = 0
    """Seconds; 0 for none."""
    slot: int = 0
    slots: int = 1
    unpack_dirname: str = "job"


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskFiles:
    """Where a task of a run leaves what is to come home, by its own words."""

    working_dir: str = "."
    """Relative ones are below the task's own folder."""
    output_file: str = ""
    error_file: str = ""
    outputs: tuple[str, ...] = ()
    generates_source: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Follow:
    """Tell where an attempt stands; if it is over, bring home what it left."""

    attempt: str
    name: str
    unpack_dirname: str = "job"
    globs: tuple[str, ...] = ("results",)
    collect: bool = True
    """False while there is no room at home."""
    task: TaskFiles | None = None
    """For a task of a run, in place of ``globs``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class External:
    """Tell where a job stands that somebody else launched."""

    attempt: str
    name: str
    collect: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """An attempt to be cancelled, discarded or cleaned away."""

    attempt: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """Results of an attempt that are safe at home and may leave the Outbox."""

    attempt: str
    files: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadLog:
    """Read a part of an attempt's log; an offset below 0 counts from its end."""

    attempt: str
    offset: int
    limit: int
    name: str = ""
    """For a task of a run: the zip's name on the worker, without ``.zip``."""
    unpack_dirname: str = "job"
    task: TaskFiles | None = None
    errors: bool = False
    """For a task of a run: its standard error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """All that one host is to do in one go, in the order of the fields."""

    id: str
    host: str
    inbox: str = "~/Inbox"
    outbox: str = "~/Outbox"
    incoming: str = ""
    """Folder at home where collected files are put, a folder for each attempt in it."""
    transfer_mode: str = "scp"
    grace: int = 10
    """Seconds between TERM and KILL."""
    inline_limit: int = 1_000_000
    """Bytes that may travel inside the round trip itself, each way."""
    fetch_limit: int | None = None
    """Files larger than this stay for an order of their own."""
    log_limit: int = 1_000_000
    """Bytes of a log that come home, from its end."""
    cancels: tuple[Target, ...] = ()
    discards: tuple[Target, ...] = ()
    releases: tuple[Release, ...] = ()
    cleans: tuple[Target, ...] = ()
    launches: tuple[Launch, ...] = ()
    follows: tuple[Follow, ...] = ()
    externals: tuple[External, ...] = ()
    log: ReadLog | None = None
    deadline: float | None = None
    """Seconds after which it is given up; None for a transfer that may take its time."""
    apart: bool = False
    """Goes beside the orders that take turns: large transfers and suspect hosts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sighting:
    """Where an attempt stands on its worker."""

    attempt: str
    phase: str
    """absent, staged, running, ended, rebooted or vanished."""
    how: str = ""
    """For ended: exited, timeout or cancelled."""
    exit_code: int | None = None
    started_at: float | None = None
    ended_at: float | None = None
    log_bytes: int = 0
    left_behind: str = ""
    """Processes that the job had left behind when its script ended, and that were killed."""
    group: str = ""
    """Process group while running; processes that would not die once ended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Collected:
    """One file that is home and verified, not yet under its final name."""

    attempt: str
    kind: str
    """result, tar (made into a zip) or log."""
    name: str
    """Its name on the worker; for a tar, that of the zip made from it."""
    path: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchResult:
    """What came of a launch."""

    attempt: str
    verdict: str
    """now, again (had started before), underway, or refused."""
    why: str = ""
    """For refused: setup, busy, torn, disk or unpack."""
    text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalSighting:
    """Where a job of somebody else's stands."""

    name: str
    in_inbox: bool
    results: tuple[tuple[str, int], ...] = ()
    """File names and sizes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LogPart:
    """A part of an attempt's log. ``text`` holds the bytes as latin-1."""

    attempt: str
    size: int
    offset: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What one host did and showed. With ``error`` set, nothing else in it may be believed."""

    order: str
    host: str
    at: float
    error: str = ""
    """The host could not be reached, or did not answer as it should."""
    delivered: bool = True
    """False where the order is known not to have reached the host."""
    boot_id: str = ""
    clock_skew: float | None = None
    free_bytes: int | None = None
    inbox: str = ""
    outbox: str = ""
    missing: tuple[str, ...] = ()
    """Folders that should be there and are not."""
    zips: tuple[str, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    externals: tuple[ExternalSighting, ...] = ()
    launched: tuple[LaunchResult, ...] = ()
    cancelled: tuple[tuple[str, str, str], ...] = ()
    """Attempt, dead or alive, survivors."""
    discarded: tuple[tuple[str, str], ...] = ()
    released: tuple[str, ...] = ()
    cleaned: tuple[str, ...] = ()
    collected: tuple[Collected, ...] = ()
    """Files; complete for the attempts in ``gathered``."""
    gathered: tuple[str, ...] = ()
    """Attempts of which all that there is to bring home is home."""
    too_large: tuple[str, ...] = ()
    """Attempts with files over the order's ``fetch_limit``."""
    troubles: tuple[tuple[str, str], ...] = ()
    """Attempt (or empty) and what went wrong."""
    log: LogPart | None = None
