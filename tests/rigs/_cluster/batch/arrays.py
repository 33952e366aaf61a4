"""Job arrays of a stand-in: each member is a job of its own, the array is seen in its members."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace

from tests.rigs._cluster.batch.store import Job, Store

ROOM = 1_000_000
"""Members of an array have numbers from its own times this."""


def add_members(store: Store, job: Job, indices: Sequence[int]) -> list[Job]:
    """Take in the members of an array whose number and script `job` has; call it under `lock`."""
    members = [
        replace(job, number=job.number * ROOM + index, array=job.number, index=index)
        for index in indices
    ]
    for member in members:
        shutil.copyfile(store.script(job.number), store.script(member.number))
        store.save(member)
    return members


def members_of(store: Store, array: int) -> list[Job]:
    """Return the members of an array, in order; none for what is no array."""
    first, last = array * ROOM, (array + 1) * ROOM
    numbers = [number for number in store.numbers() if first < number < last]
    return [job for number in numbers if (job := store.load(number))]


def whole(members: Sequence[Job]) -> Job:
    """Return an array as one job, of index 0: it waits, runs or has ended as its members do."""
    states = {job.state for job in members}
    begun = [job.started for job in members if job.started is not None]
    over = states == {"ended"}
    return replace(
        members[0],
        number=members[0].array,
        index=0,
        state="ended" if over else states.pop() if len(states) == 1 else "running",
        started=min(begun) if begun else None,
        ended=max((job.ended or 0.0) for job in members) if over else None,
        code=max((job.code or 0) for job in members) if over else None,
        why="",
    )


def alive(members: Sequence[Job]) -> bool:
    """Return whether a member is not over."""
    return any(job.state != "ended" for job in members)
