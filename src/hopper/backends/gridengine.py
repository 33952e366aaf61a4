"""Grid Engine (Son of Grid Engine, Univa, Open): qsub, qstat, qacct, qdel, qhost.

A job that has ended leaves the live view at once and comes to the accounting a little later;
one that is deleted before it starts comes to none. Clients write times in their own zone, so all
are asked in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from hopper.backends import gridengine_errors as errors
from hopper.backends import gridengine_reading as reading
from hopper.backends.base import BackendSettings, Followed
from hopper.backends.units import mebibytes, whole_seconds
from hopper.backends.words import (
    complaint,
    gpu_count,
    joined,
    last_line,
    log_path,
    one_line,
    partition_of,
    portion_name,
    portions,
    refusal_in,
    short_name,
    word,
)
from hopper.model.batch import Query, Said
from hopper.model.native import BatchReading, ClusterInfo, NativeSighting
from hopper.model.task import BatchResources
from hopper.remote.quoting import call, quote

_NATIVE = re.compile(r"\d{1,12}(?:\.\d{1,9})?\Z", re.ASCII)
_SAID_ID = re.compile(r"(?:Your job(?:-array)? )?(\d{1,12})(?:[. ].*)?", re.ASCII)
_TROUBLE = re.compile(
    r"qmaster|commlib|response|connect|timed? ?out|resolve|communicat|select error"
    r"|initialize environment",
    re.IGNORECASE,
)
_MISTAKE = re.compile(
    r"^(?:Unable to run job|Unable to read script|qsub: |denied|error: )", re.MULTILINE
)
_MARK = re.compile(r"^=hopper-(queue|accounting|errors|hosts) (\d{1,3})$", re.MULTILINE)
_UNKNOWN = re.compile(r"^error: job (?:id|name) .* not found$", re.MULTILINE)
_UTC = "TZ=UTC0; export TZ"
_FEW = 10
"""Each ``qacct`` of a job reads the whole accounting file; for more, all of the user's at once."""
_LONGEST_NAME = 100
# A script's own lines of "#$" are not to be taken for options: they come from its head alone.
_HEAD = "sed -n -e '/^[^#]/q' -e 's/^#\\$ //p'"
_NAMED = """awk -F'[<>]' -v a="$a" '$2=="JB_job_number" {i=$3} \
$2=="JB_name" && ($3==a || index($3, a ".")==1) {print i; exit}'"""
# A line for each: its number and, of an array, its tasks, those that wait as ranges.
_LIVE_IDS = """awk -F'[<>]' '$2=="JB_job_number" {i=$3; t=""} $2=="tasks" {t=$3} \
$2=="/job_list" {print i, t}'"""
_GONE = """awk 'function waits(r, k, m, a, x) { m=split(r, a, ","); while (m) { \
if (split(a[m--], x, /[-:]/) < 2) x[2]=x[1]; \
if (k>=x[1]+0 && k<=x[2]+0 && (k-x[1]) % (x[3]>0 ? x[3] : 1)==0) return 1 } return 0 } \
$0=="=" {b=1; next} \
!b {l[$1]=1; if ($2 ~ /^[0-9]+$/) l[$1 "." $2]=1; else r[$1]=r[$1] "," $2; next} \
{n=$1; k=0; if (sub(/[.].*/, "", n)) {k=$1; sub(/.*[.]/, "", k)}} \
$1 in l || (k && waits(r[n], k+0)) {next} !d[n]++ {print n}'"""


