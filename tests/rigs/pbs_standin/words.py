"""Ids, errors and the head of each answer, in PBS's words."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from tests.rigs._cluster.batch.arrays import members_of
from tests.rigs._cluster.batch.store import Job, Store
from tests.rigs._cluster.batch.words import Refused, say

VERSION = "23.06.06"
UNKNOWN = 153
FINISHED = 35
TORQUE = "torque"
_ID = re.compile(r"(\d+)(?:\[(\d*)\])?(\..*)?\Z")


def is_torque(store: Store) -> bool:
    """Whether it answers as Torque does."""
    return store.setup.dialect == TORQUE


def job_id(store: Store, job: Job) -> str:
    """The id of a job, `12.pbs1`, of an array, `12[].pbs1`, or of its member, `12[3].pbs1`."""
    number = f"{job.array}[{job.index or ''}]" if job.array else f"{job.number}"
    return f"{number}.{store.setup.host}"


def jobs_of(store: Store, word: str) -> list[Job] | None:
    """The job or the array's members that an id means; none for an id that no job has.

    None when it is no id at all.
    """
    found = _ID.match(word)
    if found is None:
        return None
    number, index = int(found[1]), found[2]
    if index is None:
        job = store.load(number)
        return [job] if job else []
    return [job for job in members_of(store, number) if index in ("", str(job.index))]


def unknown(program: str, store: Store, word: str) -> Refused:
    """What is said of an id that no job has."""
    full = word if "." in word else f"{word}.{store.setup.host}"
    error = "Error " if is_torque(store) else ""
    return Refused(f"{program}: Unknown Job Id {error}{full}", UNKNOWN)


def refuse_if_down(store: Store, text: str, code: int) -> None:
    """Raise Refused with `text`, `{host}` in it being the server, when the server is down."""
    if store.down:
        raise Refused("Connection refused\n" + text.format(host=store.setup.host), code)


def say_json(store: Store, rest: dict[str, Any]) -> None:
    """Print an answer as `-F json` gives it, tabs and all."""
    head = {
        "timestamp": int(time.time()),
        "pbs_version": VERSION,
        "pbs_server": store.setup.host,
    }
    say(json.dumps(head | rest, indent="\t", separators=(",", ":\t"), ensure_ascii=False))
