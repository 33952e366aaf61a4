"""What the ad-hoc plugins do on one host: arguments become an order, its report a task's result.

Nothing of hopper's own state is read or written; the attempt's id is all there is to follow it.
Results are dicts of JSON values as Ansible takes them: ``changed``, ``failed`` or ``unreachable``
with ``msg``, and facts of the act.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hopper.errors import UsageError
from hopper.model.ids import ATTEMPT_ID, JOB_ID, new_attempt_id, slug
from hopper.model.orders import (
    Follow,
    Launch,
    LaunchResult,
    Order,
    ReadLog,
    Release,
    Report,
    Sighting,
    Target,
)
from hopper.remote.adhoc_results import PART, Arguments, Outcome, failed, unreachable
from hopper.remote.host import carry_out
from hopper.remote.landing import append, checked_zip, land, resolved
from hopper.remote.transport import Transport

DEFAULT_COMMAND = (
    'bash run_job.sh "$HOPPER_JOB_ID" "$HOPPER_INBOX" "$HOPPER_OUTBOX" '
    '"$HOPPER_ZIP_NAME" "$HOPPER_EXTRACT_DIR"'
)
"""Runs in the unpack folder, with what the worker script's contract hands over."""
OVER = frozenset({"ended", "rebooted", "vanished"})


def launch(transport: Transport, arguments: Arguments, *, check: bool = False) -> Outcome:
    """Send a zip and start it, once for an attempt id; the same id again changes nothing."""
    item = _launch_of(arguments)
    seen = _follow(item.attempt, item.job_id, item.unpack_dirname)
    order = replace(_order(arguments), launches=() if check else (item,), follows=(seen,))
    report = carry_out(transport, order)
    if report.error:
        return unreachable(report.error)
    facts: Outcome = {"job_id": item.job_id, "attempt": item.attempt}
    if check:
        phase = _sighting(report).phase
        return {**facts, "changed": phase == "absent", "phase": phase, "msg": f"is {phase}"}
    return {**facts, **_launched(report)}


def _launched(report: Report) -> Outcome:
    [result] = report.launched or [LaunchResult(attempt="", verdict="refused", why="no answer")]
    phase = _sighting(report).phase
    if result.verdict == "refused":
        said = "; ".join([result.text, *(text for _, text in report.troubles)]).strip("; ")
        return {
            "changed": False,
            "failed": True,
            "verdict": result.verdict,
            "why": result.why,
            "phase": phase,
            "msg": f"refused ({result.why}): {said}",
        }
    started = {"now": "started", "again": "had been started before", "underway": "is under way"}
    return {
        "changed": result.verdict == "now",
        "verdict": result.verdict,
        "phase": phase,
        "msg": started.get(result.verdict, result.verdict),
    }


def _launch_of(arguments: Arguments) -> Launch:
    path = resolved(arguments["zip"])
    command = arguments.get("command") or DEFAULT_COMMAND
    facts = checked_zip(path, needs_run_job=command is DEFAULT_COMMAND)
    attempt = arguments.get("attempt") or new_attempt_id(secrets.choice)
    job_id = arguments.get("job_id") or f"{slug(path.stem)}-{attempt}"
    _check_ids(attempt, job_id)
    return Launch(
        attempt=attempt,
        job_id=job_id,
        name=job_id,
        zip_path=str(path),
        zip_size=facts.size,
        zip_sha256=facts.sha256,
        unpacked_size=facts.unpacked_size,
        command=command,
        env=_environment(arguments.get("env") or {}),
        time_limit=int(arguments.get("time_limit") or 0),
        slots=int(arguments.get("slots") or 1),
        unpack_dirname=str(arguments.get("unpack_dirname") or "job"),
    )


def _environment(values: Mapping[str, Any]) -> dict[str, str]:
    for name in values:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", str(name)):
            raise UsageError(f"env: {name!r} is no name of an environment variable")
    return {str(name): str(value) for name, value in values.items()}


def collect(transport: Transport, arguments: Arguments, *, check: bool = False) -> Outcome:
    """Bring home what an ended attempt left: results and log, verified, never overwriting."""
    attempt, job_id = str(arguments["attempt"]), str(arguments["job_id"])
    _check_ids(attempt, job_id)
    folder = resolved(arguments["dest"])
    dirname = str(arguments.get("unpack_dirname") or "job")
    globs = tuple(arguments.get("globs") or ("results",))
    order = replace(
        _order(arguments),
        incoming=str(folder / ".incoming"),
        follows=(_follow(attempt, job_id, dirname, globs=globs, collect=not check),),
    )
    report = carry_out(transport, order)
    if report.error:
        return unreachable(report.error)
    outcome = _stand(report, attempt, job_id)
    if check or outcome.get("failed") or not outcome["over"]:
        return outcome
    if attempt not in report.gathered:
        said = "; ".join(text for _, text in report.troubles) or "not all of it came"
        return {**outcome, "failed": True, "msg": f"nothing collected: {said}"}
    changed, files = land(report.collected, folder, job_id)
    outcome |= {"changed": changed, "files": [str(path) for path in files]}
    if arguments.get("clean"):
        outcome |= _cleaned(transport, arguments, report, job_id)
    return outcome


