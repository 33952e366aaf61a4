"""`qstat`: the table, `-f` in text and in JSON, of live jobs or with -x of ended ones as well."""

from __future__ import annotations

import getopt
import time
from typing import Any

from tests.rigs._cluster.batch.store import Job, Store
from tests.rigs._cluster.batch.words import Refused, clock, complain, date, say
from tests.rigs.pbs_standin.words import (
    FINISHED,
    VERSION,
    job_id,
    number_of,
    refuse_if_down,
    say_json,
    unknown,
)

WIDTH = 79
NAME_WIDTH = 15
LETTERS = {"waiting": "Q", "held": "H", "running": "R", "ended": "F"}
SUBSTATES = {"waiting": 10, "held": 20, "running": 42}
EXIT_DELETED = 271
EXIT_LIMIT = -29


def qstat(store: Store, arguments: list[str]) -> int:
    """Print what is asked for; ids that are unknown or over are told on stderr and by the code."""
    if arguments == ["--version"]:
        say(f"pbs_version = {VERSION}")
        return 0
    options, ids = _parsed(store, arguments)
    as_json = options.get("-F") == "json"
    if store.down and as_json:
        say_json(store, {})
    refuse_if_down(store, "qstat: cannot connect to server {host} (errno=15010)", 255)
    jobs, code = _chosen(store, ids, history="-x" in options)
    if "-u" in options:
        jobs = [job for job in jobs if job.user in options["-u"].split(",")]
    if as_json:
        shown = {"Jobs": {job_id(store, job): attributes(store, job) for job in jobs}}
        say_json(store, shown if jobs else {})
    elif "-f" in options:
        for job in jobs:
            _say_text(store, job)
    elif jobs:
        _say_table(store, jobs)
    return code


