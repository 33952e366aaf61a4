"""Looks at batch systems beside the dispatcher: can they take jobs, what do they have."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hopper.backends.pbs_reading import told_by_version
from hopper.bootstrap.backends import systems
from hopper.bootstrap.state import read_state
from hopper.config.backends import Backend
from hopper.config.model import HopperConfig
from hopper.errors import HopperError
from hopper.model.attempt import Attempt
from hopper.model.batch import BatchReport, Query, Said
from hopper.model.native import BatchReading, ClusterInfo, Followed, NativePhase, NativeSighting
from hopper.operations.asking import Asking, answered
from hopper.workflows.shell import path_word

PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "slurm": ("sbatch", "squeue", "scancel"),
    "pbs": ("qsub", "qstat", "qdel"),
    "lsf": ("bsub", "bjobs", "bkill"),
    "gridengine": ("qsub", "qstat", "qdel"),
}
"""What a batch system cannot do without."""
USEFUL: Mapping[str, tuple[str, ...]] = {
    "slurm": ("sacct", "sinfo"),
    "pbs": ("pbsnodes",),
    "lsf": ("bhosts",),
    "gridengine": ("qacct", "qhost"),
}
EVERYWHERE = ("bash", "tar")
EVERYWHERE_USEFUL = ("git", "sha256sum", "timeout")
LARGEST_SKEW = 30.0
"""Seconds that clocks may be apart without a word."""
LITTLE_SPACE = 1_000_000_000
DISK_TIME = timedelta(minutes=2)
"""What adding up a folder may take."""
_NOBODY = "1"
"""A job that the accounting is asked about only to see that it answers."""

_DISK = """du -sk .
for one in */; do [ ! -d "$one.git" ] || echo clone; done"""


def _query(name: str, text: str) -> Query:
    return Query(name=name, shell=text)


# --- check


@dataclass(frozen=True, kw_only=True, slots=True)
class BackendCheck:
    """Whether a backend can take jobs."""

    backend: str
    error: str = ""
    """Why nothing can be said."""
    missing: tuple[str, ...] = ()
    """What it cannot do without."""
    advice: tuple[str, ...] = ()
    free_bytes: int | None = None
    clock_skew: float | None = None
    accounting: bool | None = None
    """None where it was not asked."""

    @property
    def ok(self) -> bool:
        """True when it can take jobs."""
        return not self.error and not self.missing


def check(config: HopperConfig, backend: Backend, asking: Asking) -> BackendCheck:
    """Log in and look; whatever goes wrong is in the result."""
    known = systems(config)
    programs = (*PROGRAMS.get(backend.type, ()), *EVERYWHERE)
    useful = (*USEFUL.get(backend.type, ()), *EVERYWHERE_USEFUL)
    now = datetime.now(UTC)
    asked = (Followed(attempt="", native_id=_NOBODY, submitted_at=now),)
    queries = known.queries(backend.name, asked, now=now, others=False)
    which = _query("which", _which((*programs, *useful)))
    if backend.type == "pbs":
        queries = [*queries, _query("version", "qstat --version 2>&1")]
    report = asking.visit(backend, [which, *queries])
    try:
        answers = dict(answered(report, backend).answers)
        found = _words(answers.get("which"), "there")
    except HopperError as error:
        return BackendCheck(backend=backend.name, error=str(error))
    reading = known.read(backend.name, answers, asked)
    cluster = backend.type != "local"
    missing = [item for item in programs if item not in found]
    lacking = [item for item in useful if item not in found]
    missing += [f"{text} (work_dir)" for _, text in report.troubles]
    silent = cluster and not missing and not reading.queue_seen
    return BackendCheck(
        backend=backend.name,
        error=f"its batch system does not answer: {reading.trouble}" if silent else "",
        missing=tuple(missing),
        advice=(
            *_advice(report, reading if cluster else None, lacking),
            *_dialect(backend, answers.get("version")),
        ),
        free_bytes=report.free_bytes,
        clock_skew=report.clock_skew,
        accounting=reading.accounting if cluster else None,
    )


def _which(names: Sequence[str]) -> str:
    tests = [f"! command -v {name} >/dev/null 2>&1 || echo there {name}" for name in names]
    return "\n".join(tests)


def _words(said: Said | None, key: str) -> set[str]:
    if said is None:
        raise HopperError("it gave no answer")
    return {line.split()[1] for line in said.stdout.splitlines() if line.startswith(f"{key} ")}


def _advice(report: BatchReport, reading: BatchReading | None, lacking: Sequence[str]) -> list[str]:
    said = [f"without {', '.join(lacking)}"] if lacking else []
    skew, free = report.clock_skew, report.free_bytes
    if skew is not None and abs(skew) > LARGEST_SKEW:
        said.append(f"its clock is {skew:+.0f} s off")
    if free is not None and free < LITTLE_SPACE:
        said.append("little space is left where work_dir is")
    if reading is None:
        return said
    if reading.trouble and reading.queue_seen:
        said.append(reading.trouble)
    if not reading.accounting:
        said.append("no accounting: what jobs used is not told")
    return said


def _dialect(backend: Backend, said: Said | None) -> list[str]:
    """Return what is to be mended of the config's ``dialect``."""
    told = told_by_version(said.stdout) if said is not None else None
    if told is None or told == (backend.dialect or ""):
        return []
    return ["it is Torque: set 'dialect: torque'" if told else "it is no Torque: remove 'dialect'"]


