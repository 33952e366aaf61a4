"""What the answers of bjobs and bhosts mean: Spectrum LSF's JSON, and text of all of them.

Times come without a year: the latest that is not in the future is meant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from hopper.backends.phases import phase_of
from hopper.backends.units import parse_clock, parse_count, parse_number, parse_size
from hopper.backends.words import one_line
from hopper.model.native import Cause, ClusterInfo, NativePhase, NativeSighting

FIELDS = """jobid jobindex stat user queue job_name exec_host submit_time start_time finish_time
exit_code exit_reason pend_reason run_time cpu_used max_mem nalloc_slot""".split()  # noqa: SIM905 # shorter

NATIVE_ID = re.compile(r"\d{1,12}(?:\[\d{1,9}\])?\Z", re.ASCII)
_WAITING = frozenset({"PEND", "PSUSP", "PROV", "WAIT"})
_OVER = frozenset({"DONE", "EXIT"})
_LIVE = frozenset({"RUN", "USUSP", "SSUSP", "UNKWN", "ZOMBI"})
_REASONS = {
    "TERM_RUNLIMIT": Cause.TIMEOUT,
    "TERM_CPULIMIT": Cause.TIMEOUT,
    "TERM_DEADLINE": Cause.TIMEOUT,
    "TERM_WINDOW": Cause.TIMEOUT,
    "TERM_MEMLIMIT": Cause.OOM,
    "TERM_SWAP": Cause.OOM,
    "TERM_OWNER": Cause.CANCELLED,
    "TERM_ADMIN": Cause.CANCELLED,
    "TERM_FORCE_OWNER": Cause.CANCELLED,
    "TERM_FORCE_ADMIN": Cause.CANCELLED,
    "TERM_REQUEUE_OWNER": Cause.CANCELLED,
    "TERM_REQUEUE_ADMIN": Cause.CANCELLED,
    "TERM_PREEMPT": Cause.NODE_FAIL,
    "TERM_ZOMBIE": Cause.NODE_FAIL,
    "TERM_LOAD": Cause.NODE_FAIL,
}
_CODES = {130: Cause.CANCELLED, 140: Cause.TIMEOUT}
"""bkill begins with INT, a run limit with USR2. They tell where no reason does (OpenLava)."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(
    r"(?:\w{3} )?(\w{3}) +(\d{1,2}) +(\d{1,2}):(\d\d)(?::(\d\d))?(?: (\d{4}))?(?: [A-Z])?\Z",
    re.ASCII,
)
_REASON = re.compile(r"TERM_[A-Z_]+")
_HEAD = re.compile(r"^Job(?: Id)? <(\d{1,12}(?:\[\d{1,9}\])?)>, (.*)$", re.MULTILINE)
_PART = re.compile(r"(Job Name|User|Status|Queue) <([^<>]*)>")
_EVENT = re.compile(r"^(\w{3} \w{3} +\d+ \d\d:\d\d:\d\d(?: \d{4})?): (.*)$", re.MULTILINE)
_STARTED = re.compile(r"(?:\[\d+\] )?[Ss]tarted on (?:\d+ \w+(?:/\w+)? )?<([^<>]*)>")
_EXITED = re.compile(r"(?:Exited|Completed <exit>)(?: (?:with exit code|by signal) (\d{1,3}))?")
_CPU = re.compile(r"The CPU time used is ([\d.]+) second")
_MEMORY = re.compile(r"MAX MEM: ([\d.]+ [KMGT]?)", re.IGNORECASE)
_PENDING = re.compile(r"PENDING REASONS:\n(.+?)(?:\n\n|\Z)", re.DOTALL)
_DOWN = re.compile(r"unavail|unreach|unlicensed|closed_adm|closed_lim|closed_cu_adm", re.IGNORECASE)


def array_of(native: str) -> str:
    """Return the native id of a member's array, ``11``; that of another job as it is."""
    return native.partition("[")[0]


def from_json(text: str, now: float) -> dict[str, NativeSighting] | None:
    """Return the jobs of ``bjobs -json``; None for what is no whole answer."""
    start, end = text.find("{"), text.rfind("}")
    try:
        found = json.loads(text[start : end + 1], strict=False) if start >= 0 else None
    except (ValueError, RecursionError):
        return None
    records = found.get("RECORDS") if isinstance(found, dict) else None
    if not isinstance(records, list):
        return None
    jobs = {}
    for record in records:
        if isinstance(record, dict):
            fields = {str(name): str(value).strip() for name, value in record.items()}
            job = _record(fields, now)
            if job:
                jobs[job.native_id] = job
    return jobs


def _record(fields: Mapping[str, str], now: float) -> NativeSighting | None:
    native, index = fields.get("JOBID", ""), fields.get("JOBINDEX", "0")
    if parse_count(index) and "[" not in native:
        native = f"{native}[{index}]"
    if not NATIVE_ID.match(native) or not fields.get("STAT"):
        return None
    code = parse_count(fields.get("EXIT_CODE", ""))
    return _job(
        native,
        fields["STAT"],
        names=(fields.get("JOB_NAME", ""), fields.get("USER", ""), fields.get("QUEUE", "")),
        started=_date(fields.get("START_TIME", ""), now),
        ended=_date(fields.get("FINISH_TIME", ""), now),
        submitted=_date(fields.get("SUBMIT_TIME", ""), now),
        code=code,
        reason=fields.get("EXIT_REASON", ""),
        waits=fields.get("PEND_REASON", ""),
        node=fields.get("EXEC_HOST", ""),
        cpu=_seconds(fields.get("CPU_USED", "")),
        elapsed=_seconds(fields.get("RUN_TIME", "")),
        memory=_memory(fields.get("MAX_MEM", "")),
        cpus=parse_count(fields.get("NALLOC_SLOT", "")),
    )