class GridEngine:
    """Grid Engine 8.1 or like it, with a parallel environment ``smp`` for several CPUs."""

    kind = "gridengine"
    template = "gridengine.sh.j2"
    accounts = True
    # Far below what Grid Engine takes by default (max_aj_tasks 75000).
    array_limit = 1000

    def __init__(self, settings: BackendSettings) -> None:
        self._settings = settings

    def directives(self, name: str, attempt: str, resources: BatchResources, log: str) -> list[str]:
        """Return the ``#$`` lines. HopperError for words that cannot be given to Grid Engine."""
        return self._lines(name, attempt, resources, log_path(log))

    def array_directives(
        self, name: str, group: str, resources: BatchResources, log: str, count: int
    ) -> list[str]:
        """Return the ``#$`` lines of a job array."""
        lines = self._lines(name, group, resources, f"{log_path(log)}.$TASK_ID")
        return [*lines, f"#$ -t 1-{count}"]

    def member_id(self, native_id: str, index: int) -> str:
        """Return the id of a member as Grid Engine writes it: ``123.4``."""
        return f"{native_id.partition('.')[0]}.{index}"

    def _lines(self, name: str, attempt: str, resources: BatchResources, log: str) -> list[str]:
        options = [
            f"-N {short_name(name, attempt, _LONGEST_NAME)}",
            "-S /bin/bash",
            f"-o {log}.out",
            f"-e {log}.err",
            "-r n",
        ]
        cpus = max(1, resources.cpus)
        if cpus > 1:
            options.append(f"-pe smp {cpus}")
        if resources.memory is not None:
            # Requests are for each slot.
            options.append(f"-l h_vmem={-(-mebibytes(resources.memory) // cpus)}M")
        if resources.time_limit is not None:
            options.append(f"-l h_rt={whole_seconds(resources.time_limit)}")
        if gpus := gpu_count(resources):
            options.append(f"-l gpu={-(-gpus // cpus)}")
        if partition := partition_of(self._settings, resources):
            options.append(f"-q {partition}")
        if self._settings.account:
            options.append(f"-A {word(self._settings.account, 'account')}")
        return [f"#$ {option}" for option in options]

    def submit_command(self) -> str:
        """Return the ``qsub`` of ``$hopper_script``, from the home folder."""
        return f"""(cd && set -f && exec qsub -terse -C '' $({_HEAD} "$hopper_script") \
"$hopper_script")"""

    def native_id(self, said: Said) -> str:
        """Return the id in what ``qsub`` or the lookup printed."""
        return last_line(said, _SAID_ID) if said.code == 0 else ""

    def refusal(self, said: Said) -> str:
        """Return Grid Engine's words where it refused the job."""
        return refusal_in(said, _TROUBLE, _MISTAKE).removesuffix(" Exiting.")

    def lookup_command(self, attempt: str) -> str:
        """Return shell text that looks in the live view, then in the accounting, by name."""
        lines = [
            f"a={quote(attempt)}",
            'q=$(qstat -xml -u "$(id -un)") || exit 1',
            "case $q in *'</job_info>'*) ;; *) exit 1 ;; esac",
            f"i=$(printf '%s\\n' \"$q\" | {_NAMED})",
            'if [ -z "$i" ]; then',
            'q=$(qacct -j "$a*" 2>&1); c=$?',
            'case $c$q in 0*) ;; *" not found"*) q= ;; *"o such file"*) q= ;;',
            "*) printf '%s\\n' \"$q\" >&2; exit 1 ;; esac",
            "i=$(printf '%s\\n' \"$q\" | sed -n 's/^jobnumber *\\([0-9]*\\).*/\\1/p' | head -n 1)",
            "fi",
            '[ -z "$i" ] || printf \'%s\\n\' "$i"',
        ]
        return joined(lines)

    def queries(self, jobs: Sequence[Followed], *, now: datetime, others: bool) -> Sequence[Query]:
        """Return the query ``jobs``; with ``others`` also ``others`` and ``machines``."""
        del now
        queries = [
            Query(name=portion_name("jobs", number), shell=_poll(ids))
            for number, ids in enumerate(portions(_known(jobs)))
        ]
        if others:
            everyone = joined([_UTC, "qstat -f -xml -u '*'", "printf '=hopper-queue %s\\n' $?"])
            hosts = joined(["qhost -xml", "printf '=hopper-hosts %s\\n' $?"])
            queries += [Query(name="others", shell=everyone), Query(name="machines", shell=hosts)]
        return queries

    def read(self, answers: Mapping[str, Said], jobs: Sequence[Followed]) -> BatchReading:
        """Return what qstat, qacct and qhost said."""
        asked = _known(jobs)
        live: dict[str, NativeSighting] = {}
        over: dict[str, NativeSighting] = {}
        queue_said, accounting_said, seen = "", "", False
        for number in range(len(portions(asked))):
            said = answers.get(portion_name("jobs", number))
            part, trouble = _live(said, asked)
            live.update(errors.with_reasons(part, _told(said, "errors")))
            queue_said = queue_said or trouble
            ended, trouble, told = _over(said)
            over.update(ended)
            accounting_said, seen = accounting_said or trouble, seen or told
        elsewhere, info, others_seen = _elsewhere(answers)
        own = {**over, **live}
        found = {**{i: job for i, job in elsewhere.items() if i not in asked}, **own}
        return BatchReading(
            jobs=tuple(found.values()),
            queue_seen=not queue_said,
            accounting_seen=seen and not accounting_said,
            others_seen=others_seen,
            trouble=queue_said or accounting_said,
            info=info,
        )

    def cancel_command(self, native_ids: Sequence[str]) -> str:
        """Return the ``qdel`` of these jobs."""
        return call("qdel", [native for native in native_ids if _NATIVE.match(native)])

    def log_variables(self) -> Mapping[str, str]:
        """Return where a running script finds its id, node and index."""
        task = '${SGE_TASK_ID:+$([ "$SGE_TASK_ID" = undefined ] || echo ".$SGE_TASK_ID")}'
        return {
            "native": f'"$JOB_ID{task}"',
            "node": '"$(hostname)"',
            "index": '"$SGE_TASK_ID"',
        }


