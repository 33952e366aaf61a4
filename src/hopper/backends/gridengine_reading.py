"""What the answers of Grid Engine's qstat, qacct and qhost mean.

The XML is read by its few flat fields: whoever names a job cannot make more of it than text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from html import unescape

from hopper.backends.units import parse_clock, parse_count, parse_number, parse_size
from hopper.backends.words import one_line
from hopper.model.native import Cause, ClusterInfo, NativePhase, NativeSighting

_JOB = re.compile(r"<job_list\b[^>]*>(.*?)</job_list>", re.DOTALL)
_FIELD = re.compile(r"<(\w+)>([^<]*)</\1>")
_QUEUE = re.compile(r"<Queue-List>(.*?)</Queue-List>", re.DOTALL)
_HOST = re.compile(r"<host name='([^']*)'>(.*?)</host>", re.DOTALL)
_VALUE = re.compile(r"<hostvalue name='(\w+)'>([^<]*)</hostvalue>")
_LIMIT = re.compile(r"h_rt=(\S+?)(?:,|\s|\Z)")
_TASKS = re.compile(r"(\d{1,9})(?:-(\d{1,9})(?::(\d{1,9}))?)?", re.ASCII)
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905 # shorter
_DATE = re.compile(r"\w{3} (\w{3}) +(\d+) (\d+):(\d+):(\d+)(?:\.\d+)? (\d{4})\Z", re.ASCII)
_OTHER_DATE = re.compile(r"(\d\d)/(\d\d)/(\d{4}) (\d\d):(\d\d):(\d\d)(?:\.\d+)?\Z", re.ASCII)
_OVER_LIMIT = 37
_AFTER_JOB = {0, 100}
"""``failed`` codes of a job that ran to an end of its own, or by a signal."""


def whole(text: str) -> bool:
    """Return whether qstat's XML is complete."""
    return "<job_info" in text and text.rstrip().endswith("</job_info>")


def tasks_in(text: str) -> list[range]:
    """Return the tasks of an array that ``5``, ``1-9:2`` or ``3,5-7:1`` stands for.

    Nothing for what is no such text.
    """
    found = []
    for part in text.split(","):
        match = _TASKS.fullmatch(part.strip())
        if match is None or int(match[3] or 1) == 0:
            return []
        found.append(range(int(match[1]), int(match[2] or match[1]) + 1, int(match[3] or 1)))
    return found


def read_jobs(text: str, asked: Collection[str] = ()) -> dict[str, NativeSighting]:
    """Return the jobs of ``qstat -xml``, whose times are UTC.

    Tasks of an array that wait are there as one job with its number alone, save those ``asked``
    for.
    """
    wanted: dict[str, list[int]] = {}
    for native in asked:
        base, _, index = native.partition(".")
        if index:
            wanted.setdefault(base, []).append(int(index))
    found: dict[str, NativeSighting] = {}
    for block in _JOB.finditer(text):
        fields = {name: unescape(value) for name, value in _FIELD.findall(block[1])}
        number = parse_count(fields.get("JB_job_number", ""))
        if number is None:
            continue
        for native in _natives(f"{number}", fields.get("tasks", ""), wanted):
            found[native] = _job(native, fields)
    return found


def _natives(number: str, tasks: str, wanted: Mapping[str, list[int]]) -> list[str]:
    ranges = tasks_in(tasks)
    if len(ranges) == 1 and len(ranges[0]) == 1:
        return [f"{number}.{ranges[0][0]}"]
    own = [index for index in wanted.get(number, ()) if any(index in part for part in ranges)]
    return [f"{number}.{index}" for index in own] or [number]


def _job(native: str, fields: dict[str, str]) -> NativeSighting:
    state = one_line(fields.get("state", ""))
    # One that is being handed to its node (t) has not started, and may end up in error.
    waits = "q" in state or not re.search("[rsSTR]", state)
    stuck = waits and "E" in state
    return NativeSighting(
        native_id=native,
        phase=NativePhase.QUEUED if waits else NativePhase.RUNNING,
        name=one_line(fields.get("JB_name", "")),
        user=one_line(fields.get("JB_owner", "")),
        partition=one_line(fields.get("queue_name", "").partition("@")[0]),
        word=state,
        reason=f"in error, it will not start (qstat -j {native} says why)" if stuck else "",
        stuck=stuck,
        submitted_at=_iso(fields.get("JB_submission_time", "")),
        started_at=None if waits else _iso(fields.get("JAT_start_time", "")),
        cpus=parse_count(fields.get("slots", "")),
        node=one_line(fields.get("queue_name", "").partition("@")[2]),
    )


