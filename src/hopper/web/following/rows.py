"""A job as a list shows it: a light row, made from its document without decoding all of it. Pure.

Documents come from the store, but perhaps from another version of hopper: what a row cannot
read of one is left empty, so that one odd job never takes the list away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from sys import intern
from typing import Any

from hopper.dispatch.run_views import group_of
from hopper.model.states import JobState

Document = Mapping[str, Any]

CLUSTER = "cluster"
"""The origin of a job on a cluster that hopper did not submit."""
GONE = "gone"
"""The state of such a job that is not there any more: how it ended is not known."""
_PHASES = {"queued": JobState.SUBMITTED.value, "running": JobState.RUNNING.value, "ended": GONE}
ENDED = frozenset({*(state.value for state in JobState if state.terminal), GONE})
UNDER_WAY = frozenset(state.value for state in JobState if state.on_worker)


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """What a row takes from the run of its job."""

    workflow: str = ""
    backend: str = ""
    user: str = ""


NO_RUN = Home()
_TOO_LARGE = 1 << 53
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError)
"""What making a row of a document raises that is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRow:
    """One job, ours or somebody else's on a cluster. Times are aware UTC."""

    id: str
    name: str = ""
    task: str = ""
    """The id of its task in its run."""
    group: str = ""
    """The group of its task there."""
    run: str = ""
    workflow: str = ""
    user: str = ""
    state: str = JobState.PENDING.value
    """One of JobState's, or ``gone``."""
    origin: str = "zip"
    """One of Origin's, or ``cluster``."""
    backend: str = ""
    """The backend that it, or its run, is for; empty for zips on workers."""
    worker: str = ""
    """The worker, or backend, that has its newest attempt."""
    earlier: tuple[str, ...] = ()
    """Other workers that earlier attempts were on."""
    node: str = ""
    native_id: str = ""
    array: str = ""
    """``ARRAY.INDEX`` of a member of a job array."""
    reason: str = ""
    waits_for: str = ""
    held: bool = False
    cancelling: bool = False
    """Its cancelling was asked for, and it has not ended yet."""
    priority: int = 0
    tags: tuple[str, ...] = ()
    cpus: int | None = None
    memory: int | None = None
    """Bytes."""
    gpus: int = 0
    time_limit: float | None = None
    """Seconds."""
    partition: str = ""
    submitted_at: datetime | None = None
    state_since: datetime | None = None
    not_before: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_code: int | None = None
    attempts: int = 0
    utilization: float | None = None
    """Share of the CPU time it held that it used, 0 to 1."""
    taken: bool = False
    """Nothing ran: it took an equal task's result."""
    spans: tuple[float, ...] = ()
    """What its attempts held, in threes: start and end (epoch seconds; below 0 while it has not
    ended), and CPUs."""
    text: str = ""
    """All that a search looks at, in small letters."""

    @property
    def place(self) -> str:
        """The backend, or the worker, that it is on or for."""
        return self.backend or self.worker

    @property
    def over(self) -> bool:
        """True when it has ended, well or not."""
        return self.state in ENDED

    @property
    def running_cpus(self) -> bool:
        """True while its CPU hours grow."""
        return any(end < 0 for end in self.spans[1::3])

    def cpu_hours(self, now: float) -> float | None:
        """Return the CPU hours that its attempts held so far; None where none has started.

        ``now`` is in epoch seconds.
        """
        if not self.spans:
            return None
        seconds = 0.0
        for start, end, cpus in zip(*[iter(self.spans)] * 3, strict=True):
            seconds += max(0.0, (now if end < 0 else end) - start) * cpus
        return seconds / 3600


