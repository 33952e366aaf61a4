"""What the answers of PBS's qstat and pbsnodes mean, in JSON and in text.

Both forms become flat fields: ``Resource_List.walltime``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from hopper.backends import pbs_arrays as arrays
from hopper.backends.phases import phase_of
from hopper.backends.units import parse_clock, parse_count, parse_size
from hopper.backends.words import one_line
from hopper.model.native import Cause, ClusterInfo, NativePhase, NativeSighting

Fields = dict[str, str]
TORQUE = "torque"
"""The dialect of Torque; that of PBS is empty."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(r"\w{3} (\w{3}) +(\d+) (\d+):(\d+):(\d+) (\d{4})\Z", re.ASCII)
_CODE = re.compile(r"-?\d{1,6}\Z", re.ASCII)
_PPN = re.compile(r"ppn=(\d{1,5})", re.ASCII)
# PBS's JSON may be broken by what is in a job's environment; its lines tell all the same.
_BLOCK = re.compile(r'^\t\t"([^"\n]+)":\t\{\n(.*?)^\t\t\}', re.MULTILINE | re.DOTALL)
_LINE = re.compile(r'^\t\t\t(\t?)"([^"\n]+)":\t(.*?),?$', re.MULTILINE)
_WAITING = frozenset("QHWTM")
_LIVE = frozenset("RESUB")
_OVER = frozenset("FXC")
_BY_SIGNAL = 256
_TERMINATED = 271
_DELETED = "91"
_LIMITS = {-24: Cause.FAILED, -25: Cause.FAILED, -26: Cause.OOM, -27: Cause.OOM}
_LIMITS |= {-28: Cause.TIMEOUT, -29: Cause.TIMEOUT}
_EXCEEDED = re.compile(r"exceeded (?:resource |limit )?(\w+)|(\w+) \S+ exceeded limit")
_DOWN = re.compile(r"down|offline|unknown|stale|provisioning|maintenance|sleep")


def from_json(text: str, what: str) -> dict[str, Fields] | None:
    """Return the fields of each of ``Jobs`` or ``nodes``; None for what is no whole answer."""
    text = text.strip()
    if not (text.startswith("{") and text.endswith("}")):
        return None
    try:
        found = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return _salvage(text) if text.endswith("\n}") else None
    things = found.get(what, {}) if isinstance(found, dict) else None
    if not isinstance(things, dict) or "timestamp" not in found:
        return None
    return {str(i): dict(_flat(thing)) for i, thing in things.items() if isinstance(thing, dict)}


