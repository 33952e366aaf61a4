"""What a worker's report means for the jobs: observed, never assumed. Pure.

Only positive evidence ends anything. A report with an error changes no job's state, save that
an order known not to have arrived takes back the launches that it held.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hopper.dispatch.book import Book
from hopper.dispatch.changes import Changes
from hopper.dispatch.settings import CONTACT_BACK_OFF, REFUSAL_BACK_OFF, PolicySettings
from hopper.model.attempt import Attempt, Outcome, Remains, ResultFile
from hopper.model.event import Event, EventKind
from hopper.model.job import Job, Origin
from hopper.model.orders import ExternalSighting, LaunchResult, Order, Report, Sighting
from hopper.model.states import JobState
from hopper.model.worker import WorkerRecord

Landed = Mapping[str, tuple[ResultFile, ...]]
"""Results that are at home under their final names, by attempt."""

_REFUSED_UNSEEN = {"busy", "setup"}
"""Refusals before the worker has looked whether an earlier order is still at it."""

_STATE_OF = {
    Outcome.COMPLETED: JobState.COMPLETED,
    Outcome.CANCELLED: JobState.CANCELLED,
}


@dataclass(kw_only=True)
class Desk:
    """Gathers what a step changes; later parts of the step see what earlier ones did."""

    book: Book
    settings: PolicySettings
    now: datetime
    jobs: dict[str, Job] = field(default_factory=dict)
    records: dict[str, WorkerRecord] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def job(self, job_id: str) -> Job:
        """Return the job as this step has left it."""
        return self.jobs.get(job_id) or self.book.jobs[job_id]

    def record(self, worker: str) -> WorkerRecord:
        """Return what is known of the worker, as this step has left it."""
        return self.records.get(worker) or self.book.record(worker)

    def put(self, job: Job) -> None:
        """Take the job's new value."""
        self.jobs[job.id] = job

    def tell(
        self,
        kind: EventKind,
        *,
        job: str | None = None,
        worker: str | None = None,
        reason: str = "",
        **data: object,
    ) -> None:
        """Add an event."""
        self.events.append(
            Event(kind=kind, at=self.now, job=job, worker=worker, reason=reason, data=data)
        )

    def move(self, job: Job, state: JobState, reason: str = "") -> Job:
        """Move the job to another state and tell of it."""
        attempt = job.attempt
        moved = job.moved(state, at=self.now, reason=reason)
        self.put(moved)
        self.tell(
            EventKind.JOB_STATE,
            job=job.id,
            worker=attempt.worker if attempt is not None else None,
            reason=reason,
            **{"from": str(job.state), "to": str(state)},
            attempt=attempt.id if attempt is not None else "",
        )
        return moved

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Forget what the block has put and told when it raises."""
        before = dict(self.jobs), dict(self.records), list(self.events)
        try:
            yield
        except BaseException:
            self.jobs, self.records, self.events = before
            raise

    def changes(self) -> Changes:
        """Return all of it as one commit."""
        return Changes(
            jobs=tuple(self.jobs.values()),
            workers=tuple(
                record
                for name, record in self.records.items()
                if record != self.book.records.get(name)
            ),
            events=tuple(self.events),
        )


def reconcile(
    desk: Desk, order: Order, report: Report, landed: Landed, first: Collection[str] = ()
) -> None:
    """Take in one report on one order.

    ``first`` holds the attempts that no earlier order can have launched. Only of these is it
    known that they have not started when this order did not arrive.
    """
    if report.error:
        _no_contact(desk, order, report, first)
        return
    _contact(desk, report)
    _take_in_acts(desk, report, first)
    for sighting in report.sightings:
        _sighted(desk, report, sighting, landed)
    for external in report.externals:
        _external_sighted(desk, report, external, landed)
    for attempt_id, text in report.troubles:
        found = _open(desk, report.host, attempt_id)
        job_id = found[0].id if found else None
        desk.tell(EventKind.TROUBLE, job=job_id, worker=report.host, reason=text)


def _take_in_acts(desk: Desk, report: Report, first: Collection[str]) -> None:
    for result in report.launched:
        if result.verdict == "refused":
            _refused(desk, report.host, result, first)
    for attempt_id, verdict, survivors in report.cancelled:
        if verdict == "alive":
            _survivors(desk, report.host, attempt_id, survivors)
    _take_in_tidying(desk, report)


def _take_in_tidying(desk: Desk, report: Report) -> None:
    for attempt_id, verdict in report.discarded:
        if verdict == "dead":
            _discarded(desk, report.host, attempt_id)
    for attempt_id in report.released:
        _update_ended(desk, report.host, attempt_id, released=True)
    for attempt_id in report.cleaned:
        _cleaned(desk, report.host, attempt_id)


# --- contact


def _no_contact(desk: Desk, order: Order, report: Report, first: Collection[str]) -> None:
    record = desk.record(report.host)
    failures = record.contact_failures + 1
    since = record.no_contact_since or desk.now
    if record.no_contact_since is None:
        desk.tell(EventKind.WORKER_UNREACHABLE, worker=report.host, reason=report.error)
    desk.records[report.host] = replace(
        record,
        no_contact_since=since,
        contact_error=report.error,
        contact_failures=failures,
        contact_not_before=desk.now + CONTACT_BACK_OFF.wait(failures),
    )
    if not report.delivered:
        for launch in order.launches:
            if launch.attempt in first:
                void(desk, report.host, launch.attempt, f"{report.host} was not reached")


def _contact(desk: Desk, report: Report) -> None:
    record = desk.record(report.host)
    if record.no_contact_since is not None:
        desk.tell(EventKind.WORKER_REACHED, worker=report.host)
    unready = ""
    if report.missing:
        unready = f"missing: {', '.join(report.missing)}"
        if unready != record.unready:
            reason = f"{unready}; run 'hopper workers setup {report.host}'"
            desk.tell(EventKind.TROUBLE, worker=report.host, reason=reason)
    desk.records[report.host] = replace(
        record,
        last_contact=desk.now,
        no_contact_since=None,
        contact_error="",
        contact_failures=0,
        contact_not_before=None,
        boot_id=report.boot_id,
        clock_skew=report.clock_skew,
        free_bytes=report.free_bytes,
        unready=unready,
    )


# --- launches that came to nothing


def void(desk: Desk, worker: str, attempt_id: str, reason: str) -> None:
    """Take back an attempt that is known never to have started."""
    found = _open(desk, worker, attempt_id)
    if found is None or found[0].state is not JobState.SUBMITTED:
        return
    job, attempt = found
    desk.tell(EventKind.LAUNCH_VOIDED, job=job.id, worker=worker, reason=reason, attempt=attempt.id)
    target = JobState.CANCELLED if job.cancel_requested else JobState.PENDING
    moved = desk.move(job, target, reason)
    desk.put(replace(moved, attempts=tuple(a for a in moved.attempts if a.id != attempt.id)))


def _refused(desk: Desk, worker: str, result: LaunchResult, first: Collection[str]) -> None:
    found = _open(desk, worker, result.attempt)
    if found is None or (result.attempt not in first and result.why in _REFUSED_UNSEEN):
        return
    job_id = found[0].id
    void(desk, worker, result.attempt, f"{worker}: {result.text}")
    job = desk.job(job_id)
    if job.state is not JobState.PENDING or result.why in {"busy", "setup"}:
        if job.state is JobState.PENDING:
            desk.put(replace(job, not_before=desk.now + timedelta(seconds=2)))
        return
    refusals = job.refusals + 1
    wait = REFUSAL_BACK_OFF.wait(refusals)
    job = replace(job, refusals=refusals, refused_by=worker, not_before=desk.now + wait)
    desk.put(job)
    if result.why == "disk":
        # No fault of the job's: it waits for room, however long that takes.
        return
    _count_failure(desk, worker, job_id)
    if refusals >= desk.settings.max_refusals:
        desk.move(job, JobState.FAILED, f"refused {refusals} times, last by {job.reason}")


# --- sightings


def _sighted(desk: Desk, report: Report, sighting: Sighting, landed: Landed) -> None:
    found = _open(desk, report.host, sighting.attempt)
    if found is None:
        return
    job, attempt = found
    attempt = replace(
        attempt,
        log_bytes=sighting.log_bytes,
        started_at=attempt.started_at or _time(sighting.started_at),
        boot_id=attempt.boot_id or report.boot_id,
        native_id=attempt.native_id or (sighting.group if sighting.phase == "running" else ""),
    )
    if sighting.phase in {"absent", "staged"}:
        if not report.missing:
            _nowhere(desk, job, attempt)
        return
    if sighting.phase == "running":
        _update(desk, job, attempt)
        if job.state is JobState.SUBMITTED:
            job = desk.move(desk.job(job.id), JobState.RUNNING)
            desk.put(replace(job, refusals=0, refused_by=""))
        return
    _over(desk, job, attempt, sighting, landed)


def _over(desk: Desk, job: Job, attempt: Attempt, sighting: Sighting, landed: Landed) -> None:
    attempt = _ended(job, attempt, sighting, desk.now)
    if job.state is not JobState.SETTLING:
        job = desk.move(job.with_attempt(attempt), JobState.SETTLING, attempt.reason)
        if sighting.left_behind:
            left = f"processes left behind were ended: {sighting.left_behind}"
            desk.tell(EventKind.SURVIVORS, job=job.id, worker=attempt.worker, reason=left)
        if sighting.group:
            _survivors(desk, attempt.worker, attempt.id, sighting.group)
    else:
        _update(desk, job, attempt)
    if attempt.id in landed:
        _finish(desk, desk.job(job.id), attempt, landed[attempt.id])


def _nowhere(desk: Desk, job: Job, attempt: Attempt) -> None:
    """Its worker answers and has no trace of an attempt that had started there.

    That may pass (a file system that is not mounted), so it is given time.
    """
    if job.state is JobState.RUNNING:
        desk.move(job, JobState.SETTLING, "its worker has no trace of it")
        return
    since = job.state_since or job.submitted_at
    if job.state is JobState.SETTLING and desk.now - since > desk.settings.settle_timeout:
        attempt = replace(
            attempt,
            ended_at=attempt.ended_at or desk.now,
            outcome=Outcome.VANISHED,
            reason="outcome unknown: its worker has no trace of it",
            # Should it turn up again, it is to be killed.
            remains=Remains.ABANDONED,
        )
        end(desk, job.with_attempt(attempt), attempt)
        _count_failure(desk, attempt.worker, job.id)


def _ended(job: Job, attempt: Attempt, sighting: Sighting, now: datetime) -> Attempt:
    ending, reason = _ending(job, sighting)
    return replace(
        attempt,
        ended_at=attempt.ended_at or _time(sighting.ended_at) or now,
        ending=ending,
        exit_code=sighting.exit_code,
        reason=reason,
    )


def _ending(job: Job, sighting: Sighting) -> tuple[Outcome, str]:
    if sighting.phase == "rebooted":
        return Outcome.REBOOTED, "worker rebooted"
    if sighting.phase == "vanished":
        return Outcome.VANISHED, "its processes are gone and left no exit code"
    if sighting.how == "timeout" or (sighting.how == "cancelled" and not job.cancel_requested):
        return Outcome.TIMED_OUT, "ran into its time limit"
    if sighting.how == "cancelled":
        return Outcome.CANCELLED, "cancelled"
    if sighting.exit_code == 0:
        return Outcome.COMPLETED, ""
    return Outcome.FAILED, _exit_reason(sighting.exit_code)


def _exit_reason(code: int | None) -> str:
    if code is None:
        return "ended without an exit code"
    signals = {129: "HUP", 130: "INT", 134: "ABRT", 137: "KILL", 139: "SEGV", 143: "TERM"}
    name = signals.get(code)
    return f"exit code {code} (signal {name})" if name else f"exit code {code}"


def _finish(desk: Desk, job: Job, attempt: Attempt, results: tuple[ResultFile, ...]) -> None:
    """Give the attempt its outcome, now that all is home, and the job its next state."""
    outcome = attempt.ending or Outcome.VANISHED
    kept = outcome not in {Outcome.COMPLETED, Outcome.CANCELLED}
    attempt = replace(
        attempt,
        outcome=outcome,
        results=results,
        remains=Remains.KEPT if kept else Remains.UNWANTED,
        keep_until=desk.now + desk.settings.keep_failed if kept else None,
    )
    if results:
        names = [result.name for result in results]
        desk.tell(EventKind.RESULTS_HOME, job=job.id, worker=attempt.worker, files=names)
    end(desk, job.with_attempt(attempt), attempt)
    if outcome is Outcome.COMPLETED:
        record = desk.record(attempt.worker)
        desk.records[attempt.worker] = replace(record, failed_jobs=(), quarantines=0)
    elif outcome is not Outcome.CANCELLED:
        _count_failure(desk, attempt.worker, job.id)


def end(desk: Desk, job: Job, attempt: Attempt) -> None:
    """Move a job whose newest attempt has its outcome to its end, or to its next try."""
    outcome = attempt.outcome or Outcome.VANISHED
    retry = outcome.retryable or outcome is Outcome.ABANDONED
    if retry and not job.cancel_requested and job.failures < job.spec.retries:
        failures = job.failures + 1
        chance = zlib.crc32(attempt.id.encode()) / 2**32
        wait = desk.settings.retry.wait(failures, chance)
        job = desk.move(job, JobState.PENDING, attempt.reason)
        desk.put(replace(job, failures=failures, not_before=desk.now + wait))
        desk.tell(
            EventKind.RETRY_PLANNED,
            job=job.id,
            reason=f"try {failures + 1} of {job.spec.retries + 1} in {wait.total_seconds():.0f} s",
        )
        return
    state = _STATE_OF.get(outcome, JobState.FAILED)
    if job.cancel_requested and state is not JobState.COMPLETED:
        state = JobState.CANCELLED
    desk.move(job, state, attempt.reason)


def _count_failure(desk: Desk, worker: str, job_id: str) -> None:
    settings = desk.settings
    record = desk.record(worker)
    failed = tuple(dict.fromkeys((*record.failed_jobs, job_id)))
    failed = failed[-max(settings.quarantine_after, 1) :]
    record = replace(record, failed_jobs=failed)
    if 0 < settings.quarantine_after <= len(failed) and record.quarantined_until is None:
        quarantines = record.quarantines + 1
        wait = settings.quarantine.wait(quarantines)
        reason = f"{len(failed)} different jobs failed here in a row"
        record = replace(
            record,
            quarantined_until=desk.now + wait,
            quarantine_reason=reason,
            quarantines=quarantines,
        )
        desk.tell(
            EventKind.WORKER_QUARANTINED,
            worker=worker,
            reason=f"{reason}; tried again in {wait.total_seconds() / 60:.0f} min",
        )
    desk.records[worker] = record


# --- jobs of others


def _external(desk: Desk, worker: str, name: str) -> Job | None:
    for job in desk.book.placed.get(worker, {}).values():
        if job.origin is Origin.EXTERNAL and job.remote_name == name:
            return desk.job(job.id)
    return None


def _external_sighted(
    desk: Desk, report: Report, sighting: ExternalSighting, landed: Landed
) -> None:
    job = _external(desk, report.host, sighting.name)
    attempt = job.open_attempt if job is not None else None
    if job is None or attempt is None or report.missing:
        return
    if sighting.in_inbox:
        if job.state is JobState.SUBMITTED:
            desk.move(job, JobState.RUNNING)
        return
    if job.state is not JobState.SETTLING:
        ended = replace(attempt, ended_at=desk.now, ending=Outcome.COMPLETED)
        job = desk.move(job.with_attempt(ended), JobState.SETTLING, "its zip left the Inbox")
        desk.tell(EventKind.ARTIFACTS_AWAITED, job=job.id, worker=report.host)
    if landed.get(attempt.id):
        current = desk.job(job.id)
        _finish(desk, current, current.attempts[-1], landed[attempt.id])


# --- what is left of ended attempts


def _survivors(desk: Desk, worker: str, attempt_id: str, survivors: str) -> None:
    found = _open(desk, worker, attempt_id)
    job_id = found[0].id if found else None
    desk.tell(
        EventKind.SURVIVORS,
        job=job_id,
        worker=worker,
        reason=f"processes that would not die: {survivors}",
    )


def _discarded(desk: Desk, worker: str, attempt_id: str) -> None:
    until = desk.now + desk.settings.keep_failed
    _update_ended(desk, worker, attempt_id, remains=Remains.KEPT, keep_until=until, released=True)


def _cleaned(desk: Desk, worker: str, attempt_id: str) -> None:
    job = _update_ended(desk, worker, attempt_id, remains=Remains.GONE)
    if job is not None:
        desk.tell(EventKind.REMAINS_CLEANED, job=job.id, worker=worker, attempt=attempt_id)


def _update_ended(desk: Desk, worker: str, attempt_id: str, **values: object) -> Job | None:
    for known in desk.book.untidy.get(worker, {}).values():
        job = desk.job(known.id)
        attempt = job.find_attempt(attempt_id)
        if attempt is not None and not attempt.open:
            updated: Attempt = replace(attempt, **values)  # type: ignore[arg-type]
            job = job.with_attempt(updated)
            desk.put(job)
            return job
    return None


def _open(desk: Desk, worker: str, attempt_id: str) -> tuple[Job, Attempt] | None:
    """Return the open attempt of that id on that worker, with its job."""
    for known in desk.book.placed.get(worker, {}).values():
        job = desk.job(known.id)
        attempt = job.open_attempt
        if attempt is not None and attempt.id == attempt_id:
            return job, attempt
    return None


def _update(desk: Desk, job: Job, attempt: Attempt) -> None:
    """Take in an attempt's news; what is only a longer log makes no commit."""
    old = job.find_attempt(attempt.id)
    if old is None or replace(old, log_bytes=attempt.log_bytes) != attempt:
        desk.put(job.with_attempt(attempt))


def _time(epoch: float | None) -> datetime | None:
    return None if epoch is None else datetime.fromtimestamp(epoch, UTC)
