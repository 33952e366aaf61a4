"""What the answers of squeue, sacct and sinfo mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from hopper.backends.slurm_states import (
    CAUSES,
    PHASES,
    cause_of,
    exit_code,
    exit_parts,
    state_word,
)
from hopper.backends.units import parse_clock, parse_count, parse_epoch, parse_number, parse_size
from hopper.backends.words import SEPARATOR, one_line
from hopper.model.native import ClusterInfo, NativePhase, NativeSighting

QUEUE_FIELDS = ["%i", "%T", "%u", "%P", "%C", "%V", "%S", "%e", "%N", "%Z", "%r", "%j"]
"""Of ``squeue -o``: what may hold anything is last."""
ACCOUNTING_FIELDS = [
    "JobID",
    "State",
    "ExitCode",
    "Submit",
    "Start",
    "End",
    "ElapsedRaw",
    "AllocCPUS",
    "MaxRSS",
    "TotalCPU",
    "NodeList",
    "User",
    "Partition",
    "JobName",
]
MACHINE_FIELDS = ["%N", "%T", "%C", "%P"]

NATIVE_ID = re.compile(r"\d{1,12}(?:_\d{1,9}|\+\d{1,6})?\Z", re.ASCII)
_SHOWN_ID = re.compile(r"\d{1,12}(?:_\d{1,9}|_\[[^\]]*\]?|\+\d{1,6})?\Z", re.ASCII)
_DOWN = re.compile(r"down|drain|drng|fail|unk|maint|boot|reboot|power|not_resp|no_resp|inval|\*")
_NONE = {"", "N/A", "None", "Unknown", "None assigned", "(null)", "(None)"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Lines:
    """Lines of an answer that were read, and whether all could be."""

    jobs: dict[str, NativeSighting] = field(default_factory=dict)
    garbled: str = ""


def read_queue(lines: Iterable[str]) -> Lines:
    """Return the jobs of ``squeue``'s lines. A line without a separator is the rest of a name."""
    jobs: dict[str, NativeSighting] = {}
    garbled = ""
    for line in lines:
        parts = line.split(SEPARATOR, len(QUEUE_FIELDS) - 1)
        if len(parts) == len(QUEUE_FIELDS) and _SHOWN_ID.match(parts[0]):
            jobs[parts[0]] = _queued(parts)
        elif len(parts) > 1:
            garbled = garbled or line
    return Lines(jobs=jobs, garbled=garbled)


def _queued(parts: list[str]) -> NativeSighting:
    native, state, user, partition, cpus, submit, start, end, node, folder, reason, name = parts
    state = state_word(state)
    # A state that is new to us: the job is there, and where it has nodes it runs.
    phase = PHASES.get(state, NativePhase.RUNNING if node.strip() else NativePhase.QUEUED)
    ended = phase is NativePhase.ENDED
    began = parse_epoch(start) if phase is not NativePhase.QUEUED else None
    over = parse_epoch(end) if ended else None
    succeeded = state == "COMPLETED"
    return NativeSighting(
        native_id=native,
        phase=phase,
        name=one_line(name),
        user=one_line(user),
        partition=one_line(partition),
        word=one_line(state),
        reason="" if reason.strip() in _NONE else one_line(reason),
        cause=CAUSES[state] if ended else None,
        exit_code=0 if succeeded else None,
        succeeded=succeeded,
        submitted_at=parse_epoch(submit),
        started_at=began,
        ended_at=over,
        cpus=parse_count(cpus),
        elapsed_seconds=over - began if began and over and over >= began else None,
        node=one_line(node),
        working_dir=folder if folder.isprintable() else "",
    )


@dataclass(slots=True)
class _Steps:
    """What the steps of a job add to its line."""

    peak: int | None = None
    cpu: float | None = None
    signal: int = 0


