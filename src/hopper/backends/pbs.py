"""OpenPBS, PBS Pro and Torque: qsub, qstat, qdel, pbsnodes.

PBS keeps jobs that have ended and tells of them in JSON; Torque keeps them for minutes and tells
in text. Each is asked for the jobs that are followed, by id: those it does not know it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hopper.backends import pbs_arrays as arrays
from hopper.backends import pbs_reading as reading
from hopper.backends.base import BackendSettings, Followed
from hopper.backends.units import clock, mebibytes
from hopper.backends.words import (
    Portion,
    asked_portions,
    complaint,
    gpu_count,
    joined,
    last_line,
    log_path,
    one_line,
    partition_of,
    refusal_in,
    short_name,
    word,
)
from hopper.model.batch import Query, Said
from hopper.model.native import BatchReading, ClusterInfo, NativeSighting
from hopper.model.task import BatchResources
from hopper.remote.quoting import call, quote

_NAME_LIMIT = 15
_SAID_ID = re.compile(r"(\d{1,12}(?:\[\d*\])?(?:\.[A-Za-z0-9._-]{1,200})?)", re.ASCII)
_TROUBLE = re.compile(
    r"connect|refused|timed? ?out|communicat|unknown host|credential|protocol|end of (?:file|mess)"
    r"|premature|shutting down|try again|busy|system error|pbs_iff|trqauthd|errno=15",
    re.IGNORECASE,
)
_MISTAKE = re.compile(r"^(?:qsub: |Unknown queue|Unauthorized)", re.MULTILINE)
_UNKNOWN = re.compile(r"^qstat: Unknown Job Id (?:Error )?(\S+)", re.MULTILINE)
_MARK = re.compile(r"^=hopper-(json|text|plain) (\d{1,3})$", re.MULTILINE)
_UTC = "TZ=UTC0; export TZ"
_NAMED = """awk -v a="$a" '/^Job Id: / {i=$3} $1=="Job_Name" && index($3, a)==1 {print i; exit}'"""


class Pbs:
    """PBS; with the dialect ``torque``, Torque."""

    kind = "pbs"
    template = "pbs.sh.j2"
    accounts = True
    # Far below what PBS takes by default (max_array_size 10000).
    array_limit = 1000

    def __init__(self, settings: BackendSettings) -> None:
        self._settings = settings
        if settings.dialect == reading.TORQUE:
            # As many members as it makes at a time; those of larger arrays come to be bit by bit.
            self.array_limit = 250

    def directives(self, name: str, attempt: str, resources: BatchResources, log: str) -> list[str]:
        """Return the ``#PBS`` lines. HopperError for words that cannot be given to PBS.

        What PBS itself says goes to ``LOG.pbs.out`` and ``LOG.pbs.err`` when the job is over; the
        script writes ``LOG.out`` and ``LOG.err`` as it runs.
        """
        return self._lines(name, attempt, resources, log_path(log))

    def array_directives(
        self, name: str, group: str, resources: BatchResources, log: str, count: int
    ) -> list[str]:
        """Return the ``#PBS`` lines of a job array.

        What PBS says of a member goes to ``LOG.INDEX.pbs.out``, ``LOG.INDEX.pbs.err``; Torque adds
        the index to the ends of the names by itself.
        """
        torque = self._settings.dialect == reading.TORQUE
        # PBS refuses 1-1; an index without a task has no script and ends at once.
        count = count if torque else max(2, count)
        place = log_path(log) if torque else f"{log_path(log)}.^array_index^"
        option = "-t" if torque else "-J"
        # PBS refuses arrays that may not be run again; the script sees that it runs once.
        rerun = "n" if torque else "y"
        return [*self._lines(name, group, resources, place, rerun), f"#PBS {option} 1-{count}"]

    def member_id(self, native_id: str, index: int) -> str:
        """Return the id of a member as qstat shows it: ``123[4].server``."""
        return arrays.member_of(native_id, index)

    def _lines(
        self, name: str, attempt: str, resources: BatchResources, log: str, rerun: str = "n"
    ) -> list[str]:
        options = [
            f"-N {short_name(name, attempt, _NAME_LIMIT)}",
            "-S /bin/bash",
            f"-o {log}.pbs.out",
            f"-e {log}.pbs.err",
            f"-r {rerun}",
            *self._requests(resources),
        ]
        queue = self._settings.queue or partition_of(self._settings, resources)
        if queue:
            options.append(f"-q {word(queue, 'queue')}")
        if self._settings.account:
            options.append(f"-A {word(self._settings.account, 'account')}")
        return [f"#PBS {option}" for option in options]

    def _requests(self, resources: BatchResources) -> list[str]:
        cpus, gpus = max(1, resources.cpus), gpu_count(resources)
        memory = f"mem={mebibytes(resources.memory)}mb" if resources.memory is not None else ""
        if self._settings.dialect == reading.TORQUE:
            nodes = f"nodes=1:ppn={cpus}" + (f":gpus={gpus}" if gpus else "")
            requests = [nodes, *([memory] if memory else [])]
        else:
            parts = ["select=1", f"ncpus={cpus}", memory, f"ngpus={gpus}" if gpus else ""]
            requests = [":".join(part for part in parts if part)]
        if resources.time_limit is not None:
            requests.append(f"walltime={clock(resources.time_limit)}")
        return [f"-l {request}" for request in requests]

    def submit_command(self) -> str:
        """Return the ``qsub`` of ``$hopper_script``, from the home folder."""
        return '(cd && exec qsub "$hopper_script")'

    def native_id(self, said: Said) -> str:
        """Return the id in what ``qsub`` or the lookup printed."""
        return last_line(said, _SAID_ID) if said.code == 0 else ""

    def refusal(self, said: Said) -> str:
        """Return PBS's words where it refused the job."""
        text = said.stderr.partition("\nusage: ")[0]
        said = Said(code=said.code, stdout=said.stdout, stderr=text)
        return refusal_in(said, _TROUBLE, _MISTAKE).removeprefix("qsub: ")

    def lookup_command(self, attempt: str) -> str:
        """Return shell text that looks for the attempt in the names of the user's jobs."""
        lines = [
            f"a={quote(attempt)}; u=$(id -un); x=-x; l=; q=",
            'l=$(qselect -x -u "$u" 2>/dev/null) || { x=; l=$(qselect -u "$u" 2>/dev/null); } ||',
            "{ q=$(qstat -x -f); c=$?; l=all; }",
            '[ -n "$l" ] || exit 0',
            # Torque takes -x for XML.
            "case $l${q:+q} in all) [ $c = 0 ] || exit 1 ;;",
            'allq) case $q in *"Job Id:"*) ;; *) q=$(qstat -f) || exit 1 ;; esac ;;',
            "*) q=$(printf '%s\\n' \"$l\" | xargs -n 200 qstat $x -f); c=$? ;; esac",
            f"i=$(printf '%s\\n' \"$q\" | {_NAMED})",
            '[ -z "$i" ] || { printf \'%s\\n\' "$i"; exit 0; }',
            "exit $c",
        ]
        return joined(lines)

    def queries(self, jobs: Sequence[Followed], *, now: datetime, others: bool) -> Sequence[Query]:
        """Return the query ``jobs``; with ``others`` also ``others`` and ``machines``."""
        del now
        queries = [
            Query(name=portion.name, shell=_about(portion.words)) for portion in _portions(jobs)
        ]
        if others:
            everyone = _asked("qstat -f -F json", "qstat -f", "qstat -f")
            machines = _asked("pbsnodes -a -F json", "pbsnodes -a", "pbsnodes -a")
            queries += [
                Query(name="others", shell=everyone),
                Query(name="machines", shell=machines),
            ]
        return queries

    def read(self, answers: Mapping[str, Said], jobs: Sequence[Followed]) -> BatchReading:
        """Return what qstat and pbsnodes said."""
        asked = _portions(jobs)
        parts = [_part(answers.get(portion.name), portion.ids) for portion in asked]
        found = {native: job for part in parts for native, job in part.jobs.items()}
        seen = bool(parts) and not any(part.trouble for part in parts)
        history = all(part.history for part in parts)
        elsewhere, info, trouble, others_seen = _elsewhere(
            answers, [i for portion in asked for i in portion.ids]
        )
        return BatchReading(
            jobs=tuple({**elsewhere, **found}.values()),
            queue_seen=seen,
            accounting_seen=seen and history,
            accounting=history,
            others_seen=others_seen,
            trouble=next((part.trouble for part in parts if part.trouble), trouble),
            info=info,
        )

    def cancel_command(self, native_ids: Sequence[str]) -> str:
        """Return the ``qdel`` of these jobs."""
        return call("qdel", [native for native in native_ids if arrays.NATIVE_ID.match(native)])

    def log_variables(self) -> Mapping[str, str]:
        """Return where a running script finds its id, node and index."""
        return {
            "native": '"$PBS_JOBID"',
            "node": '"$(hostname)"',
            "index": '"${PBS_ARRAY_INDEX:-$PBS_ARRAYID}"',
        }


