"""Turns the records of a login node's answer into a report."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from hopper.errors import TransportError
from hopper.model.batch import Said, SideSighting, SubmitResult, Submitted
from hopper.model.orders import LogPart
from hopper.remote.reading import KIB, Offer, count, offer_of, whole
from hopper.remote.reading import seconds as number_of

Words = tuple[str, str, str, int, int, int]
"""Kind, name, word, code, and the sizes of what follows raw of its output and errors."""

LATEST = 100_000_000_000
"""Epoch seconds; no date is later."""


@dataclass(kw_only=True, slots=True)
class BatchFindings:
    """What the records of one answer say, gathered while they are read."""

    clock: float | None = None
    free_bytes: int | None = None
    work: str = ""
    unusable: str = ""
    """Why nothing was done; empty when all was tried."""
    words: list[Words] = field(default_factory=list)
    submitted: list[SubmitResult] = field(default_factory=list)
    """Of those that said no more than one line."""
    sides: list[SideSighting] = field(default_factory=list)
    grown: dict[str, dict[str, int]] = field(default_factory=dict)
    """Sizes of logs that were measured after their attempt was told of."""
    withdrawn: list[str] = field(default_factory=list)
    cleaned: list[str] = field(default_factory=list)
    offers: list[Offer] = field(default_factory=list)
    offered_whole: list[str] = field(default_factory=list)
    troubles: list[tuple[str, str]] = field(default_factory=list)
    prepared: dict[tuple[str, int], str] = field(default_factory=dict)
    """Places for large files, by attempt and number."""
    log: tuple[str, int, int, int] | None = None
    raw: list[Words | Offer] = field(default_factory=list)
    """What has raw bytes behind the records, in their order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchRaw:
    """The raw bytes behind an answer, taken apart."""

    submitted: tuple[SubmitResult, ...]
    answers: tuple[tuple[str, Said], ...]
    cancelled: tuple[tuple[str, Said], ...]
    files: dict[str, bytes]
    """By the offers' paths."""
    log: LogPart | None


def read(records: tuple[tuple[str, ...], ...]) -> BatchFindings:
    """Read the records of an answer; TransportError where one is not of its kind's form."""
    findings = BatchFindings()
    for kind, *fields in records:
        reader = _READERS.get(kind)
        if reader is None:
            raise TransportError(f"the answer holds an unknown record {kind!r}")
        try:
            reader(findings, *fields)
        except (TypeError, ValueError) as error:
            raise TransportError(f"the answer's {kind!r} record is garbled") from error
    findings.sides = [_measured(findings, side) for side in findings.sides]
    return findings


def _measured(f: BatchFindings, side: SideSighting) -> SideSighting:
    grown = f.grown.get(side.attempt)
    if grown is None:
        return side
    return replace(
        side,
        out_bytes=grown.get("out", side.out_bytes),
        err_bytes=grown.get("err", side.err_bytes),
    )


def take_apart(findings: BatchFindings, raw: bytes) -> BatchRaw:
    """Give the raw bytes to those that announced them; TransportError where there are too few."""
    said: dict[str, list[tuple[str, str, Said]]] = {}
    files: dict[str, bytes] = {}
    pieces = _Pieces(raw)
    for item in findings.raw:
        if isinstance(item, Offer):
            files[item.path] = pieces.take(item.size)
            continue
        kind, name, word, code, out, err = item
        stdout, stderr = pieces.text(out), pieces.text(err)
        said.setdefault(kind, []).append(
            (name, word, Said(code=code, stdout=stdout, stderr=stderr))
        )
    log = None
    if findings.log is not None:
        attempt, size, offset, length = findings.log
        text = pieces.take(length).decode("latin-1")
        log = LogPart(attempt=attempt, size=size, offset=offset, text=text)
    return BatchRaw(
        submitted=(
            *findings.submitted,
            *(
                SubmitResult(attempt=name, verdict=Submitted(word), said=words)
                for name, word, words in said.get("submission", ())
            ),
        ),
        answers=tuple((name, words) for name, _, words in said.get("answer", ())),
        cancelled=tuple((name, words) for name, _, words in said.get("cancelled", ())),
        files=files,
        log=log,
    )