def _cleaned(transport: Transport, arguments: Arguments, report: Report, job_id: str) -> Outcome:
    attempt = report.gathered[0]
    names = tuple(file.name for file in report.collected if file.kind == "result")
    order = replace(
        _order(arguments),
        releases=(Release(attempt=attempt, files=names),),
        cleans=(Target(attempt=attempt, name=job_id),),
    )
    after = carry_out(transport, order)
    if after.error or attempt not in after.cleaned:
        return {"failed": True, "msg": f"collected, but not cleaned: {after.error or 'no answer'}"}
    return {"changed": True}


def cancel(transport: Transport, arguments: Arguments, *, check: bool = False) -> Outcome:
    """End an attempt with all its processes; one that has not started never will."""
    attempt, job_id = str(arguments["attempt"]), str(arguments["job_id"])
    _check_ids(attempt, job_id)
    seen = replace(_order(arguments), follows=(_follow(attempt, job_id),))
    before = carry_out(transport, seen)
    if before.error:
        return unreachable(before.error)
    outcome = _stand(before, attempt, job_id, absent_is_wrong=False)
    if outcome["over"]:
        return {**outcome, "msg": f"was over before: {outcome['msg']}"}
    if check:
        return {**outcome, "changed": True, "msg": "would be cancelled"}
    grace = int(arguments.get("grace", 10))
    target = Target(attempt=attempt, name=job_id)
    report = carry_out(transport, replace(seen, grace=grace, cancels=(target,)))
    if report.error:
        return unreachable(report.error)
    outcome = {**_stand(report, attempt, job_id), "changed": True}
    for _, verdict, survivors in report.cancelled:
        if verdict != "dead":
            text = f"these processes survive: {survivors}"
            outcome |= {"failed": True, "survivors": survivors, "msg": text}
    return outcome


def fetch_log(transport: Transport, arguments: Arguments, *, check: bool = False) -> Outcome:
    """Append to a file at home what its end lacks of an attempt's log."""
    attempt = str(arguments["attempt"])
    _check_ids(attempt, "job")
    path = resolved(arguments["dest"])
    left = int(arguments.get("limit") or 100_000_000)
    offset = path.stat().st_size if path.exists() else 0
    changed = False
    while True:
        order = replace(
            _order(arguments),
            follows=(_follow(attempt, "job"),),
            log=ReadLog(attempt=attempt, offset=offset, limit=0 if check else min(PART, left)),
        )
        report = carry_out(transport, order)
        if report.error or report.log is None:
            return unreachable(report.error or "the worker sent no log")
        phase = _sighting(report).phase
        facts: Outcome = {"phase": phase, "size": report.log.size, "dest": str(path)}
        if phase == "absent":
            return {**facts, **_absent(attempt), "changed": False}
        if check:
            return {**facts, "changed": offset < report.log.size}
        part = report.log.text.encode("latin-1")
        if part or not path.exists():
            append(path, offset, part)
            changed = True
        offset, left = offset + len(part), left - len(part)
        if not part or left <= 0:
            return {**facts, "changed": changed, "fetched_to": offset}


def _order(arguments: Arguments) -> Order:
    return Order(
        id="adhoc",
        host=str(arguments.get("host") or "host"),
        inbox=str(arguments["inbox"]),
        outbox=str(arguments["outbox"]),
        log_limit=int(arguments.get("log_limit") or 100_000_000),
    )


def _follow(
    attempt: str,
    name: str,
    unpack_dirname: str = "job",
    *,
    globs: tuple[str, ...] = ("results",),
    collect: bool = False,
) -> Follow:
    return Follow(
        attempt=attempt, name=name, unpack_dirname=unpack_dirname, globs=globs, collect=collect
    )


def _check_ids(attempt: str, job_id: str) -> None:
    if not ATTEMPT_ID.match(attempt):
        raise UsageError(
            f"attempt: {attempt!r} is no attempt id", way_out="a letter and 9 of a-z0-9"
        )
    if not JOB_ID.match(job_id):
        raise UsageError(f"job_id: {job_id!r} is no job id", way_out="up to 80 of a-z0-9_-")


def _sighting(report: Report) -> Sighting:
    return next(iter(report.sightings), Sighting(attempt="", phase="unknown"))


def _stand(report: Report, attempt: str, job_id: str, *, absent_is_wrong: bool = True) -> Outcome:
    seen = _sighting(report)
    outcome: Outcome = {
        "changed": False,
        "attempt": attempt,
        "job_id": job_id,
        "over": seen.phase in OVER,
        "phase": seen.phase,
        "how": seen.how,
        "exit_code": seen.exit_code,
        "started_at": seen.started_at,
        "ended_at": seen.ended_at,
        "log_bytes": seen.log_bytes,
        "files": [],
        "msg": _words(seen),
    }
    if absent_is_wrong and seen.phase == "absent":
        outcome |= _absent(attempt)
    return outcome


def _words(seen: Sighting) -> str:
    if seen.phase != "ended":
        return seen.phase
    if seen.how == "exited":
        return f"exited with {seen.exit_code}"
    return "stopped at its time limit" if seen.how == "timeout" else seen.how


def _absent(attempt: str) -> Outcome:
    return failed(f"this host knows no attempt {attempt}; --limit names the host")
