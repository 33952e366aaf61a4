"""`qsub`: directives, options, what is refused."""

from __future__ import annotations

import getopt
import os
import pwd
import re
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.rigs._cluster.batch.arrays import add_members, whole
from tests.rigs._cluster.batch.store import Job, Setup, State, Store
from tests.rigs._cluster.batch.words import Refused, say
from tests.rigs.pbs_standin.words import is_torque, job_id, refuse_if_down

OPTIONS = "a:A:c:C:e:fhIXj:J:k:l:m:M:N:o:p:P:q:r:R:S:u:W:v:Vz"
TORQUE_OPTIONS = "a:A:b:c:C:d:D:e:fhIj:k:l:m:M:nN:o:p:q:r:S:t:u:v:Vw:W:xX:z"
LARGEST_ARRAY = 10_000
LONGEST_NAME = 230
RESOURCES = {"ncpus", "mem", "vmem", "mpiprocs", "ompthreads", "host", "vnode", "arch", "pmem"}
JOB_WIDE = RESOURCES | {"walltime", "cput", "pcput", "select", "place", "nodes", "software"}
TORQUE_WIDE = {"nodes", "mem", "vmem", "pmem", "walltime", "cput", "procs", "ncpus"}
USAGE = """\
usage: qsub [-a date_time] [-A account_string] [-c interval]
	[-C directive_prefix] [-e path] [-f ] [-h ] [-I [-X]] [-j oe|eo] [-J X-Y[:Z]]
	[-k keep] [-l resource_list] [-m mail_options] [-M user_list]
	[-N jobname] [-o path] [-p priority] [-P project] [-q queue] [-r y|n]
	[-R o|e|oe] [-S path] [-u user_list] [-W otherattributes=value...]
	[-v variable_list] [-V ] [-z] [script | -- command [arg1 ...]]
       qsub --version
"""
_RANGE = re.compile(r"(\d+)-(\d+)(?::(\d+))?\Z")
_SIZE = re.compile(r"\d+([kmgtp]?[bw])?\Z", re.IGNORECASE)


def qsub(store: Store, arguments: list[str]) -> int:
    """Take a job in, from a script or from stdin."""
    torque = is_torque(store)
    letters = TORQUE_OPTIONS if torque else OPTIONS
    options, operands = _parsed(arguments, letters)
    script = _script(operands, program="--" in arguments)
    given = _directives(script, letters) | options
    indices = _indices(given.get("-t" if torque else "-J"))
    refuse_if_down(store, "qsub: cannot connect to server {host} (errno=15010)", 162)
    if indices and not torque and given.get("-r") == "n":
        raise Refused("qsub: cannot submit non-rerunable Array Job", 255)
    if len(indices) > LARGEST_ARRAY:
        raise Refused("qsub: Array job exceeds server or queue size limit", 3)
    setup = store.setup
    resources = _torque_resources(given) if torque else _resources(given.get("-l", ""))
    queue = _queue(setup, given, resources)
    name = _name(given, operands)
    with store.lock():
        number = store.number()
        job = _job(number, name, queue, given, resources)
        if job.slots > setup.slots:
            asked = f"(R: {job.slots} A: {setup.slots} T: {setup.slots})"
            job.options["comment"] = (
                f"Can Never Run: Insufficient amount of resource: ncpus {asked}"
            )
        job.options["submit"] = " ".join(arguments)
        store.script(number).write_bytes(script)
        if indices:
            job = whole(add_members(store, job, indices))
        else:
            store.save(job)
    say(job_id(store, job))
    return 0


def _indices(text: str | None) -> range:
    if text is None:
        return range(0)
    found = _RANGE.match(text)
    if not found or int(found[1]) >= int(found[2]):
        raise Refused(f"qsub: illegal -J value\n{USAGE.rstrip()}", 2)
    return range(int(found[1]), int(found[2]) + 1, int(found[3] or 1))


def _torque_resources(given: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, given.get("-l", "").split(",")):
        name, _, value = part.partition("=")
        if name not in TORQUE_WIDE:
            raise Refused(f"qsub: submit error (Unknown resource type  Resource_List.{name})", 187)
        found[name] = value
    ppn = re.search(r"ppn=(\d+)", found.get("nodes", ""))
    return found | {"ncpus": ppn[1] if ppn else "1"}


def _parsed(arguments: Sequence[str], letters: str) -> tuple[dict[str, str], list[str]]:
    try:
        pairs, operands = getopt.gnu_getopt(list(arguments), letters)
    except getopt.GetoptError as error:
        letter = (error.opt or "-")[:1]
        text = f"qsub: invalid option -- '{letter}'\n{USAGE.rstrip()}"
        raise Refused(text, 2) from error
    options: dict[str, str] = {}
    for option, value in pairs:
        many = option in ("-l", "-W", "-v") and option in options
        options[option] = f"{options[option]},{value}" if many else value
    return options, operands


