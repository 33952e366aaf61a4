from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.model.native import Cause
from hopper.workflows.documents import Document, parse
from hopper.workflows.errors import InvalidWorkflow


def read(*tasks: dict[str, Any], **top: object) -> Document:
    return parse(json.dumps({"tasks": tasks, **top}), "t.json")


def problems(content: str | bytes) -> tuple[str, ...]:
    with pytest.raises(InvalidWorkflow) as caught:
        parse(content, "t.json")
    assert all("\n" not in line and line.startswith("t.json") for line in caught.value.problems)
    return caught.value.problems


def complaint(**task: object) -> str:
    (problem,) = problems(json.dumps([{"id": "a", "command": "x", **task}]))
    return problem


def test_what_a_task_says_nothing_of() -> None:
    (task,) = parse('[{"id": "a", "name": "A", "command": "make"}]', "t.json").tasks
    assert (task.id, task.name, task.command) == ("a", "A", "make")
    assert (task.working_dir, task.partition, task.cpus) == ("~", "", 1)
    assert (task.memory, task.time_limit) == (4 * 1024**3, timedelta(hours=1))
    assert (task.retries, task.retry, task.cache) == (None, None, False)


def test_all_fields() -> None:
    (task,) = read(
        {
            "id": "g.a",
            "command": "x",
            "deps": [],
            "working_dir": "sub",
            "partition": "gpu",
            "cpus": 4,
            "memory": "16G",
            "time_limit": "4:00:00",
            "gpus": 2,
            "gres": "gpu:a100:2",
            "output_file": "~/o",
            "error_file": "e",
            "environment": "julia",
            "env_vars": {"A": "b", "N": 1, "F": 0.5, "T": True},
            "generates_source": "t.json",
            "inputs": ["data/x.csv", "big:small/name"],
            "outputs": "*.pt",
            "retries": 3,
            "retry": {"on": ["oom", "timeout"], "memory": "x2", "time": 1.5},
            "cache": True,
            "cache_scope": "inputs",
            "priority": -1,
            "tags": ["cuda"],
        }
    ).tasks
    assert task.env_vars == {"A": "b", "N": "1", "F": "0.5", "T": "true"}
    assert task.retry is not None
    assert task.retry.on == {Cause.OOM, Cause.TIMEOUT}
    assert (task.retry.memory, task.retry.time) == (2, 1.5)
    assert task.inputs == ("data/x.csv", "big:small/name")
    assert task.outputs == ("*.pt",)


