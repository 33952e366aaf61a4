"""The commands of LSF, and how it runs a job."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.rigs._cluster.batch.arrays import alive
from tests.rigs._cluster.batch.server import Ways
from tests.rigs._cluster.batch.store import Job, Store
from tests.rigs._cluster.batch.words import complain, date, say
from tests.rigs.lsf_standin.bjobs import bjobs
from tests.rigs.lsf_standin.bsub import bsub
from tests.rigs.lsf_standin.words import (
    ERROR,
    SPECTRUM,
    exit_code,
    job_id,
    jobs_of,
    number_of,
    options_of,
    refuse_if_down,
    stat,
)

REPORT = """\
Sender: {system} System <{sender}@{host}>
Subject: Job {number}: <{name}> {end}

Job <{name}> was submitted from host <{host}> by user <{user}>.
Job was executed on host(s) <{host}>, in queue <{queue}>, as user <{user}>.
<{home}> was used as the home directory.
<{folder}> was used as the working directory.
Started at {started}
Results reported at {ended}

Your job looked like:

------------------------------------------------------------
# LSBATCH: User input
{command}
------------------------------------------------------------

{how}.

Resource usage summary:

    CPU time   :      0.01 sec.
    Max Memory :         6 MB
    Max Swap   :        13 MB

    Max Processes  :         1

The output (if any) follows:

"""


KILLING = " is being terminated"


def bkill(store: Store, arguments: list[str]) -> int:
    """Kill jobs; each that cannot be is told on stderr and by the code."""
    refuse_if_down(store)
    _, ids = options_of(arguments, "ugJmqs")
    code = 0
    for word in ids:
        with store.lock():
            told = _kill(store, word)
        fine = told == KILLING
        (say if fine else complain)(f"Job <{word}>{told}")
        code = code if fine else ERROR
    return code


def _kill(store: Store, word: str) -> str:
    jobs = jobs_of(store, word)
    if not jobs:
        return ": No matching job found"
    if not alive(jobs):
        return ": Job has already finished"
    for job in jobs:
        _kill_one(store, job)
    return KILLING


def _kill_one(store: Store, job: Job) -> None:
    if job.state == "ended":
        return
    if job.state == "running":
        store.save(replace(job, kill=True))
    else:
        store.save(replace(job, state="ended", why="deleted", ended=time.time()))


def bhosts(store: Store, arguments: list[str]) -> int:
    """The one host, which is the login node."""
    refuse_if_down(store)
    wide = "-w" in arguments
    setup = store.setup
    used = sum(job.slots for job in store.all() if job.state == "running")
    full = used >= setup.slots
    state = ("closed_Full" if wide else "closed") if full else "ok"
    width = 15 if wide else 12
    say(f"HOST_NAME          {'STATUS':<{width}} JL/U    MAX  NJOBS    RUN  SSUSP  USUSP    RSV ")
    say(
        f"{setup.host:<18} {state:<{width}}    - {setup.slots:>6} {used:>6} {used:>6} "
        f"{0:>6} {0:>6} {0:>6}"
    )
    return 0


def bqueues(store: Store, _arguments: list[str]) -> int:
    """The queues."""
    refuse_if_down(store)
    jobs = [job for job in store.all() if job.state != "ended"]
    say("QUEUE_NAME     PRIO      STATUS      MAX  JL/U JL/P JL/H NJOBS  PEND  RUN  SUSP")
    for queue in store.setup.queues:
        mine = [job for job in jobs if job.queue == queue]
        runs = sum(job.state == "running" for job in mine)
        state = "Closed:Active" if queue in store.setup.closed else "Open:Active"
        counts = f"{len(mine):>6}{len(mine) - runs:>6}{runs:>6}{0:>6} "
        say(f"{queue:<14} {30:>3}  {state:>13} {'-':>6}{'-':>5}{'-':>5}{'-':>5}{counts}")
    return 0


def lsid(store: Store, _arguments: list[str]) -> int:
    """Which LSF it is."""
    refuse_if_down(store)
    spectrum = store.setup.dialect == SPECTRUM
    say("IBM Spectrum LSF Standard 10.1.0.14" if spectrum else "OpenLava 4.0dev4, Nov 21 2026")
    say(f"\nMy cluster name is standin\nMy master name is {store.setup.host}")
    return 0


def _command(store: Store, job: Job) -> list[str]:
    script = store.script(job.number)
    script.chmod(0o700)
    return [str(script)] if script.read_bytes().startswith(b"#!") else ["/bin/sh", str(script)]


def _variables(store: Store, job: Job) -> dict[str, str]:
    host = store.setup.host
    return {
        "LSB_JOBID": str(number_of(job)),
        "LSB_BATCH_JID": job_id(job),
        "LSB_JOBINDEX": str(job.index),
        "LSB_JOBNAME": job.name,
        "LSB_QUEUE": job.queue,
        "LSB_HOSTS": " ".join([host] * job.slots),
        "LSB_SUB_HOST": host,
        "LS_SUBCWD": job.folder,
    }


def _folder(job: Job) -> str:
    return job.folder if Path(job.folder).is_dir() else "/tmp"


def _deliver(store: Store, job: Job) -> None:
    output = store.spool(job.number, "out").read_bytes()
    if job.output:
        report = _report(store, job).encode(errors="surrogateescape")
        _put(job.output, report + output + b"\n", append=bool(job.options["append"]))
    if job.error:
        _put(job.error, store.spool(job.number, "err").read_bytes(), append=True)


def _put(path: str, content: bytes, *, append: bool) -> None:
    try:
        with Path(path).open("ab" if append else "wb") as stream:
            stream.write(content)
    except OSError:  # LSF sends mail instead; nobody reads it
        return


def _report(store: Store, job: Job) -> str:
    code = exit_code(job)
    how = "Successfully completed" if code is None else f"Exited with exit code {code}"
    spectrum = store.setup.dialect == SPECTRUM
    system, sender = ("LSF", "lsfadmin") if spectrum else ("OpenLava", "openlava")
    return REPORT.format(
        system=system, sender=sender, host=store.setup.host, number=job_id(job), name=job.name,
        end=stat(job).replace("EXIT", "Exited").replace("DONE", "Done"), user=job.user,
        queue=job.queue, home=job.variables.get("HOME", "/"), folder=job.folder, how=how,
        started=date(job.started or job.submitted), ended=date(job.ended or job.submitted),
        command=job.arguments,
    )  # fmt: skip


WAYS = Ways(
    command=_command, variables=_variables, folder=_folder, asks=signal.SIGINT, deliver=_deliver
)
COMMANDS: dict[str, Callable[[Store, list[str]], int]] = {
    "bsub": bsub,
    "bjobs": bjobs,
    "bkill": bkill,
    "bhosts": bhosts,
    "bqueues": bqueues,
    "lsid": lsid,
}
