from __future__ import annotations

from functools import reduce
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.web.following.changes import Changes, Memory, Position, position_of

IDS = ("j1", "j2", "j3")


@st.composite
def states(draw: st.DrawFn) -> list[dict[str, int]]:
    """Jobs and the versions of them, as they are one after the other."""
    return draw(
        st.lists(st.dictionaries(st.sampled_from(IDS), st.integers(0, 2)), min_size=2, max_size=6)
    )


def between(before: dict[str, int], after: dict[str, int], version: int = 1) -> Changes:
    jobs = {job: "r1" for job in after if before.get(job) != after[job]}
    gone = {job: "r1" for job in before if job not in after}
    return Changes(
        version=version,
        seq=version,
        jobs=jobs,
        new=frozenset(jobs.keys() - before.keys()),
        gone=gone,
        runs=frozenset({"r1"} if jobs or gone else ()),
        tables=frozenset({"jobs"} if jobs or gone else ()),
    )


def all_of(history: list[dict[str, int]]) -> list[Changes]:
    return [
        between(before, after, number)
        for number, (before, after) in enumerate(pairwise(history), start=1)
    ]


@given(states())
def test_changes_joined_tell_all_that_is_different(history: list[dict[str, int]]) -> None:
    joined = reduce(Changes.then, all_of(history))
    whole = between(history[0], history[-1])
    assert joined.jobs.keys() >= whole.jobs.keys()
    assert joined.gone.keys() >= whole.gone.keys()
    assert joined.new >= whole.new
    assert joined.jobs.keys() <= history[-1].keys()
    assert not joined.gone.keys() & history[-1].keys()
    assert joined.new <= joined.jobs.keys()


@given(states(), st.integers(0, 6), st.integers(2, 12))
def test_memory_tells_all_since_or_that_it_was_too_much(
    history: list[dict[str, int]], seen: int, most: int
) -> None:
    memory, steps = Memory(most=most), all_of(history)
    for step in steps:
        memory.add(step)
    seen = min(seen, len(steps))
    found = memory.since(seen)
    if found is None:
        assert sum(step.size + 1 for step in steps) > most
        return
    whole = between(history[seen], history[-1])
    assert found.jobs.keys() >= whole.jobs.keys()
    assert found.gone.keys() >= whole.gone.keys()


def test_nothing_is_forgotten_where_there_is_room() -> None:
    memory = Memory(most=100)
    for version in range(1, 4):
        memory.add(Changes(version=version, jobs={f"j{version}": ""}))
    found = memory.since(1)
    assert found is not None
    assert list(found.jobs) == ["j2", "j3"]
    last = memory.since(3)
    assert last is not None
    assert not last.jobs


def test_what_concerns_a_run_or_a_job() -> None:
    changes = Changes(
        jobs={"j1": "r1", "j2": "r2"}, gone={"j3": "r1"}, runs=frozenset({"r1", "r2"})
    )
    of_run = changes.of_run("r1")
    assert of_run is not None
    assert (dict(of_run.jobs), dict(of_run.gone)) == ({"j1": "r1"}, {"j3": "r1"})
    assert changes.of_run("r3") is None
    of_job = changes.of_job("j2")
    assert of_job is not None
    assert list(of_job.jobs) == ["j2"]
    assert changes.of_job("j4") is None
    assert Changes(whole=True).of_run("r3") is not None


@pytest.mark.parametrize("text", ["", "x", "-1", "1.x.y", "1." + "9" * 40 + ".a", "²", "1.²"])
def test_positions_that_are_none(text: str) -> None:
    assert position_of(text) is None


def test_a_position_comes_back() -> None:
    for position in (Position(seq=7), Position(seq=7, version=3, process="ab12")):
        assert position_of(str(position)) == position