def job_row(document: Document, run: Home = NO_RUN) -> JobRow:
    """Return the row of a job's document; KeyError when it has no id."""
    spec, task = _part(document, "spec"), _part(document, "task")
    needs, asked = _part(spec, "requirements"), _part(task, "resources")
    attempts = [one for one in document.get("attempts") or () if isinstance(one, dict)]
    newest: Document = attempts[-1] if attempts else {}
    usage = _part(newest, "usage")
    cpus = asked.get("cpus", needs.get("cpus"))
    state = _short(document.get("state", JobState.PENDING.value))
    job_id, name, task_id = (
        _clean(document["id"]),
        _clean(spec.get("name")),
        _clean(task.get("id")),
    )
    node, native = _short(newest.get("node") or usage.get("node")), _clean(newest.get("native_id"))
    worker = _short(newest.get("worker"))
    array = newest.get("array")
    workers = {_short(one.get("worker")) for one in attempts[:-1]} - {worker}
    return JobRow(
        id=job_id,
        name=name,
        task=task_id,
        group=intern(group_of(task_id or name)) if document.get("run") else "",
        run=_short(document.get("run")),
        workflow=run.workflow,
        user=_short(document.get("user")) or run.user,
        state=state,
        origin=_short(document.get("origin", "zip")),
        backend=_short(document.get("backend")) or run.backend,
        worker=worker,
        earlier=tuple(sorted(workers)) if workers else (),
        node=node,
        native_id=native,
        array=f"{_clean(array)}.{newest.get('array_index')}" if array else "",
        reason=_short(document.get("reason") or ""),
        waits_for=_short(newest.get("waits_for")) if state == JobState.SUBMITTED else "",
        held=document.get("held") is True,
        cancelling=document.get("cancel_requested") is True and state not in ENDED,
        priority=_whole(spec.get("priority")) or 0,
        tags=tuple(_short(tag) for tag in needs.get("tags") or ()),
        cpus=_whole(cpus),
        memory=_whole(asked.get("memory") if task else needs.get("memory")),
        gpus=_whole(asked.get("gpus") if task else needs.get("gpus")) or 0,
        time_limit=_number(asked.get("time_limit") if task else needs.get("time_limit")),
        partition=_short(asked.get("partition") or needs.get("partition")),
        submitted_at=moment(document.get("submitted_at")),
        state_since=moment(document.get("state_since")),
        not_before=moment(document.get("not_before")),
        started_at=moment(newest.get("started_at")),
        ended_at=moment(newest.get("ended_at")),
        exit_code=_whole(newest.get("exit_code")),
        attempts=len(attempts),
        utilization=_utilization(usage),
        taken=newest.get("taken_from") is not None,
        spans=_spans(attempts, _whole(cpus) or 1, over=state in ENDED),
        text=_text(job_id, name, task_id, native, node),
    )


def external_row(document: Document) -> JobRow:
    """Return the row of a job that is none of ours; KeyError when it has no id."""
    job_id, name = _clean(document["id"]), _clean(document.get("name"))
    backend, node = _short(document.get("backend")), _short(document.get("node"))
    gone, started = moment(document.get("gone_at")), moment(document.get("started_at"))
    phase = _PHASES.get(str(document.get("phase")), GONE)
    native, user = _clean(document.get("native_id")), _short(document.get("user"))
    last = gone or moment(document.get("last_seen"))
    return JobRow(
        id=job_id,
        name=name,
        user=user,
        state=GONE if gone is not None else phase,
        origin=CLUSTER,
        backend=backend,
        worker=backend,
        node=node,
        native_id=native,
        reason=_short(document.get("word")),
        cpus=_whole(document.get("cpus")),
        partition=_short(document.get("partition")),
        submitted_at=moment(document.get("submitted_at") or document.get("first_seen")),
        state_since=last if gone is not None else started,
        started_at=started,
        ended_at=last if gone is not None else None,
        text=_text(job_id, name, native, node, user),
    )


def moment(value: object) -> datetime | None:
    """Return a stored time; None where there is none, or none that can be read."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _spans(attempts: Iterable[Document], cpus: int, *, over: bool) -> tuple[float, ...]:
    found: list[float] = []
    for attempt in attempts:
        if attempt.get("taken_from") is None:
            found += _span(attempt, cpus, over=over)
    return tuple(found)


def _span(attempt: Document, cpus: int, *, over: bool) -> tuple[float, ...]:
    usage = _part(attempt, "usage")
    start, end = moment(attempt.get("started_at")), moment(attempt.get("ended_at"))
    elapsed = _number(usage.get("elapsed_seconds"))
    held = float(_whole(usage.get("cpus")) or cpus)
    if start is None:
        return (end.timestamp() - elapsed, end.timestamp(), held) if end and elapsed else ()
    first = start.timestamp()
    if elapsed is not None and (end is not None or over):
        return first, first + max(0.0, elapsed), held
    if end is None and attempt.get("outcome") is None and not over:
        return first, -1.0, held
    # Nobody knows when it ended: better nothing than hours that grow for ever.
    return (first, max(first, end.timestamp()), held) if end is not None else ()


def _utilization(usage: Document) -> float | None:
    used = _number(usage.get("cpu_seconds"))
    held = (_number(usage.get("elapsed_seconds")) or 0.0) * (_whole(usage.get("cpus")) or 0)
    return None if used is None or not held else used / held


def _part(document: Document, key: str) -> Document:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _whole(value: object) -> int | None:
    usable = isinstance(value, int) and not isinstance(value, bool) and abs(value) < _TOO_LARGE
    return value if usable else None  # type: ignore[return-value]


def _number(value: object) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if usable else None  # type: ignore[arg-type]


def _clean(value: object) -> str:
    """Return a text that can be sent: lone surrogates stand for bytes that are no UTF-8."""
    text = "" if value is None else str(value)
    return text if text.isascii() else text.encode(errors="replace").decode()


def _short(value: object) -> str:
    """Return a text that many rows share, and keep it once."""
    return intern(_clean(value))


def _text(*parts: str) -> str:
    return "\n".join(dict.fromkeys(part for part in parts if part)).lower()