def test_null_is_the_default_but_for_limits() -> None:
    (task,) = read({"id": "a", "command": "x", "gres": None, "cpus": None, "memory": None}).tasks
    assert (task.gres, task.cpus, task.memory) == ("", 1, None)
    assert task.time_limit == timedelta(hours=1)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({"memory": "4X"}, "t.json: task a: memory: '4X' is not an amount of memory"),
        ({"time_limit": "soon"}, "t.json: task a: time_limit: 'soon' is not a time limit"),
        ({"cpus": 0}, "t.json: task a: cpus: input should be greater"),
        ({"cpus": True}, "cpus: True is not a whole number"),
        ({"cpus": 1.5}, "cpus: 1.5 is not a whole number"),
        ({"cpus": "many"}, "cpus must be a whole number, not 'many'"),
        ({"command": " "}, "command: it is empty"),
        ({"command": "a\0b"}, "command: it holds a NUL"),
        ({"deps": [1]}, "deps[0] must be a text, not 1"),
        ({"working_dir": "a\nb"}, "working_dir: 'a\\nb' holds control characters"),
        ({"partition": "-x"}, "partition: '-x' must be one word"),
        ({"partition": "a b"}, "partition: 'a b' must be one word"),
        ({"gres": "gpu;rm"}, "gres: 'gpu;rm' is not of the form"),
        ({"env_vars": {"A-B": "x"}}, "env_vars: 'A-B' is not a name"),
        ({"env_vars": {"A": "x\0"}}, "the value of A holds a NUL"),
        ({"inputs": ["a:../b"]}, "inputs[0]: 'a:../b' must be path or path:name"),
        ({"inputs": ["~/.ssh/id:x"]}, "both relative and without .."),
        ({"inputs": ["/etc/passwd"]}, "both relative and without .."),
        ({"inputs": ["a/../../b"]}, "both relative and without .."),
        ({"inputs": ["x:../../b:name"]}, "both relative and without .."),
        ({"inputs": ["a:b:c"]}, "must be path or path:name"),
        ({"inputs": ["a/"]}, "inputs[0]: 'a/' must be a file"),
        ({"inputs": ["a:"]}, "inputs[0]: 'a:' must be a file"),
        ({"inputs": [":b"]}, "inputs[0]: ':b' must be a file"),
        ({"outputs": ["/etc/*"]}, "outputs[0]: '/etc/*' must be a glob below"),
        ({"retry": {"on": ["luck"]}}, "retry.on[0]"),
        ({"retry": {"on": ["cancelled"]}}, "retry.on[0]: what was cancelled is not tried again"),
        ({"retry": {"memory": "2x"}}, "retry.memory: '2x' is not a factor"),
        ({"memroy": "4G"}, "memroy is no field; did you mean memory?"),
        ({"cache_scope": "world"}, "cache_scope: input should be 'commit' or 'inputs'"),
        ({"matrix": {"a": []}}, "matrix: a must be a list of values"),
        ({"matrix": [1]}, "matrix: it must hold a list of values for each key"),
        ({"matrix": {"a-b": [1]}}, "matrix: 'a-b' is not a word"),
        ({"matrix": {"a": [[1]]}}, "matrix: [1] must be text"),
        ({"matrix": {"a": [1] * 400, "b": [1] * 400}}, "it stands for 160000 tasks"),
        ({"sweep": [{"a": 1}, {"b": 1}]}, "sweep: it must be a list of objects with the same"),
        ({"sweep": [{"a": 1}], "matrix": {"a": [1]}}, "sweep: a is in matrix too"),
    ],
)
def test_what_a_task_may_not_say(task: dict[str, Any], said: str) -> None:
    assert said in complaint(**task)


@pytest.mark.parametrize("odd", ["", "a/b", "-a", ".a", " a", "a\n", "x" * 201, 7])
def test_odd_ids(odd: object) -> None:
    (problem,) = problems(json.dumps([{"id": odd, "command": "x"}]))
    assert ": id: " in problem or ": id must " in problem


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "t.json is empty, not JSON"),
        ("Welcome to the cluster!\n[]", "t.json:1:1: not JSON: Expecting value, at 'Welcome"),
        ('[{"id": "a",\n "command" "x"}]', "t.json:2:12: not JSON"),
        ("3", "t.json holds a number, not an array"),
        ("{}", "holds an object without a list of tasks"),
        ('{"tasks": {}}', "holds an object without a list of tasks"),
        ("[1]", "t.json: tasks[0] is a number, not an object"),
        ("[{}]", "t.json: tasks[0]: id is missing"),
        ('[{"id": "a", "id": "b"}]', "the key 'id' stands in one object twice"),
        ('[{"id": "a", "command": "x", "cpus": NaN}]', "NaN is no number in JSON"),
        ("[" * 100_000, "is nested too deeply"),
        ('[{"id": "a", "command": "\\ud800"}]', "holds half of a character"),
        (b"\xff[]", "is not UTF-8 (byte 0)"),
        ('{"tasks": [], "max_concurrent": 0}', "max_concurrent: 0 is not a number from 1"),
        ('{"tasks": [], "array": "always"}', "t.json: array: 'always' is not auto or never"),
        ('{"tasks": [], "array": ["auto"]}', "array: ['auto'] is not auto or never"),
    ],
)
def test_what_is_no_workflow(content: str | bytes, said: str) -> None:
    assert said in problems(content)[0]