def _known(jobs: Iterable[Followed]) -> list[str]:
    ids = (job.native_id for job in jobs)
    return list(dict.fromkeys(native for native in ids if _NATIVE.match(native)))


def _poll(ids: Sequence[str]) -> str:
    """Ask the live view; ask the accounting for those that are not in it."""
    lines = [
        _UTC,
        'q=$(qstat -xml -u "$(id -un)"); c=$?',
        "printf '%s\\n=hopper-queue %s\\n' \"$q\" $c",
    ]
    if ids:
        listed = call("printf", ["%s\\n", *ids])
        lines += [
            f"ids() {{ {listed}; }}",
            f"l=$(printf '%s\\n' \"$q\" | {_LIVE_IDS})",
            f"g=$({{ printf '%s\\n=\\n' \"$l\"; ids; }} | {_GONE})",
            'if [ -n "$g" ]; then set -- $g',
            f'if [ $# -gt {_FEW} ]; then qacct -o "$(id -un)" -j; c=$?',
            'else c=0; for i; do qacct -j "$i" || c=$?; done; fi',
            "printf '=hopper-accounting %s\\n' $c; fi",
            *errors.asking(),
        ]
    return joined(lines)


def _section(said: Said, name: str) -> tuple[str, int] | None:
    """Return the text before a mark, and the code that the command ended with."""
    start = 0
    for mark in _MARK.finditer(said.stdout):
        if mark[1] == name:
            return said.stdout[start : mark.start()], int(mark[2])
        start = mark.end()
    return None


def _told(said: Said | None, name: str) -> str:
    section = _section(said, name) if said is not None else None
    return section[0] if section is not None else ""


def _live(said: Said | None, asked: Collection[str] = ()) -> tuple[dict[str, NativeSighting], str]:
    if said is None:
        return {}, "qstat was not asked"
    text, code = _section(said, "queue") or ("", -1)
    if code:
        return {}, complaint(said, "qstat")
    if not reading.whole(text):
        return {}, f"qstat: not understood: {one_line(text)[:80] or 'nothing'}"
    return reading.read_jobs(text, asked), ""


def _over(said: Said | None) -> tuple[dict[str, NativeSighting], str, bool]:
    """Return the jobs that have ended, what was wrong, and whether the accounting answered."""
    section = _section(said, "accounting") if said else None
    if said is None or section is None:
        return {}, "", False
    text, code = section
    wrong = code and not _UNKNOWN.search(said.stderr)
    return reading.read_accounting(text), complaint(said, "qacct") if wrong else "", not wrong


def _elsewhere(
    answers: Mapping[str, Said],
) -> tuple[dict[str, NativeSighting], ClusterInfo | None, bool]:
    everyone, hosts = answers.get("others"), answers.get("machines")
    found, trouble = _live(everyone)
    queues = everyone.stdout if everyone and not trouble else ""
    return found, reading.read_machines(queues, hosts.stdout) if hosts else None, not trouble
