"""What the ad-hoc plugins do on one login node: arguments become an order, its report a result.

Nothing of hopper's own state is read or written; the attempt's id is all there is to follow it.
Results are dicts of JSON values as Ansible takes them: ``changed``, ``failed`` or ``unreachable``
with ``msg``, and facts of the act.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields, replace

from hopper.errors import TransportError
from hopper.model.batch import (
    BatchOrder,
    BatchReport,
    CancelBatch,
    FollowBatch,
    Query,
    ReadBatchLog,
    Submission,
    SubmitResult,
    Submitted,
    Withdrawal,
)
from hopper.model.ids import attempt_id_of
from hopper.model.task import Task
from hopper.remote.adhoc_results import PART, Arguments, Outcome, failed, unreachable
from hopper.remote.adhoc_stands import (
    Stand,
    System,
    ask,
    checked_attempt,
    known_query,
    order_of,
    side_of,
    stands,
)
from hopper.remote.landing import append, resolved
from hopper.remote.transport import Transport

PAUSE = 2.0
"""Seconds between looks whether what was cancelled has ended."""


def attempt_for(place: Sequence[str], task: Task, work_dir: str) -> str:
    """Return the id of an attempt at a task that is the same whenever task and place are."""
    words = [str(getattr(task, field.name)) for field in fields(task) if field.name != "variables"]
    text = json.dumps([*place, work_dir, words, list(task.variables.items())])
    return attempt_id_of(text)


# --- submitting


def submit(
    transport: Transport,
    system: System,
    arguments: Arguments,
    submission: Submission,
    *,
    check: bool = False,
) -> Outcome:
    """Hand a script to the batch system, once for an attempt id; the same again changes nothing."""
    order = order_of(system, arguments)
    facts: Outcome = {"attempt": submission.attempt, "native_id": ""}
    try:
        if check:
            query = known_query(system, order, submission.attempt, "known")
            report = ask(transport, replace(order, queries=(query,)))
            return {**facts, **_would_submit(system, report), "script": submission.script}
        report = ask(transport, replace(order, submissions=(submission,)))
    except TransportError as error:
        return unreachable(str(error))
    if not report.submitted:
        return {**facts, "changed": False, **failed(_troubles(report) or "it did not answer")}
    return {**facts, **_submitted(system, report.submitted[0])}


def _would_submit(system: System, report: BatchReport) -> Outcome:
    said = dict(report.answers)["known"]
    if said.code:
        text = f"may have been submitted before: {_one_line(said.stderr or said.stdout)}"
        return {"changed": False, **failed(text)}
    native = system.native_id(said)
    text = f"has been submitted before, as {native}" if native else "would be submitted"
    return {"changed": not native, "native_id": native, "msg": text}


def _submitted(system: System, result: SubmitResult) -> Outcome:
    native = system.native_id(result.said)
    outcome: Outcome = {"changed": False, "verdict": str(result.verdict), "native_id": native}
    said = _one_line(result.said.stderr or result.said.stdout)
    if result.verdict is Submitted.REFUSED:
        return outcome | failed(f"refused: {said}")
    if result.verdict is Submitted.UNDERWAY:
        text = "an earlier try may still be at it, or cannot be looked up now; run this again"
        return outcome | failed(f"{text}: {said}" if said else text)
    if not native:
        if why := system.refusal(result.said):
            return outcome | failed(f"refused: {why}")
        text = "not known to have been submitted; run this again with the same attempt"
        return outcome | failed(f"{text}: {said}" if said else text)
    if result.verdict is Submitted.NOW:
        return outcome | {"changed": True, "msg": f"submitted as {native}"}
    text = f"had been submitted before, as {native}; with another attempt id it would be again"
    return outcome | {"msg": text}


# --- where jobs stand


def poll(
    transport: Transport, system: System, arguments: Arguments, *, check: bool = False
) -> Outcome:
    """Tell where attempts and native jobs stand; changes nothing, ``check`` or not."""
    del check
    try:
        found, trouble = stands(transport, system, arguments)
    except TransportError as error:
        return unreachable(str(error))
    return _told(found, trouble)


def _told(found: Iterable[Stand], trouble: str) -> Outcome:
    jobs = list(found)
    outcome: Outcome = {
        "changed": False,
        "jobs": [{**asdict(job), "over": job.over} for job in jobs],
        "over": all(job.over for job in jobs),
        "lines": [job.line for job in jobs],
        "msg": "; ".join(job.line for job in jobs),
    }
    absent = [job.name for job in jobs if job.phase == "absent"]
    if absent:
        return outcome | failed(f"this host knows nothing of {', '.join(absent)}")
    return outcome | failed(trouble) if trouble else outcome


# --- cancelling


def cancel(
    transport: Transport,
    system: System,
    arguments: Arguments,
    *,
    check: bool = False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """End attempts and native jobs, and see that they have ended.

    An attempt that was never submitted never will run.
    """
    try:
        before, trouble = stands(transport, system, arguments)
        todo = [job for job in before if not job.over]
        if check or not todo or trouble:
            text = f"would cancel {', '.join(job.name for job in todo)}" if todo else "was over"
            outcome = _told(before, trouble) | {"changed": bool(todo), "msg": trouble or text}
            return {**outcome, "failed": bool(trouble)}
        report = ask(transport, _cancelling(system, arguments, todo))
        deadline = clock() + float(arguments.get("wait") or 0)
        while True:
            found, trouble = stands(transport, system, arguments)
            after = [_or_withdrawn(job, report) for job in found]
            if all(job.over for job in after) or clock() >= deadline:
                return _cancelled(after, report, trouble)
            sleep(PAUSE)
    except TransportError as error:
        return unreachable(str(error))


def _cancelling(system: System, arguments: Arguments, todo: Iterable[Stand]) -> BatchOrder:
    cancels, withdrawals = [], []
    for job in todo:
        if job.attempt and (job.phase == "absent" or not job.native_id):
            lookup = system.lookup_command(job.attempt)
            withdrawals.append(Withdrawal(attempt=job.attempt, lookup=lookup))
        else:
            command = system.cancel_command([job.native_id])
            cancels.append(CancelBatch(attempt=job.attempt or "native", command=command))
    return replace(
        order_of(system, arguments),
        grace=int(arguments.get("grace", 10)),
        cancels=tuple(cancels),
        withdrawals=tuple(withdrawals),
    )


def _or_withdrawn(job: Stand, report: BatchReport) -> Stand:
    if job.phase == "absent" and job.attempt in report.withdrawn:
        return replace(job, phase="withdrawn")
    return job


def _cancelled(after: Iterable[Stand], report: BatchReport, trouble: str) -> Outcome:
    outcome = _told(after, trouble) | {"changed": True}
    if outcome["over"]:
        return {**outcome, "failed": False}
    words = [_one_line(said.stderr or said.stdout) for _, said in report.cancelled if said.code]
    said = "; ".join(filter(None, [*words, _troubles(report), trouble]))
    text = f"not over yet: {outcome['msg']}"
    return outcome | failed(f"{text} ({said})" if said else text)


# --- the log


def fetch_log(transport: Transport, arguments: Arguments, *, check: bool = False) -> Outcome:
    """Append to a file at home what its end lacks of an attempt's output or errors."""
    attempt = checked_attempt(str(arguments["attempt"]))
    path = resolved(arguments["dest"])
    left = int(arguments.get("limit") or 100_000_000)
    offset = path.stat().st_size if path.exists() else 0
    changed = False
    while True:
        try:
            report = ask(transport, _reading(arguments, attempt, offset, 0 if check else left))
        except TransportError as error:
            return unreachable(str(error))
        log = report.log
        if log is None or not report.sides:
            return {"changed": False, **failed(_troubles(report) or "the host sent no log")}
        facts: Outcome = {"phase": _phase(report), "size": log.size, "dest": str(path)}
        if dict(report.answers)["there"].code:
            text = f"this host knows no attempt {attempt}; --limit names the host"
            return {**facts, "changed": False, "phase": "absent", **failed(text)}
        if check:
            return {**facts, "changed": offset < log.size}
        part = log.text.encode("latin-1")
        if part or not path.exists():
            append(path, offset, part)
            changed = True
        offset, left = offset + len(part), left - len(part)
        if not part or left <= 0:
            return {**facts, "changed": changed, "fetched_to": offset}


def _phase(report: BatchReport) -> str:
    side = report.sides[0]
    if side.exit_code is not None or side.alive is False:
        return "ended"
    return "waiting" if side.started_at is None else "running"


def _reading(arguments: Arguments, attempt: str, offset: int, limit: int) -> BatchOrder:
    file = str(arguments.get("file") or arguments.get("stream") or "out")
    if arguments.get("file") and file in {"out", "err"}:
        # These words alone would mean the files of the side folder.
        file = f"./{file}"
    order = order_of(None, arguments)
    side = side_of(order, attempt)
    # A member of a job array has its script in the array's folder.
    there = f"[ -e {side}/job.sh ] || [ -e {side}/run ]"
    return replace(
        order,
        queries=(Query(name="there", shell=there),),
        follows=(FollowBatch(attempt=attempt, collect=False),),
        log=ReadBatchLog(
            attempt=attempt,
            file=file,
            working_dir=str(arguments.get("working_dir") or "~"),
            offset=offset,
            limit=min(PART, limit),
        ),
    )


# --- words


def _troubles(report: BatchReport) -> str:
    return "; ".join(text for _, text in report.troubles)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
