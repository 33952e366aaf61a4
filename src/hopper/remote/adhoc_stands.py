"""Where jobs on a batch system stand, looked up without any state of hopper's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from hopper.errors import TransportError, UsageError
from hopper.model.batch import BatchOrder, BatchReport, FollowBatch, Query, Said, SideSighting
from hopper.model.ids import ATTEMPT_ID
from hopper.model.native import BatchReading, Followed, NativePhase, NativeSighting
from hopper.remote.adhoc_results import Arguments
from hopper.remote.batch_script import PROGRAMS
from hopper.remote.login_node import carry_out
from hopper.remote.quoting import quote
from hopper.remote.transport import Transport

OVER = frozenset({"ended", "vanished", "left", "withdrawn"})


class System(Protocol):
    """What the ad-hoc acts ask of a kind of batch system; ``hopper.backends.base`` says more."""

    kind: str

    def native_id(self, said: Said) -> str:
        """Return the native id in the submit command's (or lookup's) words."""

    def refusal(self, said: Said) -> str:
        """Return why a submission was refused; empty where it is not known to have been."""

    def lookup_command(self, attempt: str) -> str:
        """Return shell text that prints the native id of an attempt that may be known."""

    def queries(self, jobs: Sequence[Followed], *, now: datetime, others: bool) -> Sequence[Query]:
        """Return what to ask about these jobs."""

    def read(self, answers: Mapping[str, Said], jobs: Sequence[Followed]) -> BatchReading:
        """Return what the answers mean."""

    def cancel_command(self, native_ids: Sequence[str]) -> str:
        """Return shell text that cancels jobs; empty for process groups of the host itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stand:
    """Where one job stands. Times are epoch seconds."""

    attempt: str = ""
    """Empty for a job that was asked for by its native id."""
    native_id: str = ""
    phase: str = "unknown"
    """``absent``, ``submitted``, ``queued``, ``running``, ``ended``, ``vanished`` (its processes
    are gone, without an exit code), ``left`` (it has left the queue, nothing tells how it ended),
    ``withdrawn`` or ``unknown``."""
    word: str = ""
    """Its state in the batch system's own word."""
    reason: str = ""
    exit_code: int | None = None
    how: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    node: str = ""
    out_bytes: int = 0
    err_bytes: int = 0

    @property
    def name(self) -> str:
        """What it was asked for by."""
        return self.attempt or self.native_id

    @property
    def over(self) -> bool:
        """True when it has ended, or never will run."""
        return self.phase in OVER

    @property
    def line(self) -> str:
        """All that matters, for people."""
        native = f" ({self.native_id})" if self.attempt and self.native_id else ""
        words = [self.how or self.phase]
        if self.exit_code is not None:
            words.append(f"exit code {self.exit_code}")
        words += [self.word, self.reason]
        return f"{self.name}{native}: {', '.join(filter(None, words))}"


def order_of(system: System | None, arguments: Arguments) -> BatchOrder:
    """Return an order of the arguments that does nothing yet."""
    kind = system.kind if system is not None else ""
    return BatchOrder(
        id="adhoc",
        host=str(arguments.get("host") or "host"),
        backend=kind,
        program=PROGRAMS.get(kind, ""),
        work_dir=str(arguments["work_dir"]),
        query_timeout=int(arguments.get("query_timeout") or 30),
    )


def ask(transport: Transport, order: BatchOrder) -> BatchReport:
    """Have an order carried out; TransportError where nothing is known of what came of it."""
    report = carry_out(transport, order)
    if report.error:
        raise TransportError(report.error, delivered=report.delivered)
    return report


def checked_attempt(attempt: str) -> str:
    """Return the id; UsageError for what is none."""
    if not ATTEMPT_ID.match(attempt):
        raise UsageError(
            f"attempt: {attempt!r} is no attempt id", way_out="a letter and 9 of a-z0-9"
        )
    return attempt


def side_of(order: BatchOrder, attempt: str) -> str:
    """Return shell text for an attempt's side folder."""
    work = order.work_dir
    if work == "~":
        return f'"$HOME"/{quote(attempt)}'
    if work.startswith("/"):
        return quote(f"{work}/{attempt}")
    below = work.removeprefix("~/")
    return f'"$HOME"/{quote(f"{below}/{attempt}")}'