def read_accounting(lines: Iterable[str]) -> Lines:
    """Return the jobs that have ended by ``sacct``'s lines; those that have not, it lags behind."""
    rows: dict[str, list[str]] = {}
    steps: dict[str, _Steps] = {}
    garbled = ""
    for line in lines:
        parts = line.split(SEPARATOR, len(ACCOUNTING_FIELDS) - 1)
        if len(parts) != len(ACCOUNTING_FIELDS):
            garbled = garbled or (line if len(parts) > 1 else "")
            continue
        native, _, step = parts[0].partition(".")
        if not _SHOWN_ID.match(native):
            garbled = garbled or line
        elif step:
            _add_step(steps.setdefault(native, _Steps()), parts)
        else:
            rows[native] = parts
    ended = ((native, _accounted(row, steps.get(native))) for native, row in rows.items())
    return Lines(jobs={native: job for native, job in ended if job}, garbled=garbled)


def _add_step(steps: _Steps, parts: list[str]) -> None:
    peak = parse_size(parts[8], "k")
    if peak is not None:
        steps.peak = max(steps.peak or 0, peak)
    cpu = parse_clock(parts[9])
    if cpu is not None:
        steps.cpu = (steps.cpu or 0.0) + cpu
    found = exit_parts(parts[2])
    steps.signal = steps.signal or (found[1] if found else 0)


def _accounted(parts: list[str], steps: _Steps | None) -> NativeSighting | None:
    (
        native,
        state,
        code,
        submit,
        start,
        end,
        elapsed,
        cpus,
        peak,
        cpu,
        node,
        user,
        partition,
        name,
    ) = parts
    shown, state = state, state_word(state)
    if PHASES.get(state) is not NativePhase.ENDED:
        return None
    number, signal = exit_parts(code) or (0, 0)
    cause, hint = cause_of(state, signal)
    steps = steps or _Steps()
    return NativeSighting(
        native_id=native,
        phase=NativePhase.ENDED,
        name=one_line(name),
        user=one_line(user),
        partition=one_line(partition),
        word=one_line(state),
        reason=hint or (one_line(shown) if cause and shown.strip() != state else ""),
        cause=cause,
        exit_code=exit_code(state, number, signal),
        succeeded=state == "COMPLETED" and (exit_parts(code) == (0, 0)),
        submitted_at=parse_epoch(submit),
        started_at=parse_epoch(start),
        ended_at=parse_epoch(end),
        cpus=parse_count(cpus),
        cpu_seconds=parse_clock(cpu) or steps.cpu,
        elapsed_seconds=parse_number(elapsed),
        peak_memory=steps.peak if steps.peak is not None else parse_size(peak, "k"),
        node="" if node.strip() in _NONE else one_line(node),
    )


def merge(
    queue: dict[str, NativeSighting], accounting: dict[str, NativeSighting]
) -> Iterator[NativeSighting]:
    """Return one sighting for each job: the live view's, with the accounting's figures."""
    for native, job in queue.items():
        told = accounting.get(native)
        if told is None or job.phase is not NativePhase.ENDED:
            yield job
        else:
            yield replace(told, working_dir=job.working_dir, reason=told.reason or job.reason)
    yield from (told for native, told in accounting.items() if native not in queue)


def read_machines(lines: Iterable[str]) -> ClusterInfo | None:
    """Return what ``sinfo -N`` says of the machines; None where it says nothing to us."""
    nodes: dict[str, tuple[bool, int, int]] = {}
    partitions: dict[str, None] = {}
    for line in lines:
        parts = line.split(SEPARATOR)
        counts = [parse_count(part) for part in parts[2].split("/")] if len(parts) == 4 else []
        if len(counts) != 4 or not parts[0]:
            continue
        up = not _DOWN.search(parts[1].lower())
        nodes[one_line(parts[0])] = (up, counts[3] or 0, counts[1] or 0)
        partitions[one_line(parts[3]).rstrip("*")] = None
    if not nodes:
        return None
    return ClusterInfo(
        nodes=len(nodes),
        nodes_up=sum(up for up, _, _ in nodes.values()),
        cpus=sum(cpus for _, cpus, _ in nodes.values()),
        cpus_free=sum(free for up, _, free in nodes.values() if up),
        partitions=tuple(sorted(partitions)),
    )