# --- jobs


@dataclass(frozen=True, kw_only=True, slots=True)
class Elsewhere:
    """A job that a cluster has."""

    seen: NativeSighting
    job: str = ""
    """Our job, if it is one."""
    array: str = ""
    """The id of our job array that it is of, or that it stands for as a whole."""


def elsewhere(
    config: HopperConfig, backend: Backend, asking: Asking, *, everybody: bool
) -> list[Elsewhere]:
    """Return the jobs that a cluster has now: of the config's users, or everybody's.

    HopperError where it cannot be asked or does not answer.
    """
    # Of job arrays some systems tell as one job, unless they are asked for the members.
    reading, report = _survey(config, backend, asking, ours=_followed(config, backend.name))
    if reading.trouble:
        raise HopperError(f"{backend.name}: {reading.trouble}")
    me = dict(report.answers).get("me")
    users = set(backend.users) or {me.stdout.strip() if me is not None else ""}
    ours = _ours(config, backend.name)
    arrays = {attempt.array for _, attempt in ours.values() if attempt.array}
    return [
        _elsewhere(seen, ours, arrays)
        for seen in reading.jobs
        if seen.phase is not NativePhase.ENDED and (everybody or "*" in users or seen.user in users)
    ]


def _elsewhere(
    seen: NativeSighting, ours: Mapping[str, tuple[str, Attempt]], arrays: Collection[str]
) -> Elsewhere:
    if seen.native_id in ours:
        job, attempt = ours[seen.native_id]
        return Elsewhere(seen=seen, job=job, array=attempt.array)
    # Members that wait are one row with some systems; the array's id is in their name.
    array = next((part for part in seen.name.split(".") if part in arrays), "")
    return Elsewhere(seen=seen, array=array)


def _ours(config: HopperConfig, backend: str) -> dict[str, tuple[str, Attempt]]:
    """Return our jobs and their attempts there, by native id."""
    with read_state(config) as store:
        return {
            attempt.native_id: (job.id, attempt)
            for job in store.jobs.values()
            if job.backend == backend
            for attempt in job.attempts
            if attempt.native_id
        }


def _followed(config: HopperConfig, backend: str) -> tuple[Followed, ...]:
    with read_state(config) as store:
        open_ones = [job.open_attempt for job in store.jobs.values() if job.backend == backend]
    return tuple(
        Followed(attempt=item.id, native_id=item.native_id, submitted_at=item.intended_at)
        for item in open_ones
        if item is not None and item.native_id
    )


def _survey(
    config: HopperConfig,
    backend: Backend,
    asking: Asking,
    *,
    ours: Sequence[Followed] = (),
    more: Sequence[Query] = (),
    within: timedelta = timedelta(seconds=60),
) -> tuple[BatchReading, BatchReport]:
    """Ask about all jobs and machines of a cluster."""
    known, now = systems(config), datetime.now(UTC)
    queries = known.queries(backend.name, ours, now=now, others=True)
    me = _query("me", "id -un")
    report = answered(asking.visit(backend, [*queries, me, *more], within=within), backend)
    return known.read(backend.name, dict(report.answers), ours), report


# --- machines


@dataclass(frozen=True, kw_only=True, slots=True)
class Machines:
    """What a backend has."""

    backend: str
    clone_dir: str
    info: ClusterInfo | None = None
    trouble: str = ""
    clone_bytes: int | None = None
    """What the clones take; None where there is no such folder."""
    clones: int = 0
    free_bytes: int | None = None


def machines(config: HopperConfig, backend: Backend, asking: Asking) -> Machines:
    """Return the machines of a backend and its disk use. HopperError where it cannot be asked."""
    folder = path_word(backend.clone_dir)
    extra = [_query("disk", f"cd {folder} 2>/dev/null || exit 0\n{_DISK}")]
    if backend.type == "local":
        extra.append(_query("cpus", "getconf _NPROCESSORS_ONLN; cat /proc/loadavg"))
    reading, report = _survey(config, backend, asking, more=extra, within=DISK_TIME)
    answers = dict(report.answers)
    size, clones = _disk(answers.get("disk"))
    return Machines(
        backend=backend.name,
        clone_dir=backend.clone_dir,
        info=reading.info or _this_machine(answers.get("cpus")),
        trouble=reading.trouble,
        clone_bytes=size,
        clones=clones,
        free_bytes=report.free_bytes,
    )


def _disk(said: Said | None) -> tuple[int | None, int]:
    if said is None:
        return None, 0
    lines = said.stdout.splitlines()
    match = re.match(r"(\d{1,15})\s", lines[0]) if lines else None
    return (int(match[1]) * 1024 if match else None), lines.count("clone")


def _this_machine(said: Said | None) -> ClusterInfo | None:
    match = re.match(r"(\d{1,5})\n(?:(\d+(?:\.\d+)?) )?", said.stdout) if said is not None else None
    if match is None:
        return None
    count = int(match[1])
    load = round(float(match[2])) if match[2] else 0
    return ClusterInfo(nodes=1, nodes_up=1, cpus=count, cpus_free=max(0, count - load))