def known_query(system: System, order: BatchOrder, attempt: str, name: str) -> Query:
    """Return the question for what was said when an attempt was submitted."""
    side = side_of(order, attempt)
    lookup = system.lookup_command(attempt) or ":"
    text = (
        f"if [ -e {side}/submitted ]; then cat {side}/submit.out\n"
        f"elif [ -e {side}/tried ]; then {lookup}\nfi"
    )
    return Query(name=name, shell=text)


def stands(transport: Transport, system: System, arguments: Arguments) -> tuple[list[Stand], str]:
    """Return where the attempts and native jobs stand, and what went wrong, if anything.

    Two round trips: for what the side folders say, then for what the batch system does.

    Raises:
        UsageError: an id is none, or nothing is asked for.
        TransportError: the host cannot be asked.
    """
    attempts = [checked_attempt(str(item)) for item in arguments.get("attempts") or ()]
    natives = [str(item) for item in arguments.get("native_ids") or ()]
    if not attempts and not natives:
        raise UsageError("no job is asked for", way_out="give attempts or native_ids")
    found, trouble = _by_sides(transport, system, arguments, attempts)
    found += [Stand(native_id=native) for native in natives]
    asked = [
        Followed(attempt=job.attempt, native_id=job.native_id, submitted_at=datetime.now(UTC))
        for job in found
        if job.native_id
    ]
    queries = system.queries(asked, now=datetime.now(UTC), others=False) if asked else ()
    if not queries:
        return found, trouble
    report = ask(transport, replace(order_of(system, arguments), queries=tuple(queries)))
    reading = system.read(dict(report.answers), asked)
    told = {job.native_id: job for job in reading.jobs}
    merged = [_merged(job, told.get(job.native_id), reading) for job in found]
    return merged, trouble or reading.trouble


def _by_sides(
    transport: Transport, system: System, arguments: Arguments, attempts: Sequence[str]
) -> tuple[list[Stand], str]:
    if not attempts:
        return [], ""
    order = order_of(system, arguments)
    names = {attempt: f"known_{number}" for number, attempt in enumerate(attempts)}
    report = ask(
        transport,
        replace(
            order,
            queries=tuple(known_query(system, order, item, name) for item, name in names.items()),
            follows=tuple(FollowBatch(attempt=item, collect=False) for item in names),
        ),
    )
    answers = dict(report.answers)
    sides = {side.attempt: side for side in report.sides}
    found, trouble = [], "; ".join(text for _, text in report.troubles)
    for attempt, name in names.items():
        side = sides.get(attempt, SideSighting(attempt=attempt))
        said = answers.get(name, Said(code=1, stdout="", stderr=""))
        stand = _by_side(side, system.native_id(said) or side.native)
        if stand.phase == "absent" and said.code:
            # It cannot be told now whether the batch system knows of it.
            stand = replace(stand, phase="unknown")
            trouble = trouble or " ".join(said.stderr.split()) or "the batch system does not answer"
        found.append(stand)
    return found, trouble


def _by_side(side: SideSighting, native: str) -> Stand:
    if side.exit_code is not None:
        phase = "ended"
    elif side.alive is False:
        phase = "ended" if side.how else "vanished"
    elif side.alive or side.started_at is not None:
        phase = "running"
    else:
        phase = "submitted" if native else "absent"
    return Stand(
        attempt=side.attempt,
        native_id=native,
        phase=phase,
        exit_code=side.exit_code,
        how=side.how,
        started_at=side.started_at,
        ended_at=side.ended_at,
        node=side.node,
        out_bytes=side.out_bytes,
        err_bytes=side.err_bytes,
    )


def _merged(job: Stand, native: NativeSighting | None, reading: BatchReading) -> Stand:
    if not job.native_id:
        return job
    if native is None:
        gone = reading.queue_seen and not job.over
        return replace(job, phase="left") if gone else job
    ended = job.phase == "ended" or native.phase is NativePhase.ENDED
    return replace(
        job,
        phase="ended" if ended else str(native.phase),
        word=native.word,
        reason="" if native.reason.lower() == "none" else native.reason,
        exit_code=native.exit_code if job.exit_code is None else job.exit_code,
        started_at=native.started_at if job.started_at is None else job.started_at,
        ended_at=native.ended_at if job.ended_at is None else job.ended_at,
        node=job.node or native.node,
    )