def _portions(jobs: Iterable[Followed]) -> list[Portion]:
    return asked_portions(jobs, arrays.NATIVE_ID, arrays.array_of)


def _about(ids: Sequence[str]) -> str:
    """Ask for jobs, of arrays for all members."""
    members = " -t" if any("[" in native for native in ids) else ""
    return _asked(
        call(f"qstat -x{members} -f -F json", ids),
        call(f"qstat -x{members} -f", ids),
        call(f"qstat{members} -f", ids),
    )


def _asked(modern: str, text: str, plain: str) -> str:
    """Ask for JSON; where that is unknown, for text; without a history, or of Torque, for less."""
    lines = [
        _UTC,
        f"{{ e=$({modern} 2>&1 >&3 3>&-); c=$?; }} 3>&1",
        "printf '%s\\n' \"$e\" >&2",
        "printf '\\n=hopper-json %s\\n' $c",
        "case $c$e in 0*) exit ;; *istory*) ;;",
        f'*sage:*|*"nvalid option"*|*"llegal option"*) t=$({text}); c=$?',
        # Torque takes -x for XML.
        "case $t in '<'*) ;; *)",
        "printf '%s\\n=hopper-text %s\\n' \"$t\" $c; exit ;; esac ;;",
        "*) exit ;; esac",
        plain,
        "printf '\\n=hopper-plain %s\\n' $?",
    ]
    return joined(lines)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """What the query for a portion of the jobs said."""

    jobs: Mapping[str, NativeSighting] = field(default_factory=dict)
    trouble: str = ""
    history: bool = True
    """Jobs that have ended are told of."""


