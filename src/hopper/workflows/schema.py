"""The JSON Schema of a workflow's JSON, made from the fields of a task."""

from __future__ import annotations

from typing import Any

from hopper.workflows.documents import ARRAYS
from hopper.workflows.matrix import MATRIX, SWEEP
from hopper.workflows.tasks import TaskEntry
from hopper.workflows.units import format_memory, time_limit

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SCALAR = {"type": ["string", "number", "boolean"]}


def json_schema() -> dict[str, Any]:
    """Return the schema: an array of tasks, or an object that holds them as ``tasks``.

    What needs the whole of a file, such as whether a dependency exists, no schema can say.
    """
    task = TaskEntry.model_json_schema(ref_template="#/$defs/{model}")
    definitions = task.pop("$defs", {})
    _show_defaults(task["properties"])
    task["properties"][MATRIX] = {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"type": "array", "minItems": 1, "items": _SCALAR},
        "description": "Values by key: the task stands for one for each combination, with {key} "
        "in its texts replaced.",
    }
    task["properties"][SWEEP] = {
        "type": "array",
        "minItems": 1,
        "items": {"type": "object", "minProperties": 1, "additionalProperties": _SCALAR},
        "description": "Values by key, one object for each task that it stands for.",
    }
    task["title"] = "Task"
    tasks = {"type": "array", "items": {"$ref": "#/$defs/Task"}}
    return {
        "$schema": DIALECT,
        "title": "Tasks of a workflow",
        "anyOf": [tasks, _object(tasks)],
        "$defs": {**definitions, "Task": task},
    }


def _object(tasks: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["tasks"],
        "properties": {
            "tasks": tasks,
            "description": {"type": "string", "description": "What it is for."},
            "max_concurrent": {
                "type": "integer",
                "minimum": 1,
                "description": "Most of its tasks at a time; else the config's.",
            },
            "array": {
                "enum": [*ARRAYS],
                "description": "auto to submit equal tasks as job arrays; else the config's.",
            },
        },
    }


def _show_defaults(properties: dict[str, Any]) -> None:
    """Write defaults as a person would."""
    fields = TaskEntry.model_fields
    properties["memory"]["default"] = format_memory(fields["memory"].default)
    hour = "1:00:00"
    if time_limit(hour) == fields["time_limit"].default:
        properties["time_limit"]["default"] = hour
    for name, value in properties.items():
        value.pop("title", None)
        if name not in {"id", "command"}:
            _allow_null(value)


def _allow_null(value: dict[str, Any]) -> None:
    """Let null stand for what is not said."""
    null = {"type": "null"}
    if "$ref" in value:
        value["anyOf"] = [{"$ref": value.pop("$ref")}, null]
    elif "anyOf" in value:
        value["anyOf"] = [*(kind for kind in value["anyOf"] if kind != null), null]
    else:
        kinds = value["type"] if isinstance(value["type"], list) else [value["type"]]
        value["type"] = list(dict.fromkeys([*kinds, "null"]))
