from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hopper.workflows.documents import TASK_KEYS, parse
from hopper.workflows.expand import expand
from hopper.workflows.schema import json_schema

EXAMPLES = sorted((Path(__file__).parents[3] / "examples/workflows").glob("*.json"))
jsonschema: Any = pytest.importorskip("jsonschema")


def accepts(value: object) -> bool:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


def test_it_has_every_field_described() -> None:
    properties = json_schema()["$defs"]["Task"]["properties"]
    assert set(properties) == set(TASK_KEYS)
    assert all(value["description"] for value in properties.values())
    assert properties["memory"]["default"] == "4G"
    assert properties["time_limit"]["default"] == "1:00:00"


@pytest.mark.parametrize(
    "task",
    [
        {},
        {"cpus": "{n}", "matrix": {"n": [1, 2]}},
        {"memory": 4096, "time_limit": None, "gres": None, "cache_scope": None, "retry": None},
        {"env_vars": {"A": 1}, "deps": "a", "retry": {"on": ["oom"], "memory": "x2"}},
        {"sweep": [{"a": 1}]},
        {"image": "unknown to hopper"},
    ],
)
def test_what_is_read_is_valid(task: dict[str, Any]) -> None:
    whole = {"id": "t", "command": "x", **task}
    parse(json.dumps([whole]), "t.json")
    assert accepts([whole])
    assert accepts({"tasks": [whole]})


@pytest.mark.parametrize(
    "value",
    [3, {}, [{"id": "a"}], [{"id": "a", "command": "x", "cpus": 0}], {"tasks": [3]}],
)
def test_what_is_wrong_is_not(value: object) -> None:
    assert not accepts(value)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_are_right(path: Path) -> None:
    document = parse(path.read_bytes(), path.name)
    assert accepts(json.loads(path.read_text()))
    assert document.warnings == ()
    assert expand(document, existing={"plan": "j"} if path.stem == "generated" else {})


def test_there_are_examples() -> None:
    assert EXAMPLES
