"""`bjobs`: tables, the long form folded or not, and JSON where it is Spectrum LSF."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

from tests.rigs._cluster.batch.store import Job, Store
from tests.rigs._cluster.batch.words import Refused, complain, date, say
from tests.rigs.lsf_standin.words import (
    ERROR,
    SPECTRUM,
    exit_code,
    job_id,
    jobs_of,
    minute,
    number_of,
    options_of,
    refuse_if_down,
    stat,
)

FIRST, LATER, INDENT = 79, 58, " " * 21
HEAD = "JOBID   USER    STAT  QUEUE      FROM_HOST   EXEC_HOST   JOB_NAME   SUBMIT_TIME"
SCHEDULING = """
 SCHEDULING PARAMETERS:
           r15s   r1m  r15m   ut      pg    io   ls    it    tmp    swp    mem
 loadSched   -     -     -     -       -     -    -     -     -      -      -  
 loadStop    -     -     -     -       -     -    -     -     -      -      -  
"""  # noqa: W291 - as it is printed
MEMORY = """
 MEMORY USAGE:
 MAX MEM: N/A MBytes;  AVG MEM: N/A MBytes
"""


def bjobs(store: Store, arguments: list[str]) -> int:
    """Print jobs: those that live, with -a ended ones as well, or those whose ids are given."""
    refuse_if_down(store)
    spectrum = store.setup.dialect == SPECTRUM
    words = ("o",) if spectrum else ()
    flags = ("UF", "WL", "json", "noheader") if spectrum else ("UF", "WL")
    given, ids = options_of(arguments, "Jmquo" if spectrum else "Jmqu", words=words, flags=flags)
    jobs, lost = _chosen(store, given, ids)
    if "json" in given:
        _say_json(store, given.get("o", "jobid stat"), jobs, lost)
        return ERROR if lost else 0
    for word in lost:
        complain(f"Job <{word}> is not found")
    if not jobs and not lost:
        raise Refused("No job found" if "a" in given else "No unfinished job found", ERROR)
    if "l" in given or "UF" in given:
        _say_long(store, jobs, fold="UF" not in given)
    elif jobs:
        _say_table(store, jobs, wide="w" in given or "W" in given)
    return ERROR if lost else 0


def _chosen(store: Store, given: dict[str, str], ids: list[str]) -> tuple[list[Job], list[str]]:
    jobs, lost = [], []
    for word in ids:
        found = jobs_of(store, word)
        jobs += found
        if not found:
            lost.append(word)
    if not ids:
        jobs = [job for job in store.all() if "a" in given or job.state != "ended"]
    if "J" in given:
        jobs = [job for job in jobs if _named(job, given["J"])]
        lost += [] if jobs else [given["J"]]
    return jobs, lost


def _named(job: Job, name: str) -> bool:
    if name.endswith("*"):
        return job.name.startswith(name[:-1])
    return job.name == name


def _say_table(store: Store, jobs: list[Job], *, wide: bool) -> None:
    say(HEAD)
    host = store.setup.host
    for job in jobs:
        name = job.name if wide or len(job.name) <= 10 else f"*{job.name[-9:]}"
        where = host if job.started is not None else "   -"
        user = job.user if wide else job.user[:7]
        say(
            f"{number_of(job):<7} {user:<7} {stat(job):<5} {job.queue:<10} {host:<11} {where:<11} "
            f"{name:<10} {minute(job.submitted)}"
        )


def _say_long(store: Store, jobs: list[Job], *, fold: bool) -> None:
    for position, job in enumerate(jobs):
        if position:
            say("-" * 78)
        say("")
        for line in _paragraphs(store, job, fold=fold):
            if fold:
                say("\n".join(_folded(line)))
            else:
                say(line)
        say((SCHEDULING if fold else MEMORY + SCHEDULING).rstrip("\n"))
        if not fold:
            say("\n RESOURCE REQUIREMENT DETAILS:\n Combined: \n Effective: ")
        say("")


def _folded(line: str) -> Iterator[str]:
    yield line[:FIRST]
    for at in range(FIRST, len(line), LATER):
        yield INDENT + line[at : at + LATER]


def _paragraphs(store: Store, job: Job, *, fold: bool) -> Iterator[str]:
    host, home = store.setup.host, job.variables.get("HOME", "/")
    shown = {"Job Id" if fold else "Job": job_id(job), "Job Name": job.name}
    shown |= {"User": job.user, "Project": job.options["project"], "Status": stat(job)}
    shown |= {"Queue": job.queue, "Command": ";".join(job.arguments.splitlines())}
    yield ", ".join(f"{name} <{value}>" for name, value in shown.items())
    folder = f"$HOME{job.folder.removeprefix(home)}" if job.folder.startswith(home) else job.folder
    text = f"{_day(job.submitted)}: Submitted from host <{host}>, CWD <{folder}>"
    for label, path in (("Output", job.options["output"]), ("Error", job.options["error"])):
        text += f", {label} File <{path}>" if path else ""
    yield f"{text};"
    if job.limit is not None:
        yield ""
        yield f"{' RUNLIMIT':<25}"
        yield f"{f' {job.limit / 60:.1f} min of {host}':<25}"
    if job.started is not None:
        there = f"Execution Home <{home}>, Execution CWD <{job.folder}>;"
        yield f"{_day(job.started)}: Started on <{host}>, {there}"
    elif job.state != "ended":
        yield " PENDING REASONS:"
        yield " Job slot limit reached: 1 host;"
    if job.ended is not None:
        yield f"{_day(job.ended)}: {_ending(job)}"


def _ending(job: Job) -> str:
    if job.started is None:
        return "Exited"
    code = exit_code(job)
    how = "Done successfully" if code is None else f"Exited with exit code {code}"
    return f"{how}. The CPU time used is 0.0 seconds."


def _day(moment: float) -> str:
    return date(moment).rpartition(" ")[0]


def _say_json(store: Store, wanted: str, jobs: list[Job], lost: list[str]) -> None:
    fields = [word.partition(":")[0].upper() for word in wanted.split() if "=" not in word]
    records = []
    for job in jobs:
        known = _fields(store, job)
        records.append({name: known.get(name, "") for name in fields})
    records += [{"JOBID": word, "ERROR": f"Job <{word}> is not found"} for word in lost]
    answer = {"COMMAND": "bjobs", "JOBS": len(records), "RECORDS": records}
    say(json.dumps(answer, indent=2, ensure_ascii=False))


def _fields(store: Store, job: Job) -> dict[str, str]:
    code, reasons = exit_code(job), {"deleted": "TERM_OWNER: job killed by owner"}
    reasons["limit"] = "TERM_RUNLIMIT: job killed after reaching LSF run time limit"
    took = (job.ended or time.time()) - job.started if job.started is not None else 0
    started, ended = job.started, job.ended
    return {
        "JOBID": str(number_of(job)),
        "JOBINDEX": str(job.index),
        "STAT": stat(job),
        "USER": job.user,
        "QUEUE": job.queue,
        "JOB_NAME": job.name,
        "PROJ_NAME": job.options["project"],
        # A killed job says its reason and no code.
        "EXIT_CODE": "" if code is None or job.why == "deleted" else str(code),
        "EXIT_REASON": reasons.get(job.why, "") if ended else "",
        "PEND_REASON": "" if started or ended else "Job slot limit reached: 1 host;",
        "FROM_HOST": store.setup.host,
        "EXEC_HOST": store.setup.host if started else "",
        "SUBMIT_TIME": minute(job.submitted),
        "START_TIME": minute(started) if started else "",
        "FINISH_TIME": f"{minute(ended)} L" if ended else "",
        "RUN_TIME": f"{int(took)} second(s)",
        "CPU_USED": "0.0 second(s)",
        "MAX_MEM": "6 Mbytes" if started else "",
        "RUNTIMELIMIT": f"{job.limit / 60:.1f}" if job.limit else "",
        "SLOTS": str(job.slots),
        "NALLOC_SLOT": str(job.slots) if started else "",
        "MIN_REQ_PROC": str(job.slots),
        "OUTPUT_FILE": job.options["output"],
        "ERROR_FILE": job.options["error"],
        "SUB_CWD": job.folder,
        "EXEC_CWD": job.folder if started else "",
        "COMMAND": ";".join(job.arguments.splitlines()),
    }