def from_text(text: str, now: float) -> dict[str, NativeSighting]:
    """Return the jobs of ``bjobs -UF``, or of ``bjobs -l``."""
    # Lines of -l are cut and go on below at this column.
    text = text.replace("\n" + " " * 21, "")
    heads = list(_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    jobs = {}
    for head, end in zip(heads, ends, strict=False):
        job = _described(head, text[head.end() : end], now)
        if job:
            jobs[job.native_id] = job
    return jobs


def _described(head: re.Match[str], body: str, now: float) -> NativeSighting | None:
    fields = dict(_PART.findall(head[2].partition(", Command <")[0]))
    if not fields.get("Status"):
        return None
    started = ended = submitted = cpu = code = None
    node = reason = ""
    for when, what in _EVENT.findall(body):
        begin, over = _STARTED.match(what), _EXITED.match(what)
        if what.startswith("Submitted"):
            submitted = _date(when, now)
        elif begin:
            started, node = _date(when, now), begin[1]
        elif over or what.startswith("Done"):
            ended = _date(when, now)
            code = int(over[1]) if over and over[1] else None
            code = 128 + code if code is not None and "by signal" in what else code
            reason = what if _REASON.search(what) else ""
            used = _CPU.search(what)
            cpu = parse_number(used[1]) if used else None
    memory, waits = _MEMORY.search(body), _PENDING.search(body)
    return _job(
        head[1],
        fields["Status"],
        names=(fields.get("Job Name", ""), fields.get("User", ""), fields.get("Queue", "")),
        started=started,
        ended=ended,
        submitted=submitted,
        code=code,
        reason=reason,
        waits=waits[1] if waits else "",
        node=node,
        cpu=cpu,
        elapsed=ended - started if ended and started else None,
        memory=_memory(memory[1]) if memory else None,
        cpus=None,
    )


def _job(
    native: str,
    state: str,
    *,
    names: tuple[str, str, str],
    started: float | None,
    ended: float | None,
    submitted: float | None,
    code: int | None,
    reason: str,
    waits: str,
    node: str,
    cpu: float | None,
    elapsed: float | None,
    memory: int | None,
    cpus: int | None,
) -> NativeSighting:
    state = one_line(state)
    phase = phase_of(state, started, over=_OVER, live=_LIVE, waiting=_WAITING)
    over = phase is NativePhase.ENDED
    succeeded = state == "DONE"
    return NativeSighting(
        native_id=native,
        phase=phase,
        name=one_line(names[0]),
        user=one_line(names[1]),
        partition=one_line(names[2]),
        word=state,
        reason=one_line(reason if over else waits if phase is NativePhase.QUEUED else ""),
        cause=_cause(code, reason, started) if over and not succeeded else None,
        exit_code=0 if succeeded else (code or None) if over else None,
        succeeded=succeeded,
        submitted_at=submitted,
        started_at=started if phase is not NativePhase.QUEUED else None,
        ended_at=ended if over else None,
        cpus=cpus,
        cpu_seconds=cpu,
        elapsed_seconds=elapsed,
        peak_memory=memory,
        node="" if node == "-" else one_line(",".join(dict.fromkeys(node.split(":")))),
    )


def _cause(code: int | None, reason: str, started: float | None) -> Cause:
    word = _REASON.search(reason)
    if word:
        return _REASONS.get(word[0], Cause.FAILED)
    if code is None and started is None:
        # What never ran can only have been taken away.
        return Cause.CANCELLED
    return _CODES.get(code or 0, Cause.FAILED)


def _date(text: str, now: float) -> float | None:
    match = _DATE.match(text)
    if not match or match[1] not in _MONTHS:
        return None
    latest = datetime.fromtimestamp(now + 86_400, UTC)
    years = [int(match[6])] if match[6] else [latest.year, latest.year - 1]
    for year in years:
        try:
            at = datetime(
                year,
                _MONTHS.index(match[1]) + 1,
                int(match[2]),
                int(match[3]),
                int(match[4]),
                int(match[5] or 0),
                tzinfo=UTC,
            )
        except ValueError:
            continue
        if at <= latest or match[6]:
            return at.timestamp()
    return None


def _seconds(text: str) -> float | None:
    clock = parse_clock(text)
    return clock if clock is not None else parse_number(text.partition(" ")[0])


def _memory(text: str) -> int | None:
    number, _, unit = text.strip().partition(" ")
    return parse_size(number + unit[:1], "m") or None


def read_machines(text: str, queues: Iterable[str] = ()) -> ClusterInfo | None:
    """Return what ``bhosts`` says of the machines; None where it says nothing to us."""
    lines = [line.split() for line in text.split("\n") if line.strip()]
    start = next((n for n, words in enumerate(lines) if words[0] == "HOST_NAME"), None)
    if start is None or not {"STATUS", "MAX", "NJOBS"} <= set(lines[start]):
        return None
    machines = []
    for words in lines[start + 1 :]:
        fields = dict(zip(lines[start], words, strict=False))
        up = not _DOWN.search(fields.get("STATUS", "unavail"))
        slots, used = parse_count(fields.get("MAX", "")), parse_count(fields.get("NJOBS", ""))
        free = max(0, (slots or 0) - (used or 0)) if up else 0
        machines.append((up, slots or 0, free))
    return ClusterInfo(
        nodes=len(machines),
        nodes_up=sum(up for up, _, _ in machines),
        cpus=sum(slots for _, slots, _ in machines),
        cpus_free=sum(free for _, _, free in machines),
        partitions=tuple(sorted(set(queues))),
    )
