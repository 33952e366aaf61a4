"""The commands of PBS, and how it runs a job."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.rigs._cluster.batch.arrays import alive
from tests.rigs._cluster.batch.server import Ways
from tests.rigs._cluster.batch.store import Job, Store
from tests.rigs._cluster.batch.words import Refused, complain
from tests.rigs.pbs_standin.nodes import pbsnodes
from tests.rigs.pbs_standin.qstat import qstat
from tests.rigs.pbs_standin.qsub import qsub
from tests.rigs.pbs_standin.words import (
    FINISHED,
    is_torque,
    job_id,
    jobs_of,
    refuse_if_down,
    unknown,
)

TAG = "^array_index^"


def qdel(store: Store, arguments: list[str]) -> int:
    """Delete jobs; of a finished one the history, with -x. The code is the last error's."""
    refuse_if_down(store, "Couldn't connect to cluster: {host}", 162)
    ids = [word for word in arguments if not word.startswith("-") and word != "force"]
    code = 0
    for word in ids:
        try:
            with store.lock():
                _delete(store, word, history="-x" in arguments)
        except Refused as refused:
            complain(refused.text)
            code = refused.code
    return code


def _delete(store: Store, word: str, *, history: bool) -> None:
    jobs = jobs_of(store, word)
    if jobs is None:
        raise Refused(f"qdel: illegally formed job identifier: {word}", 1)
    if not jobs:
        raise unknown("qdel", store, word)
    if not alive(jobs) and not history:
        raise Refused(f"qdel: Job has finished {job_id(store, jobs[0])}", FINISHED)
    for job in jobs:
        _delete_one(store, job, history=history)


def _delete_one(store: Store, job: Job, *, history: bool) -> None:
    if job.state == "ended":
        if history:
            store.forget(job.number)
    elif job.state == "running":
        store.save(replace(job, kill=True))
    else:
        store.save(replace(job, state="ended", why="deleted", ended=job.submitted))


def _command(store: Store, job: Job) -> list[str]:
    script = store.script(job.number)
    script.chmod(0o700)
    if script.read_bytes().startswith(b"#!"):
        return [str(script)]
    return [os.environ.get("SHELL", "/bin/sh"), str(script)]


def _variables(store: Store, job: Job) -> dict[str, str]:
    index = "PBS_ARRAYID" if is_torque(store) else "PBS_ARRAY_INDEX"
    return {
        **({index: str(job.index)} if job.array else {}),
        "PBS_JOBID": job_id(store, job),
        "PBS_JOBNAME": job.name,
        "PBS_QUEUE": job.queue,
        "PBS_O_QUEUE": job.queue,
        "PBS_O_HOST": store.setup.host,
        "PBS_ENVIRONMENT": "PBS_BATCH",
        "PBS_JOBDIR": _home(job),
        "NCPUS": str(job.slots),
    }


def _home(_job: Job) -> str:
    return str(Path.home())


def _deliver(store: Store, job: Job) -> None:
    if job.why == "limit" and job.started and job.ended:
        kind = "out" if job.options.get("join") else "err"
        took = int(job.ended - job.started)
        with store.spool(job.number, kind).open("a") as stream:
            stream.write(f"=>> PBS: job killed: walltime {took} exceeded limit {job.limit}\n")
    wanted = {"out": job.output, "err": "" if job.options.get("join") else job.error}
    for kind, path in wanted.items():
        if not path:
            continue
        try:
            shutil.copyfile(store.spool(job.number, kind), _with_index(store, job, path))
        except OSError:  # PBS keeps trying and then writes mail; nobody reads it
            continue


def _with_index(store: Store, job: Job, path: str) -> str:
    if not job.array:
        return path
    return f"{path}-{job.index}" if is_torque(store) else path.replace(TAG, str(job.index))


WAYS = Ways(
    command=_command, variables=_variables, folder=_home, asks=signal.SIGTERM, deliver=_deliver
)
COMMANDS: dict[str, Callable[[Store, list[str]], int]] = {
    "qsub": qsub,
    "qstat": qstat,
    "qdel": qdel,
    "pbsnodes": pbsnodes,
}
