"""Spectrum LSF and OpenLava: bsub, bjobs, bkill, bhosts.

``bjobs -a`` tells of jobs for an hour or so after their end; there is no other accounting that
is asked. Spectrum LSF tells in JSON, OpenLava in text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hopper.backends import lsf_reading as reading
from hopper.backends.base import BackendSettings, Followed
from hopper.backends.units import mebibytes, whole_seconds
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

_NAME_LIMIT = 100
_SAID_ID = re.compile(r"(?:Job <)?(\d{1,12}(?:\[\d{1,9}\])?)(?:> is submitted .*)?", re.ASCII)
_TROUBLE = re.compile(
    r"cannot connect|please wait|is down|not respond|timed? ?out|communicat|lib call|daemon",
    re.IGNORECASE,
)
_MISTAKE = re.compile(r"job not submitted|^bsub: |request aborted", re.IGNORECASE | re.MULTILINE)
_UNKNOWN = re.compile(
    r"Job <(\d{1,12}(?:\[\d{1,9}\])?)>(?: is not found|: No matching job found)", re.ASCII
)
_NOTHING = re.compile(r"^No (?:unfinished |matching )?job found", re.MULTILINE)
_MARK = re.compile(r"^=hopper-(json|text) (\d{1,3}) (\d{1,12})$", re.MULTILINE)
_UTC = "TZ=UTC0; export TZ"
_FORMAT = f"-o {quote(' '.join(reading.FIELDS))} -json"
_NAMED = """awk -v a="$a" '{for (i=2; i<=NF; i++) if (index($i, a)==1) {print $1; exit}}'"""


class Lsf:
    """LSF and OpenLava."""

    kind = "lsf"
    template = "lsf.sh.j2"
    accounts = False
    # The most that LSF takes by default (MAX_JOB_ARRAY_SIZE).
    array_limit = 1000

    def __init__(self, settings: BackendSettings) -> None:
        self._settings = settings

    def directives(self, name: str, attempt: str, resources: BatchResources, log: str) -> list[str]:
        """Return the ``#BSUB`` lines. HopperError for words that cannot be given to LSF.

        What LSF itself says goes to ``LOG.lsf.out`` and ``LOG.lsf.err`` when the job is over; the
        script writes ``LOG.out`` and ``LOG.err`` as it runs.
        """
        called = short_name(name, attempt, _NAME_LIMIT)
        return self._lines(called, resources, log_path(log))

    def array_directives(
        self, name: str, group: str, resources: BatchResources, log: str, count: int
    ) -> list[str]:
        """Return the ``#BSUB`` lines of a job array.

        What LSF says of a member goes to ``LOG.INDEX.lsf.out`` and ``LOG.INDEX.lsf.err``.
        """
        called = f'"{short_name(name, group, _NAME_LIMIT)}[1-{count}]"'
        return self._lines(called, resources, f"{log_path(log)}.%I")

    def member_id(self, native_id: str, index: int) -> str:
        """Return the id of a member as LSF takes it: ``123[4]``."""
        return f"{reading.array_of(native_id)}[{index}]"

    def _lines(self, called: str, resources: BatchResources, log: str) -> list[str]:
        options = [
            f"-J {called}",
            f"-o {log}.lsf.out",
            f"-e {log}.lsf.err",
            f"-n {max(1, resources.cpus)}",
            '-R "span[hosts=1]"',
            "-rn",
        ]
        if resources.memory is not None:
            mebi = mebibytes(resources.memory)
            options += [f"-M {mebi * 1024}", f'-R "rusage[mem={mebi}]"']
        if resources.time_limit is not None:
            options.append(f"-W {-(-whole_seconds(resources.time_limit) // 60)}")
        if gpus := gpu_count(resources):
            options.append(f"-gpu num={gpus}")
        if partition := partition_of(self._settings, resources):
            options.append(f"-q {partition}")
        if self._settings.account:
            options.append(f"-P {word(self._settings.account, 'account')}")
        return [f"#BSUB {option}" for option in options]

    def submit_command(self) -> str:
        """Return the ``bsub`` of the head of ``$hopper_script``, which then runs the script.

        LSF looks for directives in all of its input: the task's own lines are kept from it. What
        OpenLava does not know is left out; it would take ``-rn`` for ``-r -n``.
        """
        shell = "/bin/bash -l" if self._settings.login_shell else "/bin/bash"
        lines = [
            "cd || exit 1",
            "case $(bsub -V 2>&1) in *LSF*) d= ;; *) d='/^#BSUB -rn/d;/^#BSUB -gpu/d' ;; esac",
            "p=$(printf '%s.' \"$hopper_script\" | sed \"s/'/'\\\\\\\\''/g\")",
            "{ sed -n -e '/^[^#]/q' -e \"$d\" -e '/^#BSUB /p' \"$hopper_script\"",
            f'printf "exec {shell} \'%s\'\\\\n" "${{p%.}}"; }} | bsub',
        ]
        return joined(lines)

    def native_id(self, said: Said) -> str:
        """Return the id in what ``bsub`` or the lookup printed."""
        return last_line(said, _SAID_ID) if said.code == 0 else ""

    def refusal(self, said: Said) -> str:
        """Return LSF's words where it refused the job."""
        return refusal_in(said, _TROUBLE, _MISTAKE).removesuffix(" Job not submitted.")

    def lookup_command(self, attempt: str) -> str:
        """Return shell text that looks for the attempt in the names of the user's jobs."""
        lines = [
            f"a={quote(attempt)}",
            "q=$(bjobs -a -w 2>&1); c=$?",
            f"i=$(printf '%s\\n' \"$q\" | {_NAMED})",
            '[ -z "$i" ] || { printf \'%s\\n\' "$i"; exit 0; }',
            'case $c$q in 0*|*"No job found"*|*"No unfinished job found"*) exit 0 ;; esac',
            "printf '%s\\n' \"$q\" >&2; exit 1",
        ]
        return joined(lines)

    def queries(self, jobs: Sequence[Followed], *, now: datetime, others: bool) -> Sequence[Query]:
        """Return the query ``jobs``; with ``others`` also ``others`` and ``machines``."""
        del now
        queries = [
            Query(
                name=portion.name,
                shell=_asked(
                    call(f"bjobs -a {_FORMAT}", portion.words),
                    call("bjobs -a -UF", portion.words),
                ),
            )
            for portion in _portions(jobs)
        ]
        if others:
            everyone = _asked(f"bjobs -u all {_FORMAT}", "bjobs -u all -UF")
            queries += [
                Query(name="others", shell=everyone),
                Query(name="machines", shell="bhosts -w"),  # noqa: S604 # a field
            ]
        return queries

    def read(self, answers: Mapping[str, Said], jobs: Sequence[Followed]) -> BatchReading:
        """Return what bjobs and bhosts said."""
        asked = _portions(jobs)
        parts = [_part(answers.get(portion.name), portion.ids) for portion in asked]
        found = {native: job for part in parts for native, job in part.jobs.items()}
        elsewhere, info, trouble, others_seen = _elsewhere(answers)
        own = {native for portion in asked for native in portion.ids}
        found.update((native, job) for native, job in elsewhere.items() if native not in own)
        return BatchReading(
            jobs=tuple(found.values()),
            queue_seen=bool(parts) and not any(part.trouble for part in parts),
            accounting=False,
            others_seen=others_seen,
            trouble=next((part.trouble for part in parts if part.trouble), trouble),
            info=info,
        )

    def cancel_command(self, native_ids: Sequence[str]) -> str:
        """Return the ``bkill`` of these jobs."""
        return call("bkill", [native for native in native_ids if reading.NATIVE_ID.match(native)])

    def log_variables(self) -> Mapping[str, str]:
        """Return where a running script finds its id, node and index."""
        index = '$([ "${LSB_JOBINDEX:-0}" = 0 ] || echo "[$LSB_JOBINDEX]")'
        return {
            "native": f'"$LSB_JOBID{index}"',
            "node": '"$(hostname)"',
            "index": '"$LSB_JOBINDEX"',
        }


