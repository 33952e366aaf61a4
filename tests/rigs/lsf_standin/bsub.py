"""`bsub`: directives, options, what is refused."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path

from tests.rigs._cluster.batch.arrays import add_members
from tests.rigs._cluster.batch.store import Job, Setup, Store
from tests.rigs._cluster.batch.words import Refused, say
from tests.rigs.lsf_standin.words import ERROR, SPECTRUM, options_of, refuse_if_down

LARGEST_ARRAY = 1000
_ARRAY = re.compile(r"\[(\d+)-(\d+)\]\Z")
VALUED = "aAbcCDefFGgiJkLmMnopPqRsStTuUvwW"
WORDS = ("cwd", "oo", "eo", "env", "gpu", "sp", "app", "Jd", "hl")
FLAGS = ("rn", "ti")
NOT = ". Job not submitted."


def bsub(store: Store, arguments: list[str]) -> int:
    """Take a job in, a command in words or a script from stdin."""
    given, command = _parsed(store, arguments)
    text = " ".join(command)
    if not command:
        text = sys.stdin.buffer.read().decode(errors="surrogateescape")
        lines = [line for line in text.splitlines() if line.startswith("#BSUB")]
        words = [
            word
            for line in lines
            for word in shlex.split(line.removeprefix("#BSUB"), comments=True)
        ]
        given = _parsed(store, words)[0] | given
    refuse_if_down(store, NOT)
    if not text.strip():
        raise Refused(f"No command is specified{NOT}", ERROR)
    setup = store.setup
    queue = given.get("q") or next(iter(setup.queues))
    _check(setup, given, queue)
    with store.lock():
        job = _job(store.number(), given, queue, text)
        script = store.script(job.number)
        script.write_bytes(text.encode(errors="surrogateescape"))
        indices = _indices(given.get("J", ""))
        members = add_members(store, job, indices)
        for member in members:
            store.save(_as_member(member, given))
        if not members:
            store.save(job)
    which = f"queue <{queue}>" if "q" in given else f"default queue <{queue}>"
    say(f"Job <{job.number}> is submitted to {which}.")
    return 0


def _indices(name: str) -> range:
    found = _ARRAY.search(name)
    if found is None:
        return range(0)
    first, last = int(found[1]), int(found[2])
    if not 0 < first <= last <= LARGEST_ARRAY:
        raise Refused(f"{name}: Bad job array index list{NOT}", ERROR)
    return range(first, last + 1)


def _as_member(job: Job, given: dict[str, str]) -> Job:
    """Return a member of an array with what its index makes of the words given."""
    name = f"{job.name.partition('[')[0]}[{job.index}]"
    output, error = given.get("oo", given.get("o", "")), given.get("eo", given.get("e", ""))
    folder = Path(job.folder)
    return replace(
        job,
        name=name,
        output=_path(output, folder, job.array, job.index),
        error=_path(error, folder, job.array, job.index),
    )


def _parsed(store: Store, arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    if store.setup.dialect == SPECTRUM:
        return options_of(arguments, VALUED, words=WORDS, flags=FLAGS)
    return options_of(arguments, VALUED)


def _check(setup: Setup, given: dict[str, str], queue: str) -> None:
    if queue not in setup.queues:
        raise Refused(f"{queue}: No such queue{NOT}", ERROR)
    if queue in setup.closed:
        raise Refused(f"{queue}: Queue has been closed{NOT}", ERROR)
    slots = given.get("n", "1").partition(",")[0]
    if not slots.isdigit() or int(slots) < 1:
        raise Refused(f"The number of processors must be a positive integer{NOT}", ERROR)
    if int(slots) > setup.slots:
        raise Refused(f"Too many processors requested{NOT}", ERROR)
    if "W" in given and _seconds(given["W"]) is None:
        raise Refused(f"{given['W']}: Bad RUNLIMIT specification{NOT}", ERROR)
    most, asked = setup.queues[queue], _seconds(given.get("W", "0"))
    if most is not None and asked is not None and asked > most:
        raise Refused(f"RUNLIMIT: Cannot exceed queue's hard limit(s){NOT}", ERROR)
    if given.get("R", "").count("[") != given.get("R", "").count("]"):
        raise Refused(f"Bad resource requirement syntax{NOT}", ERROR)


def _seconds(text: str) -> int | None:
    hours, colon, minutes = text.partition("/")[0].rpartition(":")
    if not minutes.isdigit() or (colon and not hours.isdigit()):
        return None
    return (int(hours or 0) * 60 + int(minutes)) * 60


def _job(number: int, given: dict[str, str], queue: str, text: str) -> Job:
    user = pwd.getpwuid(os.getuid())
    name = given.get("J") or ";".join(text.strip().splitlines())
    output, error = given.get("oo", given.get("o", "")), given.get("eo", given.get("e", ""))
    folder = Path(given.get("cwd", "") or Path.cwd())
    shown = {"output": output, "error": error, "append": "" if "oo" in given else "yes"}
    shown |= {"join": "" if error else "yes", "project": given.get("P", "default")}
    return Job(
        number=number, name=name, user=user.pw_name, queue=queue, folder=str(folder),
        state="held" if "H" in given else "waiting", submitted=time.time(),
        slots=int(given.get("n", "1").partition(",")[0]),
        limit=_seconds(given["W"]) if "W" in given else None,
        output=_path(output, folder, number), error=_path(error, folder, number),
        arguments=text.strip(), bare=True, variables=dict(os.environ), options=shown,
    )  # fmt: skip


def _path(given: str, folder: Path, number: int, index: int = 0) -> str:
    if not given:
        return ""
    return str(folder / given.replace("%J", str(number)).replace("%I", str(index)))