class _Pieces:
    def __init__(self, raw: bytes) -> None:
        self._raw, self._position = raw, 0

    def take(self, size: int) -> bytes:
        piece = self._raw[self._position : self._position + size]
        if len(piece) != size:
            raise TransportError("the answer broke off")
        self._position += size
        return piece

    def text(self, size: int) -> str:
        return self.take(size).decode("utf-8", "replace")


def seconds(text: str) -> float | None:
    """Return epoch seconds, None for nothing; ValueError for what is no time that dates know."""
    time = number_of(text)
    if time is not None and not (math.isfinite(time) and 0 <= time < LATEST):
        raise ValueError(f"{text} is no time")
    return time


def _login(f: BatchFindings, epoch: str, free: str, work: str) -> None:
    free_kib = whole(free)
    f.clock, f.work = seconds(epoch), work
    f.free_bytes = None if free_kib is None else free_kib * KIB


def _words(kind: str) -> Callable[..., None]:
    def reader(f: BatchFindings, name: str, word: str, code: str, out: str, err: str) -> None:
        if kind == "submission":
            Submitted(word)
        words = (kind, name, word, int(code), count(out), count(err))
        f.words.append(words)
        f.raw.append(words)

    return reader


def _submitted(f: BatchFindings, attempt: str, verdict: str, line: str) -> None:
    said = Said(code=0, stdout=line + "\n", stderr="")
    f.submitted.append(SubmitResult(attempt=attempt, verdict=Submitted(verdict), said=said))


def _side(f: BatchFindings, *fields: str) -> None:
    attempt, native, began, code, ended, out, err, alive, node, how = fields
    f.sides.append(
        SideSighting(
            attempt=attempt,
            native=native,
            started_at=seconds(began),
            exit_code=whole(code),
            ended_at=seconds(ended),
            out_bytes=count(out),
            err_bytes=count(err),
            alive=None if not alive else alive == "1",
            node=node,
            how=how,
        )
    )


def _grown(f: BatchFindings, attempt: str, which: str, size: str) -> None:
    if which not in ("out", "err"):
        raise ValueError(f"{which} is no log")
    f.grown.setdefault(attempt, {})[which] = count(size)


def _file(f: BatchFindings, *fields: str) -> None:
    offer = offer_of(*fields)
    f.offers.append(offer)
    if offer.along:
        f.raw.append(offer)


def _log(f: BatchFindings, attempt: str, size: str, offset: str, length: str) -> None:
    f.log = (attempt, count(size), count(offset), count(length))


def _prepared(f: BatchFindings, attempt: str, number: str, path: str) -> None:
    f.prepared[attempt, count(number)] = path


def _unusable(f: BatchFindings, text: str) -> None:
    f.unusable = text.strip()


def _trouble(f: BatchFindings, attempt: str, text: str) -> None:
    f.troubles.append((attempt, text.strip()))


_READERS: dict[str, Callable[..., None]] = {
    "login": _login,
    "prepared": _prepared,
    "answer": _words("answer"),
    "submission": _words("submission"),
    "submitted": _submitted,
    "cancelled": _words("cancelled"),
    "withdrawn": lambda f, attempt: f.withdrawn.append(attempt),
    "cleaned": lambda f, attempt: f.cleaned.append(attempt),
    "side": _side,
    "grown": _grown,
    "file": _file,
    "collected": lambda f, attempt: f.offered_whole.append(attempt),
    "unusable": _unusable,
    "trouble": _trouble,
    "log": _log,
}


def offered(findings: BatchFindings, attempt: str) -> Iterator[Offer]:
    """Yield the files that are offered of an attempt."""
    return (offer for offer in findings.offers if offer.attempt == attempt)
