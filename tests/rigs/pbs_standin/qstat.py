"""`qstat`: the table, `-f` in text and in JSON, of live jobs or with -x of ended ones as well."""

from __future__ import annotations

import getopt

from tests.rigs._cluster.batch.arrays import members_of, whole
from tests.rigs._cluster.batch.store import Job, Store
from tests.rigs._cluster.batch.words import Refused, complain, say
from tests.rigs.pbs_standin.attributes import attributes, letter
from tests.rigs.pbs_standin.words import (
    FINISHED,
    VERSION,
    is_torque,
    job_id,
    jobs_of,
    refuse_if_down,
    say_json,
    unknown,
)

WIDTH = 79
NAME_WIDTH = 15
OVER = {"F", "C"}


def qstat(store: Store, arguments: list[str]) -> int:
    """Print what is asked for; ids that are unknown or over are told on stderr and by the code."""
    torque = is_torque(store)
    if arguments == ["--version"]:
        say("Version: 6.1.2" if torque else f"pbs_version = {VERSION}")
        return 0
    options, ids = _parsed(arguments, torque=torque)
    if store.down and options.get("-F") == "json":
        say_json(store, {})
    refuse_if_down(store, "qstat: cannot connect to server {host} (errno=15010)", 255)
    history = torque or "-x" in options
    jobs, code = _chosen(store, ids, history=history, members="-t" in options)
    if "-u" in options:
        jobs = [job for job in jobs if job.user in options["-u"].split(",")]
    if torque and "-x" in options:
        ids = [f"<Job><Job_Id>{job_id(store, job)}</Job_Id></Job>" for job in jobs]
        say(f"<Data>{''.join(ids)}</Data>")
    else:
        _say(store, jobs, options)
    return code


def _say(store: Store, jobs: list[Job], options: dict[str, str]) -> None:
    if options.get("-F") == "json":
        shown = {"Jobs": {job_id(store, job): attributes(store, job) for job in jobs}}
        say_json(store, shown if jobs else {})
    elif "-f" in options:
        for job in jobs:
            _say_text(store, job)
    elif jobs:
        _say_table(store, jobs)


def _parsed(arguments: list[str], *, torque: bool) -> tuple[dict[str, str], list[str]]:
    letters = "fxtJu:wans1" if torque else "fF:xtJu:wans1"
    try:
        pairs, ids = getopt.gnu_getopt(arguments, letters)
    except getopt.GetoptError as error:
        raise Refused(f"qstat: invalid option -- '{error.opt}'\nusage:\nqstat [-f]", 2) from error
    return dict(pairs), ids


def _chosen(store: Store, ids: list[str], *, history: bool, members: bool) -> tuple[list[Job], int]:
    if not ids:
        shown = _everything(store, members=members)
        return [job for job in shown if history or letter(store, job) not in OVER], 0
    jobs: list[Job] = []
    code = 0
    for word in ids:
        try:
            jobs += _meant(store, word, history=history, members=members)
        except Refused as refused:
            complain(refused.text)
            code = refused.code
    return jobs, code


def _everything(store: Store, *, members: bool) -> list[Job]:
    jobs = store.all()
    arrays = {job.array: None for job in jobs if job.array}
    shown = [job for job in jobs if not job.array]
    for array in arrays:
        shown += _array(store, members_of(store, array), members=members)
    return shown


def _array(store: Store, found: list[Job], *, members: bool) -> list[Job]:
    if members:
        return found if is_torque(store) else [whole(found), *found]
    return [whole(found)]


def _meant(store: Store, word: str, *, history: bool, members: bool) -> list[Job]:
    jobs = jobs_of(store, word)
    if jobs is None:
        raise Refused(f"qstat: Unknown queue destination {word}", 170)
    if not jobs:
        raise unknown("qstat", store, word)
    if "[]" in word:
        jobs = _array(store, jobs, members=members)
    if not history and letter(store, jobs[0]) in OVER:
        text = "Job has finished, use -x or -H to obtain historical job information"
        raise Refused(f"qstat: {job_id(store, jobs[0])} {text}", FINISHED)
    return jobs


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
            f"{letter(store, job)} {job.queue:<16}"
        )
