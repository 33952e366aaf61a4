"""Turns the records of a worker's answer into a report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from hopper.errors import TransportError
from hopper.model.orders import ExternalSighting, LaunchResult, Sighting

KIB = 1024
KINDS = frozenset({"result", "tar", "log", "errors", "system", "tasks"})

PHASES = frozenset({"absent", "staged", "running", "ended", "rebooted", "vanished"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A file on the worker that is to come home."""

    attempt: str
    kind: str
    path: str
    size: int
    sha256: str
    along: bool
    """Its bytes follow in this very answer."""


@dataclass(kw_only=True, slots=True)
class Findings:
    """What the records of one answer say, gathered while they are read."""

    boot_id: str = ""
    clock: float | None = None
    free_bytes: int | None = None
    inbox: str = ""
    outbox: str = ""
    missing: list[str] = field(default_factory=list)
    zips: list[str] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    in_inbox: dict[str, bool] = field(default_factory=dict)
    external_results: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    launched: list[LaunchResult] = field(default_factory=list)
    cancelled: list[tuple[str, str, str]] = field(default_factory=list)
    discarded: list[tuple[str, str]] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    cleaned: list[str] = field(default_factory=list)
    offers: list[Offer] = field(default_factory=list)
    offered_whole: list[str] = field(default_factory=list)
    prepared: dict[str, tuple[str, int]] = field(default_factory=dict)
    troubles: list[tuple[str, str]] = field(default_factory=list)
    log: tuple[str, int, int, int] | None = None
    """Attempt, size, offset, length."""

    def externals(self) -> tuple[ExternalSighting, ...]:
        """Return what was seen of the jobs that somebody else launched."""
        return tuple(
            ExternalSighting(
                name=name, in_inbox=present, results=tuple(self.external_results.get(name, ()))
            )
            for name, present in self.in_inbox.items()
        )


def read(records: tuple[tuple[str, ...], ...]) -> Findings:
    """Read the records of an answer; TransportError where one is not of its kind's form."""
    findings = Findings()
    for kind, *fields in records:
        reader = _READERS.get(kind)
        if reader is None:
            raise TransportError(f"the worker's answer holds an unknown record {kind!r}")
        try:
            reader(findings, *fields)
        except (TypeError, ValueError) as error:
            raise TransportError(f"the worker's {kind!r} record is garbled") from error
    return findings


def whole(text: str) -> int | None:
    """Return a whole number, None for nothing; ValueError for anything else."""
    return int(text) if text.strip() else None


def count(text: str) -> int:
    """Return a number from 0 up; ValueError for anything else."""
    number = int(text)
    if number < 0:
        raise ValueError(f"{text} is no count")
    return number


def seconds(text: str) -> float | None:
    """Return a number, None for nothing; ValueError for anything else."""
    return float(text) if text.strip() else None


def _host(f: Findings, boot: str, epoch: str, free: str, inbox: str, outbox: str) -> None:
    free_kib = whole(free)
    f.boot_id, f.clock, f.inbox, f.outbox = boot, seconds(epoch), inbox, outbox
    f.free_bytes = None if free_kib is None else free_kib * KIB


def _missing(f: Findings, what: str, path: str) -> None:
    f.missing.append(f"{what} {path}")


def _attempt(f: Findings, *fields: str) -> None:
    attempt, phase, how, code, began, ended, size, left, group = fields
    if phase not in PHASES:
        # Of what is not understood, nothing is concluded.
        raise ValueError(f"no phase {phase!r}")
    f.sightings.append(
        Sighting(
            attempt=attempt,
            phase=phase,
            how=how,
            exit_code=whole(code),
            started_at=seconds(began),
            ended_at=seconds(ended),
            log_bytes=count(size or "0"),
            left_behind=left.strip(),
            group=group.strip(),
        )
    )


def _external(f: Findings, name: str, present: str) -> None:
    f.in_inbox[name] = present == "1"


def _external_result(f: Findings, name: str, result: str, size: str) -> None:
    f.external_results.setdefault(name, []).append((result, count(size)))


def _launched(f: Findings, attempt: str, verdict: str) -> None:
    f.launched.append(LaunchResult(attempt=attempt, verdict=verdict))


def _refused(f: Findings, attempt: str, why: str, text: str) -> None:
    f.launched.append(LaunchResult(attempt=attempt, verdict="refused", why=why, text=text.strip()))


def offer_of(attempt: str, kind: str, path: str, size: str, sha256: str, along: str) -> Offer:
    """Return what a ``file`` record announces; ValueError where it is none."""
    if kind not in KINDS or PurePosixPath(path).name in {"", ".", ".."}:
        raise ValueError(f"no file of kind {kind!r} at {path!r}")
    return Offer(
        attempt=attempt,
        kind=kind,
        path=path,
        size=count(size),
        sha256=sha256,
        along=along == "1",
    )


def _prepared(f: Findings, attempt: str, path: str, present: str) -> None:
    f.prepared[attempt] = (path, count(present))


def _log(f: Findings, attempt: str, size: str, offset: str, length: str) -> None:
    f.log = (attempt, count(size), count(offset), count(length))


def _cancelled(f: Findings, attempt: str, verdict: str, survivors: str) -> None:
    f.cancelled.append((attempt, verdict, survivors.strip()))


def _discarded(f: Findings, attempt: str, verdict: str) -> None:
    f.discarded.append((attempt, verdict))


def _trouble(f: Findings, attempt: str, text: str) -> None:
    f.troubles.append((attempt, text.strip()))


_READERS: dict[str, Callable[..., None]] = {
    "host": _host,
    "missing": _missing,
    "zip": lambda f, name: f.zips.append(name),
    "attempt": _attempt,
    "external": _external,
    "external_result": _external_result,
    "launched": _launched,
    "refused": _refused,
    "cancelled": _cancelled,
    "discarded": _discarded,
    "released": lambda f, attempt: f.released.append(attempt),
    "cleaned": lambda f, attempt: f.cleaned.append(attempt),
    "file": lambda f, *fields: f.offers.append(offer_of(*fields)),
    "collected": lambda f, attempt: f.offered_whole.append(attempt),
    "prepared": _prepared,
    "trouble": _trouble,
    "log": _log,
}
