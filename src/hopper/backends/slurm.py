"""Slurm: sbatch, squeue, sacct, scancel, sinfo.

Times are asked for as epoch seconds. The live view holds jobs for minutes after their end; the
accounting lags, and may be disabled. Only jobs that have left the live view or ended in it are
asked of the accounting, all in one command.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from hopper.backends import slurm_answers as answers_of
from hopper.backends import slurm_reading as reading
from hopper.backends.base import BackendSettings, Followed
from hopper.backends.slurm_asking import MATCH, PAST, SEPARATE, SINFO, SQUEUE, marked, poll_command
from hopper.backends.units import clock, mebibytes
from hopper.backends.words import (
    full_name,
    gpu_count,
    joined,
    last_line,
    log_path,
    partition_of,
    portion_name,
    portions,
    refusal_in,
    word,
)
from hopper.model.batch import Query, Said
from hopper.model.native import BatchReading
from hopper.model.task import BatchResources
from hopper.remote.quoting import call, quote

_SAID_ID = re.compile(r"(?:Submitted batch job )?(\d{1,12}(?:_\d{1,9})?)(?:;\S*)?", re.ASCII)
_TROUBLE = re.compile(
    r"contact slurm|timed? ?out|connect|munge|authenticat|credential|temporarily|transmitted"
    r"|socket|protocol|standby|communicat|not respond|unspecified|message|no such file"
    r"|configuration file|resolve|permissions",
    re.IGNORECASE,
)
_MISTAKE = re.compile(r"^(?:sbatch: |Invalid )", re.MULTILINE)


class Slurm:
    """Slurm, 20.02 or newer."""

    kind = "slurm"
    template = "slurm.sh.j2"
    accounts = True
    # By default the largest index is 1000 (MaxArraySize 1001).
    array_limit = 1000

    def __init__(self, settings: BackendSettings) -> None:
        self._settings = settings

    def directives(self, name: str, attempt: str, resources: BatchResources, log: str) -> list[str]:
        """Return the ``#SBATCH`` lines. HopperError for words that cannot be given to Slurm."""
        return self._lines(name, attempt, resources, log_path(log))

    def array_directives(
        self, name: str, group: str, resources: BatchResources, log: str, count: int
    ) -> list[str]:
        """Return the ``#SBATCH`` lines of a job array."""
        lines = self._lines(name, group, resources, f"{log_path(log)}.%a")
        return [*lines, f"#SBATCH --array=1-{count}"]

    def member_id(self, native_id: str, index: int) -> str:
        """Return the id of a member as squeue and sacct show it: ``123_4``."""
        return f"{native_id.partition('_')[0]}_{index}"

    def _lines(self, name: str, attempt: str, resources: BatchResources, log: str) -> list[str]:
        options = {
            "job-name": full_name(name, attempt),
            "comment": word(attempt, "attempt"),
            "output": f"{log}.out",
            "error": f"{log}.err",
            "ntasks": "1",
            "cpus-per-task": str(max(1, resources.cpus)),
        }
        if resources.memory is not None:
            options["mem"] = f"{mebibytes(resources.memory)}M"
        if resources.time_limit is not None:
            options["time"] = clock(resources.time_limit)
        if partition := partition_of(self._settings, resources):
            options["partition"] = partition
        if self._settings.account:
            options["account"] = word(self._settings.account, "account")
        if gres := _gres(resources):
            options["gres"] = gres
        return [
            *(f"#SBATCH --{option}={value}" for option, value in options.items()),
            "#SBATCH --no-requeue",
        ]

    def submit_command(self) -> str:
        """Return the ``sbatch`` of ``$hopper_script``, from the home folder."""
        return '(cd && exec sbatch --parsable "$hopper_script")'

    def native_id(self, said: Said) -> str:
        """Return the id in what ``sbatch`` or the lookup printed."""
        return last_line(said, _SAID_ID) if said.code == 0 else ""

    def refusal(self, said: Said) -> str:
        """Return Slurm's words where it refused the job."""
        return refusal_in(said, _TROUBLE, _MISTAKE).removeprefix("sbatch: error: ")

    def lookup_command(self, attempt: str) -> str:
        """Return shell text that looks in the live view, then in a week of the accounting."""
        lines = [
            f"{SEPARATE}; a={quote(attempt)}; u=$(id -un)",
            'q=$(squeue -h -a -r -t all -u "$u" -o "%i$s%k$s%j") || exit 1',
            f"i=$(printf '%s\\n' \"$q\" | {MATCH} | head -n 1)",
            'if [ -z "$i" ]; then',
            f"q=$({PAST} 2>&1); c=$?",
            'case $c$q in 0*) ;; *"storage is disabled"*) q= ;;',
            "*) printf '%s\\n' \"$q\" >&2; exit 1 ;; esac",
            f"i=$(printf '%s\\n' \"$q\" | {MATCH} | head -n 1)",
            "fi",
            # Of an array, the id that its members have in common.
            '[ -z "$i" ] || printf \'%s\\n\' "${i%%_*}"',
        ]
        return joined(lines)

    def queries(self, jobs: Sequence[Followed], *, now: datetime, others: bool) -> Sequence[Query]:
        """Return the query ``jobs``; with ``others`` also ``others`` and ``machines``."""
        del now
        queries = [
            Query(name=portion_name("jobs", number), shell=poll_command(ids))
            for number, ids in enumerate(portions(_known(jobs)))
        ]
        if others:
            queries += [
                Query(name="others", shell=marked("others", SQUEUE)),
                Query(name="machines", shell=marked("machines", SINFO)),
            ]
        return queries

    def read(self, answers: Mapping[str, Said], jobs: Sequence[Followed]) -> BatchReading:
        """Return what squeue, sacct and sinfo said."""
        asked = _known(jobs)
        polls = [
            answers_of.poll_said(answers.get(portion_name("jobs", number)))
            for number in range(len(portions(asked)))
        ]
        queue = {native: job for poll in polls for native, job in poll.queue.items()}
        accounting = {native: job for poll in polls for native, job in poll.accounting.items()}
        found = {job.native_id: job for job in reading.merge(queue, accounting)}
        elsewhere, info, elsewhere_said, others_seen = answers_of.elsewhere(answers)
        own = {*found, *asked}
        found.update((native, job) for native, job in elsewhere.items() if native not in own)
        troubles = [poll.queue_said for poll in polls] + [poll.accounting_said for poll in polls]
        return BatchReading(
            jobs=tuple(found.values()),
            queue_seen=not any(poll.queue_said for poll in polls),
            accounting_seen=answers_of.accounting_seen(polls),
            accounting=all(poll.enabled for poll in polls),
            others_seen=others_seen,
            trouble=next((said for said in [*troubles, elsewhere_said] if said), ""),
            info=info,
        )

    def cancel_command(self, native_ids: Sequence[str]) -> str:
        """Return the ``scancel`` of these jobs. It is silent about those it does not know."""
        return call("scancel", [native for native in native_ids if reading.NATIVE_ID.match(native)])

    def log_variables(self) -> Mapping[str, str]:
        """Return where a running script finds its id, node and index."""
        return {
            "native": '"${SLURM_ARRAY_TASK_ID:+${SLURM_ARRAY_JOB_ID}_}'
            '${SLURM_ARRAY_TASK_ID:-$SLURM_JOB_ID}"',
            "node": '"${SLURMD_NODENAME:-$(hostname)}"',
            "index": '"$SLURM_ARRAY_TASK_ID"',
        }


def _gres(resources: BatchResources) -> str:
    parts = [word(resources.gres, "gres")] if resources.gres else []
    named = gpu_count(BatchResources(gres=resources.gres))
    if resources.gpus and not named:
        parts.append(f"gpu:{resources.gpus}")
    return ",".join(parts)


def _known(jobs: Iterable[Followed]) -> list[str]:
    ids = (job.native_id for job in jobs)
    return list(dict.fromkeys(native for native in ids if reading.NATIVE_ID.match(native)))