def _portions(jobs: Iterable[Followed]) -> list[Portion]:
    return asked_portions(jobs, reading.NATIVE_ID, reading.array_of)


def _asked(modern: str, plain: str) -> str:
    """Ask for JSON, where that is unknown for text; with the time there."""
    lines = [
        _UTC,
        f"q=$({modern}); c=$?",
        "case $q in *RECORDS*)",
        'printf \'%s\\n=hopper-json %s %s\\n\' "$q" $c "$(date +%s)" ;;',
        f"*) {plain}; printf '=hopper-text %s %s\\n' $? \"$(date +%s)\" ;; esac",
    ]
    return joined(lines)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """What the query for a portion of the jobs said."""

    jobs: Mapping[str, NativeSighting] = field(default_factory=dict)
    trouble: str = ""


def _jobs(said: Said) -> tuple[dict[str, NativeSighting] | None, int]:
    """Return the jobs of a whole answer, and the command's code."""
    marks = list(_MARK.finditer(said.stdout))
    if not marks:
        return None, -1
    mark = marks[-1]
    text, code, now = said.stdout[: mark.start()], int(mark[2]), float(mark[3])
    if now > 2**34:
        return None, -1
    if mark[1] == "json":
        return reading.from_json(text, now), code
    return reading.from_text(text, now), code


def _complaint(said: Said) -> str:
    """Return the last words: before them may be those about an option that is not known."""
    words = said.stderr.strip().split("\n")[-1]
    return complaint(Said(code=said.code, stdout=said.stdout, stderr=words), "bjobs")


def _part(said: Said | None, ids: Sequence[str]) -> _Part:
    if said is None:
        return _Part(trouble="bjobs was not asked")
    jobs, code = _jobs(said)
    if jobs is None:
        return _Part(trouble=_complaint(said))
    unknown = set(_UNKNOWN.findall(said.stderr))
    gone = {*unknown, *(reading.array_of(native) for native in jobs if "[" in native)}
    # Where some of an array is told of, what is not has left.
    missing = [i for i in ids if i not in jobs and not {i, reading.array_of(i)} & gone]
    jobs = {native: jobs[native] for native in ids if native in jobs}
    if not missing or _NOTHING.search(said.stderr):
        return _Part(jobs=jobs)
    what = f"bjobs said nothing of {missing[0]}" if code == 0 else _complaint(said)
    return _Part(jobs=jobs, trouble=one_line(what))


def _elsewhere(
    answers: Mapping[str, Said],
) -> tuple[dict[str, NativeSighting], ClusterInfo | None, str, bool]:
    jobs: dict[str, NativeSighting] = {}
    trouble, whole = "", False
    if said := answers.get("others"):
        told, code = _jobs(said)
        jobs = told or {}
        if told is None or (code and not _NOTHING.search(said.stderr)):
            trouble = _complaint(said)
        whole = not trouble
    info = None
    if said := answers.get("machines"):
        queues = {job.partition for job in jobs.values() if job.partition}
        info = reading.read_machines(said.stdout, queues) if said.code == 0 else None
        trouble = trouble or ("" if info else complaint(said, "bhosts"))
    return jobs, info, trouble, whole