@pytest.mark.parametrize(
    ("said", "array"), [("", ""), (', "array": "auto"', "auto"), (', "array": null', "")]
)
def test_a_workflow_says_whether_it_wants_arrays(said: str, array: str) -> None:
    assert parse(f'{{"tasks": []{said}}}', "t.json").array == array


def test_a_pair_of_halves_is_a_character() -> None:
    (task,) = parse('[{"id": "a", "command": "\\ud83d\\ude00"}]', "t.json").tasks
    assert task.command == "😀"


def test_all_problems_are_told_up_to_twenty() -> None:
    found = problems(json.dumps([{"id": f"t{i}", "command": "x", "cpus": 0} for i in range(50)]))
    assert len(found) == 20
    with pytest.raises(InvalidWorkflow) as caught:
        parse('[{"id": "a"}, {"command": "x"}]', "t.json")
    assert caught.value.problems == (
        "t.json: task a: command is missing",
        "t.json: tasks[1]: id is missing",
    )
    assert str(caught.value) == "t.json: task a: command is missing (and 1 more)"
    assert caught.value.exit_code == 2


def test_what_is_not_read_is_said() -> None:
    document = read(
        {"id": "a", "command": "x", "image": "i", "x-own": 1},
        {"id": "b", "command": "x", "image": "i"},
        data=["d"],
    )
    assert document.warnings == (
        "t.json: 'data' is not read",
        "t.json: task a and 1 more: 'image' is not a field and not read",
    )


def test_what_an_object_says_of_the_run() -> None:
    document = read(description="why", max_concurrent=4)
    assert (document.description, document.max_concurrent) == ("why", 4)


def test_a_matrix_is_every_combination() -> None:
    document = read(
        {
            "id": "train",
            "name": "Train {lr}",
            "command": "train --lr {lr} --seed {seed} ${lr} {other}",
            "matrix": {"lr": [0.1, 0.01], "seed": [1, 2]},
            "env_vars": {"LR": "{lr}"},
            "deps": ["prep.{seed}"],
            "cpus": "{seed}",
        }
    )
    assert [task.id for task in document.tasks] == [
        "train.lr=0_1,seed=1",
        "train.lr=0_1,seed=2",
        "train.lr=0_01,seed=1",
        "train.lr=0_01,seed=2",
    ]
    assert document.groups == {"train": tuple(task.id for task in document.tasks)}
    second = document.tasks[1]
    assert second.name == "Train 0.1"
    assert second.command == "train --lr 0.1 --seed 2 ${lr} {other}"
    assert (second.env_vars, second.deps, second.cpus) == ({"LR": "0.1"}, ("prep.2",), 2)


def test_an_id_may_say_its_values_itself() -> None:
    document = read({"id": "sim.{n}", "command": "x", "sweep": [{"n": 1}, {"n": "b"}]})
    assert [task.id for task in document.tasks] == ["sim.1", "sim.b"]


def test_a_sweep_and_a_matrix_are_combined() -> None:
    document = read(
        {"id": "t", "command": "{a}{b}", "sweep": [{"a": 1}, {"a": 2}], "matrix": {"b": [True]}}
    )
    assert [task.command for task in document.tasks] == ["1true", "2true"]


def test_ids_of_a_matrix_stay_apart() -> None:
    document = read({"id": "t", "command": "x", "matrix": {"v": ["a b", "a*b", "a_b"]}})
    assert [task.id for task in document.tasks] == ["t.v=a_b", "t.v=a_b,2", "t.v=a_b,3"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "command", "deps", "cpus", "matrix", "sweep", "retry", "env_vars"]
            )
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_whatever_it_holds_is_read_or_refused(value: object) -> None:
    for content in (json.dumps(value), json.dumps([value]), json.dumps({"tasks": [value]})):
        with suppress(InvalidWorkflow):
            assert parse(content, "t.json").what == "t.json"