def _iso(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def read_accounting(text: str) -> dict[str, NativeSighting]:
    """Return the jobs of ``qacct -j``, all of them over. The last record of a job counts."""
    found: dict[str, NativeSighting] = {}
    for record in _records(text):
        number, task = parse_count(record.get("jobnumber", "")), record.get("taskid", "")
        if number is None or parse_count(record.get("exit_status", "").split(" ")[0]) is None:
            continue
        native = f"{number}" if parse_count(task) is None else f"{number}.{task}"
        found[native] = _ended(native, record)
    return found


def _records(text: str) -> Iterator[dict[str, str]]:
    """Yield whole records: each begins with a line of ``=`` and ends with its category."""
    for block in re.split(r"^={20,}$", text, flags=re.MULTILINE)[1:]:
        record: dict[str, str] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(" ")
            record.setdefault(name, value.strip())
        if "category" in record and "failed" in record:
            yield record


def _ended(native: str, record: dict[str, str]) -> NativeSighting:
    code = parse_count(record["exit_status"].split(" ")[0])
    failed = parse_count(record["failed"].split(":")[0].strip())
    succeeded = failed == 0 and code == 0
    return NativeSighting(
        native_id=native,
        phase=NativePhase.ENDED,
        name=one_line(record.get("jobname", "")),
        user=one_line(record.get("owner", "")),
        partition=one_line(record.get("qname", "")),
        word="done" if succeeded else "failed",
        reason="" if failed == 0 else one_line(f"failed {record['failed']}"),
        cause=None if succeeded else _cause(failed, record),
        exit_code=code if failed in _AFTER_JOB else None,
        succeeded=succeeded,
        submitted_at=_date(record.get("qsub_time", "")),
        started_at=_date(record.get("start_time", "")),
        ended_at=_date(record.get("end_time", "")),
        cpus=parse_count(record.get("slots", "")),
        cpu_seconds=_seconds(record.get("cpu", "")),
        elapsed_seconds=_seconds(record.get("ru_wallclock", "")),
        peak_memory=parse_size(record.get("maxvmem", "")) or None,
        node=one_line(record.get("hostname", "")),
    )


def _cause(failed: int | None, record: dict[str, str]) -> Cause:
    if failed != _OVER_LIMIT:
        return Cause.FAILED
    limit = _LIMIT.search(record.get("category", ""))
    seconds = (parse_clock(limit[1]) or parse_number(limit[1])) if limit else None
    ran = _seconds(record.get("ru_wallclock", ""))
    return Cause.OOM if seconds and ran is not None and ran < seconds - 1 else Cause.TIMEOUT


def _seconds(text: str) -> float | None:
    return parse_number(text.removesuffix("s"))


def _date(text: str) -> float | None:
    match, other = _DATE.match(text), _OTHER_DATE.match(text)
    try:
        if match and match[1] in _MONTHS:
            day, hour, minute, second, year = (int(part) for part in match.groups()[1:])
            month = _MONTHS.index(match[1]) + 1
        elif other:
            month, day, year, hour, minute, second = (int(part) for part in other.groups())
        else:
            return None
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return None


def read_machines(queues: str, hosts: str) -> ClusterInfo | None:
    """Return what ``qhost -xml`` and ``qstat -f -xml`` say of the machines."""
    used, partitions = _queues(queues)
    nodes = {}
    for name, block in _HOST.findall(hosts):
        values = dict(_VALUE.findall(block))
        cpus = parse_count(values.get("num_proc", ""))
        if name != "global" and cpus is not None:
            nodes[name] = (parse_number(values.get("load_avg", "")) is not None, cpus)
    if not nodes:
        return None
    return ClusterInfo(
        nodes=len(nodes),
        nodes_up=sum(up for up, _ in nodes.values()),
        cpus=sum(cpus for _, cpus in nodes.values()),
        cpus_free=sum(max(0, cpus - used.get(n, 0)) for n, (up, cpus) in nodes.items() if up),
        partitions=partitions,
    )


def _queues(text: str) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return the slots in use by host, and the names of the queues."""
    used: dict[str, int] = {}
    names: dict[str, None] = {}
    for block in _QUEUE.finditer(text):
        fields = dict(_FIELD.findall(_JOB.sub("", block[1])))
        name, _, host = one_line(fields.get("name", "")).partition("@")
        names[name] = None
        used[host] = used.get(host, 0) + (parse_count(fields.get("slots_used", "")) or 0)
    return used, tuple(sorted(names))
