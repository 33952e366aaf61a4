"""Reads a workflow's JSON: an array of tasks, or an object that holds them as ``tasks``."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hopper.config.settings import dotted, fault
from hopper.workflows.errors import MOST_TOLD, InvalidWorkflow
from hopper.workflows.matrix import MATRIX, MOST, SWEEP, Entry, entries
from hopper.workflows.tasks import TaskEntry

LARGEST = 64 * 1024**2
"""Bytes of a workflow's JSON."""
TOP_KEYS = ("tasks", "name", "description", "max_concurrent", "array", "$schema")
ARRAYS = ("auto", "never")
"""What ``array`` may be."""
TASK_KEYS = (*TaskEntry.model_fields, MATRIX, SWEEP)
_SIMILAR = 0.75
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """The tasks that a workflow's JSON says, each for itself."""

    what: str
    """What it is called in errors: a file's name, a workflow's."""
    tasks: tuple[TaskEntry, ...]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The ids that a matrix or sweep came to, by the id that it was written under."""
    description: str = ""
    max_concurrent: int | None = None
    """Most of its tasks at a time; None for what the config says."""
    array: str = ""
    """``auto`` or ``never``: whether equal tasks go as job arrays; empty for the backend's word."""
    warnings: tuple[str, ...] = ()
    """What was not read, for a person."""


def parse(content: bytes | str, what: str) -> Document:
    """Return the tasks that a JSON text holds, with matrices and sweeps written out.

    Raises InvalidWorkflow with a line for each thing that is wrong.
    """
    top, items = _tasks(_json(content, what), what)
    reading = _Reading(what)
    for index, item in enumerate(items):
        reading.take(index, item)
    description, most = top.get("description", ""), top.get("max_concurrent")
    if not _is_limit(most):
        reading.problems.append(f"{what}: max_concurrent: {most!r:.60} is not a number from 1")
    array = top.get("array")
    array = "" if array is None else array
    if array != "" and array not in ARRAYS:
        reading.problems.append(f"{what}: array: {array!r:.60} is not auto or never")
    if reading.problems:
        raise InvalidWorkflow(reading.problems)
    return Document(
        what=what,
        tasks=tuple(reading.tasks),
        groups={group: tuple(ids) for group, ids in reading.groups.items()},
        description=description if isinstance(description, str) else "",
        max_concurrent=most if isinstance(most, int) else None,
        array=str(array),
        warnings=tuple(reading.warnings(top)),
    )


def _is_limit(value: object) -> bool:
    return value is None or (type(value) is int and value >= 1)


class _Reading:
    """What was found so far."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.tasks: list[TaskEntry] = []
        self.groups: dict[str, list[str]] = {}
        self.problems: list[str] = []
        self.unread: dict[str, list[str]] = {}

    def take(self, index: int, item: object) -> None:
        """Read one item of the array."""
        if not isinstance(item, dict):
            self.problems.append(f"{self.what}: tasks[{index}] is {_kind(item)}, not an object")
            return
        own_id = item.get("id")
        shown = _shown(own_id) if isinstance(own_id, str) else ""
        where = f"{self.what}: " + (f"task {shown}" if shown else f"tasks[{index}]")
        self._look_at_keys(item, where)
        try:
            for entry in entries(item):
                self._keep(entry, where)
        except ValueError as error:
            self.problems.append(f"{where}: {error}")

    def _keep(self, entry: Entry, where: str) -> None:
        if len(self.tasks) >= MOST:
            raise ValueError(f"there are more than {MOST} tasks")
        if len(self.problems) > MOST_TOLD:
            return
        try:
            task = TaskEntry.model_validate(entry.fields)
        except ValidationError as error:
            self.problems += [f"{where}: {_sentence(detail)}" for detail in error.errors()]
            return
        self.tasks.append(task)
        if entry.group:
            self.groups.setdefault(entry.group, []).append(task.id)

    def _look_at_keys(self, item: Mapping[str, object], where: str) -> None:
        for name in item:
            if name in TASK_KEYS or name.startswith(("_", "x-", "$")):
                continue
            close = difflib.get_close_matches(name, TASK_KEYS, n=1, cutoff=_SIMILAR)
            if close:
                self.problems.append(f"{where}: {name} is no field; did you mean {close[0]}?")
            else:
                self.unread.setdefault(name, []).append(where.removeprefix(f"{self.what}: "))

    def warnings(self, top: Mapping[str, object]) -> Iterator[str]:
        """Yield what was left unread."""
        for name in top:
            if name not in TOP_KEYS and not name.startswith(("_", "x-", "$")):
                yield f"{self.what}: {name!r:.60} is not read"
        for name, places in self.unread.items():
            more = f" and {len(places) - 1} more" if len(places) > 1 else ""
            yield f"{self.what}: {places[0]}{more}: {name!r:.60} is not a field and not read"


def _tasks(value: object, what: str) -> tuple[Mapping[str, object], list[object]]:
    if isinstance(value, list):
        return {}, value
    if isinstance(value, dict) and isinstance(value.get("tasks"), list):
        return value, value["tasks"]
    said = "an object without a list of tasks" if isinstance(value, dict) else _kind(value)
    raise InvalidWorkflow([f"{what} holds {said}, not an array of tasks or an object with tasks"])


def _json(content: bytes | str, what: str) -> object:
    if len(content) > LARGEST:
        raise InvalidWorkflow([f"{what} is larger than {LARGEST // 1024**2} MB"])
    try:
        return _loaded(content.decode("utf-8-sig") if isinstance(content, bytes) else content)
    except UnicodeDecodeError as error:
        raise InvalidWorkflow([f"{what} is not UTF-8 (byte {error.start})"]) from error
    except UnicodeEncodeError as error:
        raise InvalidWorkflow([f"{what} holds half of a character (\\ud800 to \\udfff)"]) from error
    except json.JSONDecodeError as error:
        raise InvalidWorkflow([_misread(error, what)]) from error
    except RecursionError as error:
        raise InvalidWorkflow([f"{what} is nested too deeply"]) from error
    except ValueError as error:
        raise InvalidWorkflow([f"{what}: {error}"]) from error


def _loaded(text: str) -> object:
    value = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse_constant)
    if _HALF.search(text):
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _misread(error: json.JSONDecodeError, what: str) -> str:
    if not error.doc.strip():
        return f"{what} is empty, not JSON"
    found = error.doc[error.pos : error.pos + 40]
    return f"{what}:{error.lineno}:{error.colno}: not JSON: {error.msg}, at {found!r}"


def _shown(own_id: str) -> str:
    return own_id[:80] if own_id.isprintable() else repr(own_id[:80])


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twin!r:.60} stands in one object twice")
    return found


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number in JSON")


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "true or false", str: "text", int: "a number", float: "a number", list: "a list"}
    return names.get(type(value), "an object")


def _sentence(detail: ErrorDetails) -> str:
    name, kind = dotted(detail["loc"]), detail["type"]
    if kind == "missing":
        return f"{name} is missing"
    return " ".join(f"{name}{fault(detail)}".split())
