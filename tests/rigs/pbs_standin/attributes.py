"""What `qstat -f` knows of a job, an array, or a member of one."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from tests.rigs._cluster.batch.arrays import alive, members_of, whole
from tests.rigs._cluster.batch.store import Job, Store
from tests.rigs._cluster.batch.words import clock, date
from tests.rigs.pbs_standin.words import is_torque

LETTERS = {"waiting": "Q", "held": "H", "running": "R", "ended": "F"}
SUBSTATES = {"waiting": 10, "held": 20, "running": 42}
EXIT_DELETED = 271
EXIT_LIMIT = -29


def letter(store: Store, job: Job) -> str:
    """The state of a job; `B` of an array that has begun, `X` of its members that are over."""
    if job.state == "ended":
        if is_torque(store):
            return "C"
        return "X" if job.index and alive(members_of(store, job.array)) else "F"
    begun = job.array and not job.index and job.state == "running"
    return "B" if begun else LETTERS[job.state]


def attributes(store: Store, job: Job) -> dict[str, Any]:
    """What is told of a job, in PBS's order."""
    if is_torque(store):
        return _of_torque(store, job)
    if job.index and job.started is None:
        return _of_its_array(store, job)
    known = _attributes(store, job)
    if not job.array:
        return known
    if job.index:
        known["array_id"] = f"{job.array}[].{store.setup.host}"
        known["array_index"] = job.index
        return known
    members = members_of(store, job.array)
    states = Counter(member.state for member in members)
    left = [member.index for member in members if member.state != "ended"]
    known["array"] = "True"
    known["array_state_count"] = (
        f"Queued:{states['waiting'] + states['held']} Running:{states['running']} Exiting:0 "
        f"Expired:{states['ended']}"
    )
    known["array_indices_submitted"] = f"{members[0].index}-{members[-1].index}"
    known["array_indices_remaining"] = ",".join(map(str, left)) or "-"
    return known


def _of_its_array(store: Store, job: Job) -> dict[str, Any]:
    """What is told of a member that has not run: the array's, with the array's Exit_status."""
    array = whole(members_of(store, job.array))
    state = letter(store, job)
    over = {"comment": "Subjob finished"} if job.state == "ended" else {}
    return _attributes(store, array) | {"job_state": state} | over


def _of_torque(store: Store, job: Job) -> dict[str, Any]:
    host = store.setup.host
    known: dict[str, Any] = {
        "Job_Name": f"{job.name}-{job.index}" if job.index else job.name,
        "Job_Owner": f"{job.user}@{host}",
        "resources_used": _used(job, time.time()) if not job.array or job.index else None,
        "job_state": letter(store, job),
        "queue": job.queue,
        "server": host,
        "ctime": date(job.submitted),
        "Error_Path": f"{host}:{job.error}",
        "exec_host": f"{host}/0" if job.started else None,
        "Join_Path": job.options["join"] or "n",
        "mtime": date(job.ended or job.started or job.submitted),
        "Output_Path": f"{host}:{job.output}",
        "qtime": date(job.submitted),
        "Rerunable": job.options["rerun"],
        "Resource_List": _asked(job),
        "session_id": job.pid,
        "Variable_List": _variables(store, job),
        "exit_status": EXIT_DELETED if job.why else job.code,
        "submit_args": job.options["submit"],
        "start_time": date(job.started) if job.started else None,
        "comp_time": date(job.ended) if job.ended else None,
        "job_array_id": job.index or None,
    }
    return {name: value for name, value in known.items() if value is not None}


def _asked(job: Job) -> dict[str, Any]:
    asked = {
        key.removeprefix("resource "): value
        for key, value in job.options.items()
        if key.startswith("resource ")
    }
    if job.limit is not None:
        asked["walltime"] = clock(job.limit)
    return asked


def _attributes(store: Store, job: Job) -> dict[str, Any]:
    host, made = store.setup.host, date(job.submitted)
    running = None if job.array and not job.index else _used(job, time.time())
    known: dict[str, Any] = {
        "Job_Name": job.name,
        "Job_Owner": f"{job.user}@{host}",
        "resources_used": running,
        "job_state": letter(store, job),
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
    asked = _asked(job)
    asked.pop("ncpus", None)
    select = asked.pop("select", f"1:ncpus={job.slots}")
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