def _things(said: Said, what: str) -> tuple[dict[str, reading.Fields] | None, int, bool]:
    """Return the things of an answer, the command's code, and whether it has a history."""
    marks = list(_MARK.finditer(said.stdout))
    if not marks:
        return None, -1, True
    last = marks[-1]
    if last[1] == "json":
        return reading.from_json(said.stdout[: last.start()], what), int(last[2]), True
    start = marks[-2].end() if len(marks) > 1 else 0
    things = reading.from_text(said.stdout[start : last.start()])
    return things, int(last[2]), last[1] == "text"


def _part(said: Said | None, ids: Sequence[str]) -> _Part:
    if said is None:
        return _Part(trouble="qstat was not asked")
    things, code, history = _things(said, "Jobs")
    if things is None:
        return _Part(trouble=complaint(said, "qstat"), history=history)
    jobs = reading.read_jobs(things, ids, keeps=history and arrays.keeps_records(said.stdout))
    gone = {arrays.number_of(native) for native in _UNKNOWN.findall(said.stderr)}
    # Where some of an array is told of, what is not has left.
    gone |= {arrays.number_of(arrays.array_of(native)) for native in things if "[" in native}
    missing = [i for i in ids if i not in jobs and arrays.number_of(arrays.array_of(i)) not in gone]
    trouble = ""
    if missing:
        what = f"qstat said nothing of {missing[0]}" if code == 0 else complaint(said, "qstat")
        trouble = one_line(what)
    jobs = {native: jobs[native] for native in ids if native in jobs}
    return _Part(jobs=jobs, trouble=trouble, history=history)


def _elsewhere(
    answers: Mapping[str, Said], own: Sequence[str]
) -> tuple[dict[str, NativeSighting], ClusterInfo | None, str, bool]:
    jobs: dict[str, NativeSighting] = {}
    trouble, whole = "", False
    if said := answers.get("others"):
        things, code, _ = _things(said, "Jobs")
        if things is None or code:
            trouble = complaint(said, "qstat")
        else:
            jobs, whole = reading.read_jobs(things, own), True
    info = None
    if said := answers.get("machines"):
        nodes, code, _ = _things(said, "nodes")
        queues = {job.partition for job in jobs.values() if job.partition}
        info = reading.read_machines(nodes, queues) if nodes and not code else None
        trouble = trouble or ("" if info else complaint(said, "pbsnodes"))
    ours = {*own, *map(arrays.array_of, own)}
    others = {native: job for native, job in jobs.items() if native not in ours}
    return others, info, trouble, whole
