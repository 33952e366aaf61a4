from __future__ import annotations

import fnmatch
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.workflows import expand as expanding
from hopper.workflows import patterns
from hopper.workflows.documents import parse
from hopper.workflows.errors import InvalidWorkflow
from hopper.workflows.expand import TaskPlan, expand, find_cycle
from hopper.workflows.patterns import Ids, TooManyTries, is_pattern


def planned(existing: dict[str, str] | None = None, **deps: list[str]) -> dict[str, Any]:
    tasks = [{"id": own.replace("_", "."), "command": "x", "deps": on} for own, on in deps.items()]
    return {plan.id: plan.deps for plan in plans(tasks, existing)}


def plans(
    tasks: list[dict[str, Any]], existing: dict[str, str] | None = None
) -> tuple[TaskPlan, ...]:
    return expand(parse(json.dumps(tasks), "t.json"), existing=existing or {})


def complaint(existing: dict[str, str] | None = None, **deps: list[str]) -> str:
    with pytest.raises(InvalidWorkflow) as caught:
        planned(existing, **deps)
    return caught.value.problems[0]


def test_wildcards_are_written_out_in_order() -> None:
    found = planned(
        setup_init=[],
        build_y=["setup.*"],
        build_x=["setup.*"],
        final_merge=["build.*", "setup.init"],
    )
    assert found["build.x"] == ("setup.init",)
    assert found["final.merge"] == ("build.y", "build.x", "setup.init")


def test_a_task_never_depends_on_itself_by_its_own_pattern() -> None:
    assert planned(a_1=[], a_2=[], a_end=["a.*"])["a.end"] == ("a.1", "a.2")


def test_a_pattern_must_match_another_task() -> None:
    assert complaint(a=["b*"]) == "t.json: task a: deps: 'b*' matches no task"
    assert complaint(a=["a*"]) == "t.json: task a: deps: 'a*' matches no task but itself"


def test_what_cannot_be_depended_on() -> None:
    assert complaint(a=["nope"]) == "t.json: task a: deps: there is no task 'nope'"
    assert complaint(a=["a"]) == "t.json: task a: deps: it depends on itself by 'a'"


def test_a_circle_is_named() -> None:
    said = complaint(z=["a"], a=["b"], b=["c"], c=["a"])
    assert said == "t.json: task a: deps go in a circle: a → b → c → a"
    assert "a.1 → a.2 → a.1" in complaint(a_1=["a.*"], a_2=["a.*"])


def test_a_long_circle_is_cut() -> None:
    tasks = [{"id": f"t{i}", "command": "x", "deps": [f"t{(i + 1) % 5000}"]} for i in range(5000)]
    with pytest.raises(InvalidWorkflow, match=r"t0 → t1 → t2 → t3 → … → .* → t0"):
        plans(tasks)


def test_a_second_batch_depends_on_what_is_there() -> None:
    found = planned({"plan": "j1", "prep.1": "j2"}, sim=["plan"], end=["prep.*", "sim"])
    assert found == {"sim": ("plan",), "end": ("prep.1", "sim")}


def test_ids_are_there_once() -> None:
    assert complaint({"a": "j"}, a=[]) == "t.json: task a: id is in the run already"
    tasks = [{"id": "a", "command": "x"}] * 2
    with pytest.raises(InvalidWorkflow, match=r"t\.json: task a: id is there twice"):
        plans(tasks)


def test_a_matrix_is_depended_on_by_its_id() -> None:
    found = plans(
        [
            {"id": "train", "command": "{n}", "matrix": {"n": [1, 2]}},
            {"id": "sum", "command": "x", "deps": ["train"]},
            {"id": "eval", "command": "x", "matrix": {"n": [1, 2]}, "deps": ["train.n={n}"]},
        ]
    )
    deps = {plan.id: plan.deps for plan in found}
    assert deps["sum"] == ("train.n=1", "train.n=2")
    assert deps["eval.n=2"] == ("train.n=2",)


def test_an_id_with_a_bracket_means_itself() -> None:
    found = plans([{"id": "a[1]", "command": "x"}, {"id": "b", "command": "x", "deps": ["a[1]"]}])
    assert found[1].deps == ("a[1]",)


def test_equal_wildcards_share_their_tuple() -> None:
    found = planned(a_1=[], a_2=[], x=["a.*"], y=["a.*"])
    assert found["x"] is found["y"]


def test_too_many_dependencies_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expanding, "MOST_EDGES", 3)
    assert "task y: deps: more than 3 in all" in complaint(a_1=[], a_2=[], x=["a.*"], y=["a.*"])


def test_too_many_comparisons_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "MOST_TRIES", 5)
    ids = Ids(["a", "b", "c"])
    assert ids.matching("*a*") == ("a",)
    assert ids.matching("*a*") == ("a",)
    with pytest.raises(TooManyTries):
        ids.matching("*b*")


IDS = st.lists(st.text("ab.[]*?!-é", min_size=1, max_size=6), unique=True, max_size=12)
PATTERNS = st.text("ab.[]*?!-é", max_size=7)


@given(IDS, PATTERNS)
def test_patterns_mean_what_fnmatch_says(ids: list[str], pattern: str) -> None:
    wanted = tuple(own for own in ids if fnmatch.fnmatchcase(own, pattern))
    assert Ids(ids).matching(pattern) == wanted
    if not is_pattern(pattern):
        assert set(wanted) <= {pattern}


GRAPHS = st.integers(1, 8).flatmap(
    lambda n: st.dictionaries(
        st.integers(0, n - 1).map(str),
        st.lists(st.integers(0, n - 1).map(str), max_size=4).map(tuple),
        max_size=n,
    )
)


def reaches_itself(graph: dict[str, tuple[str, ...]], start: str) -> bool:
    seen: set[str] = set()
    todo = list(graph[start])
    while todo:
        here = todo.pop()
        if here == start:
            return True
        if here not in seen:
            seen.add(here)
            todo += graph.get(here, ())
    return False


@given(GRAPHS)
def test_a_circle_is_found_where_there_is_one(graph: dict[str, tuple[str, ...]]) -> None:
    circle = find_cycle(graph)
    assert bool(circle) == any(reaches_itself(graph, start) for start in graph)
    if circle:
        assert circle[0] == circle[-1]
        assert len(set(circle)) == len(circle) - 1
        assert all(then in graph[own] for own, then in pairwise(circle))


def test_twenty_thousand_tasks_try_few_patterns() -> None:
    tasks: list[dict[str, Any]]
    tasks = [{"id": f"a.{i}.{j}", "command": "x"} for i in range(5000) for j in range(3)]
    tasks += [{"id": f"m.{i}", "command": "x", "deps": [f"a.{i}.*"]} for i in range(5000)]
    found = plans(tasks)
    assert len(found) == 20_000
    assert all(len(plan.deps) == 3 for plan in found[15_000:])
    ids = Ids([plan.id for plan in found])
    for index in range(5000):
        ids.matching(f"a.{index}.*")
    assert ids.tries == 15_000