def _flat(thing: Mapping[str, object], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in thing.items():
        if name == "Variable_List":
            # The most of an answer, and nothing in it is ever asked for.
            continue
        if isinstance(value, dict) and not before:
            yield from _flat(value, f"{name}.")
        else:
            yield f"{before}{name}", str(value)


def _salvage(text: str) -> dict[str, Fields]:
    found: dict[str, Fields] = {}
    for native, body in _BLOCK.findall(text):
        fields, outer = found.setdefault(native, {}), ""
        for inner, name, value in _LINE.findall(body):
            if value == "{":
                outer = name
            else:
                fields.setdefault(f"{outer}.{name}" if inner else name, value.strip('"'))
    return found


def told_by_version(text: str) -> str | None:
    """Return the dialect by what ``qstat --version`` said; None where it does not tell."""
    if re.search(r"^pbs_version\s*=", text, re.MULTILINE):
        return ""
    return TORQUE if re.search(r"^version:", text, re.MULTILINE | re.IGNORECASE) else None


def from_text(text: str) -> dict[str, Fields]:
    """Return the fields of each job of ``qstat -f``, each node of ``pbsnodes -a``."""
    found: dict[str, Fields] = {}
    fields: Fields | None = None
    last = ""
    for line in text.split("\n"):
        if line.startswith("\t"):
            if fields is not None and last:
                fields[last] += line[1:]
        elif line.startswith(" "):
            last, _, value = (part.strip() for part in line.partition(" = "))
            if fields is not None and last:
                fields.setdefault(last, value)
        elif line.strip():
            fields = found.setdefault(line.removeprefix("Job Id:").strip(), {})
            last = ""
    return found


def read_jobs(
    things: Mapping[str, Fields], asked: Iterable[str] = (), *, keeps: bool = False
) -> dict[str, NativeSighting]:
    """Return the jobs, by the ids that they were asked for with.

    ``keeps``: there are records of members of arrays that ran and are over. Where there are none,
    members of which nothing is known are left out.
    """
    known = {arrays.number_of(native): native for native in asked}
    found = {}
    for native, fields in things.items():
        number = arrays.number_of(native)
        if not number or not fields.get("job_state"):
            continue
        native_id = known.get(number, native)
        job: NativeSighting | None = _job(native_id, fields)
        if job is not None and arrays.is_borrowed(number, fields):
            job = arrays.of_its_array(job, fields, keeps=keeps)
        if job is not None:
            found[native_id] = job
    return found


def _job(native: str, fields: Fields) -> NativeSighting:
    state = one_line(fields["job_state"])
    started = _date(fields, "stime", "start_time")
    phase = phase_of(state, started, over=_OVER, live=_LIVE, waiting=_WAITING)
    code = _exit_status(fields) if phase is NativePhase.ENDED else None
    cause, reason = _why(fields, code) if phase is NativePhase.ENDED else (None, "")
    comment = one_line(fields.get("comment", ""))
    return NativeSighting(
        native_id=native,
        phase=phase,
        name=one_line(fields.get("Job_Name", "")),
        user=one_line(fields.get("Job_Owner", "").partition("@")[0]),
        partition=one_line(fields.get("queue", "")),
        word=state,
        reason=reason or (comment if cause or phase is NativePhase.QUEUED else ""),
        cause=cause,
        exit_code=_shell_code(code),
        succeeded=phase is NativePhase.ENDED and code == 0,
        submitted_at=_date(fields, "ctime", "qtime"),
        started_at=started if phase is not NativePhase.QUEUED else None,
        ended_at=_ended(fields) if phase is NativePhase.ENDED else None,
        cpus=_cpus(fields),
        cpu_seconds=parse_clock(fields.get("resources_used.cput", "")),
        elapsed_seconds=parse_clock(fields.get("resources_used.walltime", "")),
        peak_memory=parse_size(fields.get("resources_used.mem", "")) or None,
        node=_hosts(fields.get("exec_host", "")),
    )


def _exit_status(fields: Fields) -> int | None:
    text = fields.get("Exit_status", fields.get("exit_status", "")).strip()
    return int(text) if _CODE.match(text) else None


def _shell_code(code: int | None) -> int | None:
    if code is None or code < 0:
        return None
    return 128 + code - _BY_SIGNAL if _BY_SIGNAL < code < _BY_SIGNAL + 65 else code


def _why(fields: Fields, code: int | None) -> tuple[Cause | None, str]:
    """Return why a job that has ended did not complete; no words where its comment has them."""
    if code is None:
        substate = one_line(fields.get("substate", "?"))
        cause = Cause.CANCELLED if substate == _DELETED else Cause.FAILED
        return cause, f"it ended without having run (substate {substate})"
    if code == 0:
        return None, ""
    if code in _LIMITS:
        return _LIMITS[code], ""
    exceeded = _EXCEEDED.search(fields.get("comment", ""))
    if exceeded:
        limit = exceeded[1] or exceeded[2]
        return (Cause.OOM if "mem" in limit else Cause.TIMEOUT), ""
    if code == _TERMINATED:
        return (Cause.TIMEOUT if _time_was_up(fields) else Cause.CANCELLED), ""
    return Cause.FAILED, ""


def _time_was_up(fields: Fields) -> bool:
    used = parse_clock(fields.get("resources_used.walltime", ""))
    limit = parse_clock(fields.get("Resource_List.walltime", ""))
    return used is not None and limit is not None and used >= limit


def _date(fields: Fields, *names: str) -> float | None:
    for name in names:
        match = _DATE.match(fields.get(name, ""))
        if match and match[1] in _MONTHS:
            day, hour, minute, second, year = (int(part) for part in match.groups()[1:])
            month = _MONTHS.index(match[1]) + 1
            try:
                return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
            except ValueError:
                return None
    return None


def _ended(fields: Fields) -> float | None:
    return _date(fields, "obittime", "comp_time", "mtime")


def _cpus(fields: Fields) -> int | None:
    cpus = parse_count(fields.get("Resource_List.ncpus", ""))
    ppn = _PPN.search(fields.get("Resource_List.nodes", ""))
    return cpus if cpus is not None or not ppn else int(ppn[1])


def _hosts(text: str) -> str:
    return one_line(",".join(dict.fromkeys(host.split("/")[0] for host in text.split("+"))))


def read_machines(nodes: Mapping[str, Fields], queues: Iterable[str] = ()) -> ClusterInfo | None:
    """Return what ``pbsnodes`` says of the machines; None where it says nothing to us."""
    machines = []
    for fields in nodes.values():
        cpus = _count(fields, "resources_available.ncpus", "pcpus", "np")
        if cpus is None or not fields.get("state"):
            continue
        used = _count(fields, "resources_assigned.ncpus")
        if used is None:
            used = sum("/" in job for job in fields.get("jobs", "").split(","))
        up = not _DOWN.search(fields["state"])
        machines.append((up, cpus, max(0, cpus - used) if up else 0))
    if not machines:
        return None
    return ClusterInfo(
        nodes=len(machines),
        nodes_up=sum(up for up, _, _ in machines),
        cpus=sum(cpus for _, cpus, _ in machines),
        cpus_free=sum(free for _, _, free in machines),
        partitions=tuple(sorted(set(queues))),
    )


def _count(fields: Fields, *names: str) -> int | None:
    counts = (parse_count(fields[name]) for name in names if name in fields)
    return next((count for count in counts if count is not None), None)
