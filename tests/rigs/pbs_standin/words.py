"""Ids, errors and the head of each answer, in PBS's words."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from tests.rigs._cluster.batch.store import Job, Store
from tests.rigs._cluster.batch.words import Refused, say

VERSION = "23.06.06"
UNKNOWN = 153
FINISHED = 35
_ID = re.compile(r"(\d+)(\..*)?\Z")


def job_id(store: Store, job: Job) -> str:
    """The id of a job, `12.pbs1`."""
    return f"{job.number}.{store.setup.host}"


def number_of(word: str) -> int | None:
    """The number in an id with or without the server; None when it is no id at all."""
    found = _ID.match(word)
    return int(found[1]) if found else None


def unknown(program: str, store: Store, word: str) -> Refused:
    """What is said of an id that no job has."""
    full = word if "." in word else f"{word}.{store.setup.host}"
    return Refused(f"{program}: Unknown Job Id {full}", UNKNOWN)


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