def _script(operands: Sequence[str], *, program: bool) -> bytes:
    if not operands:
        return sys.stdin.buffer.read()
    if program:
        return f"exec {shlex.join(operands)}\n".encode()
    try:
        return Path(operands[0]).read_bytes()
    except OSError as error:
        raise Refused(f"qsub: script file:: {error.strerror}", 1) from error


def _directives(script: bytes, letters: str) -> dict[str, str]:
    words: list[str] = []
    for line in script.decode(errors="replace").splitlines():
        if line.startswith("#PBS"):
            words += shlex.split(line.removeprefix("#PBS"), comments=True)
        elif line.strip() and not line.startswith(("#", ":")):
            break
    return _parsed(words, letters)[0]


def _name(given: dict[str, str], operands: Sequence[str]) -> str:
    default = Path(operands[0]).name if operands else "STDIN"
    name = given.get("-N", default)
    if len(name) > LONGEST_NAME:
        raise Refused("qsub: Job name is too long ", 2)
    if "-N" in given and (not name or any(c.isspace() or not c.isprintable() for c in name)):
        raise Refused(f"qsub: illegal -N value\n{USAGE.rstrip()}", 2)
    return name


def _resources(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if name not in JOB_WIDE:
            raise Refused(f"qsub: Unknown resource Resource_List.{name}", 187)
        found[name] = value
    for part in found.get("select", "").split(":")[1:]:
        name, _, value = part.partition("=")
        if name not in RESOURCES:
            raise Refused(f"qsub: Unknown resource: {name}", 187)
        if not _valid(name, value):
            raise Refused(f"qsub: Illegal attribute or resource value select.{name}", 166)
        found.setdefault(name, value)
    if "walltime" in found and _seconds(found["walltime"]) is None:
        raise Refused("qsub: Illegal attribute or resource value Resource_List.walltime", 166)
    return found


def _valid(name: str, value: str) -> bool:
    if "mem" in name:
        return bool(_SIZE.match(value))
    return value.isdigit() if name in ("ncpus", "mpiprocs", "ompthreads") else True


def _seconds(text: str) -> int | None:
    parts = text.split(":")
    if len(parts) > len(("hours", "minutes", "seconds")) or not all(p.isdigit() for p in parts):
        return None
    total = 0
    for part in parts:
        total = total * 60 + int(part)
    return total


def _queue(setup: Setup, given: dict[str, str], resources: dict[str, str]) -> str:
    queue = given.get("-q") or next(iter(setup.queues))
    if queue not in setup.queues:
        raise Refused("qsub: Unknown queue", 170)
    if queue in setup.closed:
        raise Refused("qsub: Queue is not enabled", 173)
    most, asked = setup.queues[queue], _seconds(resources.get("walltime", "0"))
    if most is not None and asked is not None and asked > most:
        raise Refused("qsub: Job violates queue and/or server resource limits", 188)
    return queue


def _job(
    number: int, name: str, queue: str, given: dict[str, str], resources: dict[str, str]
) -> Job:
    folder, join = str(Path.cwd()), given.get("-j", "n")
    tag = ".^array_index^" if "-J" in given else ""
    slots = int(resources.get("ncpus", "1"))
    options = {"join": join if join in ("oe", "eo") else "", "account": given.get("-A", "")}
    options |= {f"resource {key}": value for key, value in resources.items()}
    options["hold"] = "u" if "-h" in given else "n"
    options["rerun"] = "False" if given.get("-r") == "n" else "True"
    state: State = "held" if "-h" in given else "waiting"
    return Job(
        number=number, name=name, user=pwd.getpwuid(os.getuid()).pw_name, queue=queue,
        folder=folder, state=state, submitted=time.time(), slots=slots,
        limit=_seconds(resources["walltime"]) if "walltime" in resources else None,
        output=_path(given.get("-o", ""), folder, f"{name}.o{number}{tag}"),
        error=_path(given.get("-e", ""), folder, f"{name}.e{number}{tag}"),
        variables=_origin(folder) | _wanted(given), options=options,
    )  # fmt: skip


def _path(given: str, folder: str, default: str) -> str:
    path = Path(folder) / given.rpartition(":")[2]
    return str(path / default if not given or path.is_dir() else path)


def _origin(folder: str) -> dict[str, str]:
    taken = ("HOME", "LANG", "LOGNAME", "PATH", "MAIL", "SHELL")
    found = {f"PBS_O_{name}": os.environ.get(name, "") for name in taken}
    return {**found, "PBS_O_WORKDIR": folder, "PBS_O_SYSTEM": "Linux"}


def _wanted(given: dict[str, str]) -> dict[str, str]:
    pairs = (part.partition("=") for part in filter(None, given.get("-v", "").split(",")))
    named = {name: value if sign else os.environ.get(name, "") for name, sign, value in pairs}
    return dict(os.environ) | named if "-V" in given else named