def _parsed(store: Store, arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    letters = "fxtJu:wans1" if store.setup.dialect == "torque" else "fF:xtJu:wans1"
    try:
        pairs, ids = getopt.gnu_getopt(arguments, letters)
    except getopt.GetoptError as error:
        raise Refused(f"qstat: invalid option -- '{error.opt}'\nusage:\nqstat [-f]", 2) from error
    return dict(pairs), ids


def _chosen(store: Store, ids: list[str], *, history: bool) -> tuple[list[Job], int]:
    if not ids:
        return [job for job in store.all() if history or job.state != "ended"], 0
    jobs, code = [], 0
    for word in ids:
        try:
            jobs.append(_one(store, word, history=history))
        except Refused as refused:
            complain(refused.text)
            code = refused.code
    return jobs, code


def _one(store: Store, word: str, *, history: bool) -> Job:
    number = number_of(word)
    if number is None:
        raise Refused(f"qstat: Unknown queue destination {word}", 170)
    job = store.load(number)
    if job is None:
        raise unknown("qstat", store, word)
    if job.state == "ended" and not history:
        text = "Job has finished, use -x or -H to obtain historical job information"
        raise Refused(f"qstat: {job_id(store, job)} {text}", FINISHED)
    return job


def attributes(store: Store, job: Job) -> dict[str, Any]:
    """What `qstat -f` knows of a job, in its order."""
    host, made = store.setup.host, date(job.submitted)
    running = _used(job, time.time())
    known: dict[str, Any] = {
        "Job_Name": job.name,
        "Job_Owner": f"{job.user}@{host}",
        "resources_used": running,
        "job_state": LETTERS[job.state],
        "queue": job.queue,
        "server": host,
        "Account_Name": job.options["account"] or None,
        "Checkpoint": "u",
        "ctime": made,
        "Error_Path": f"{host}:{job.error}",
        "exec_host": f"{host}/0" if running else None,
        "exec_vnode": f"({host}:ncpus={job.slots})" if running else None,
        "Hold_Types": job.options["hold"],
        "Join_Path": job.options["join"] or "n",
        "Keep_Files": "n",
        "Mail_Points": "a",
        "mtime": date(job.ended or job.started or job.submitted),
        "Output_Path": f"{host}:{job.output}",
        "Priority": 0,
        "qtime": made,
        "Rerunable": job.options["rerun"],
        "Resource_List": _wanted(job),
        "stime": date(job.started) if job.started else None,
        "obittime": date(job.ended) if job.ended and running else None,
        "session_id": job.pid,
        "jobdir": job.variables["PBS_O_HOME"] if running else None,
        "substate": _substate(job),
        "Variable_List": _variables(store, job),
        "comment": _comment(store, job),
        "etime": made,
        "run_count": 1 if running else None,
        "Stageout_status": 1 if job.ended and running else None,
        "Exit_status": _exit_status(job),
        "Submit_arguments": job.options["submit"],
        "history_timestamp": int(job.ended) if job.ended else None,
        "project": "_pbs_project_default",
        "Submit_Host": host,
    }
    return {name: value for name, value in known.items() if value is not None}


def _used(job: Job, now: float) -> dict[str, Any] | None:
    if job.started is None:
        return None
    took = (job.ended or now) - job.started
    return {
        "cpupercent": 0,
        "cput": "00:00:00",
        "mem": "6628kb",
        "ncpus": job.slots,
        "vmem": "10380kb",
        "walltime": clock(took),
    }


def _wanted(job: Job) -> dict[str, Any]:
    asked = {
        key.removeprefix("resource "): value
        for key, value in job.options.items()
        if key.startswith("resource ")
    }
    asked.pop("ncpus", None)
    select = asked.pop("select", f"1:ncpus={job.slots}")
    if job.limit is not None:
        asked["walltime"] = clock(job.limit)
    known: dict[str, Any] = {"ncpus": job.slots, "nodect": 1, "place": "free", "select": select}
    return dict(sorted((known | asked).items()))


def _variables(store: Store, job: Job) -> dict[str, Any]:
    shown = {**job.variables, "PBS_O_QUEUE": job.queue, "PBS_O_HOST": store.setup.host}
    return {name: int(v) if v.isascii() and v.isdigit() else v for name, v in shown.items()}


def _substate(job: Job) -> int:
    if job.state != "ended":
        return SUBSTATES[job.state]
    if job.why == "deleted":
        return 91
    return 92 if job.code == 0 else 93


def _comment(store: Store, job: Job) -> str | None:
    by = f"terminated by {job.user}@{store.setup.host}"
    if job.started is None:
        first = job.options.get("comment") or "Not Running: Not enough free nodes available"
        return f"{first} and {by}" if job.state == "ended" else first
    day = time.strftime("%a %b %d at %H:%M", time.localtime(job.started))
    begun = f"Job run at {day} on ({store.setup.host}:ncpus={job.slots})"
    if job.state != "ended":
        return begun
    ends = {"deleted": by, "limit": "exceeded resource walltime"}
    return f"{begun} and {ends.get(job.why) or ('finished' if job.code == 0 else 'failed')}"


def _exit_status(job: Job) -> int | None:
    if job.code is None:
        return None
    return {"deleted": EXIT_DELETED, "limit": EXIT_LIMIT}.get(job.why, job.code)


def _say_text(store: Store, job: Job) -> None:
    say(f"Job Id: {job_id(store, job)}")
    for name, value in attributes(store, job).items():
        if name == "Variable_List":
            pairs = [f"{key}={each}" for key, each in value.items()]
            say(_wrapped(f"    {name} = ", [f"{pair}," for pair in pairs[:-1]] + pairs[-1:]))
        elif isinstance(value, dict):
            for inner, each in value.items():
                say(f"    {name}.{inner} = {each}")
        else:
            line = f"    {name} = {value}"
            parts = [line[at : at + WIDTH] for at in range(0, len(line), WIDTH)]
            say("\n\t".join(parts))
    say("")


def _wrapped(line: str, pieces: list[str]) -> str:
    lines = [line]
    for piece in pieces:
        if len(lines[-1]) + len(piece) > WIDTH and lines[-1].strip():
            lines.append("\t")
        lines[-1] += piece
    return "\n".join(lines)


def _say_table(store: Store, jobs: list[Job]) -> None:
    say("Job id            Name             User              Time Use S Queue")
    say("----------------  ---------------- ----------------  -------- - -----")
    for job in jobs:
        used = "00:00:00" if job.started and job.ended else "0"
        name = job.name if len(job.name) <= NAME_WIDTH else job.name[: NAME_WIDTH - 1] + "*"
        say(
            f"{job_id(store, job):<16} {name:<16} {job.user:<16} {used:>9} "
            f"{LETTERS[job.state]} {job.queue:<16}"
        )
