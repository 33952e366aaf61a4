"""The kinds of values that a task's fields hold. They come from outside and are hostile."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from hopper.config.job_file import Glob
from hopper.config.values import Variables, as_list
from hopper.model.native import Cause
from hopper.workflows.units import growth, memory, time_limit

LARGEST_TEXT = 1_000_000
"""Characters of a command."""
_GRES = re.compile(r"[A-Za-z0-9_.:,=()/-]{1,200}\Z")
_PLACEHOLDER = r"\{[A-Za-z_][A-Za-z0-9_]*\}"


class CacheScope(StrEnum):
    """What must be equal for an earlier result to be taken."""

    COMMIT = "commit"
    """The command, its surroundings, its inputs and the commit."""
    INPUTS = "inputs"
    """The same without the commit: right only when the inputs are all that it reads."""


def _id(value: str) -> str:
    if not value.isprintable() or "/" in value or value.startswith(("-", ".")):
        raise ValueError(f"{value!r} must be printable, without /, and not begin with - or .")
    if value != value.strip():
        raise ValueError(f"{value!r} has blanks at an end")
    return value


def _text(value: str) -> str:
    if "\0" in value:
        raise ValueError("it holds a NUL, which no shell can take")
    return value


def _path(value: str) -> str:
    if any(ord(c) < 32 or ord(c) == 127 for c in value):
        raise ValueError(f"{value!r} holds control characters")
    return value


def _gres(value: str) -> str:
    if value and not _GRES.match(value):
        raise ValueError(f"{value!r} is not of the form gpu:2 or gpu:a100:2")
    return value


def _word(value: str) -> str:
    if value.startswith("-") or not value.isprintable() or any(c.isspace() for c in value):
        raise ValueError(f"{value!r} must be one word that does not begin with -")
    return value


def _whole(value: object) -> object:
    """Take ``"8"`` for 8, as a value of a matrix comes, and nothing else that is no number."""
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError(f"{value!r} is not a whole number")
    return value


def _value(value: object) -> object:
    """Take numbers and truth values of environment variables as JSON writes them."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _values(value: object) -> object:
    if isinstance(value, dict):
        return {name: _value(item) for name, item in value.items()}
    return {} if value is None else value


def split_input(value: str) -> tuple[str, str]:
    """Return the path at home and the name below the task's folder that ``path:name`` means."""
    path, colon, name = value.partition(":")
    return path, name if colon else path.rsplit("/", 1)[-1]


def _input(value: str) -> str:
    path, name = split_input(value)
    for part in (path, name):
        # A task file comes from a backend or a repository; it may not send for what it likes.
        if part.startswith(("/", "~")) or ".." in part.split("/") or ":" in name:
            raise ValueError(f"{value!r} must be path or path:name, both relative and without ..")
    if not path or name.rsplit("/", 1)[-1] in {"", "."}:
        raise ValueError(f"{value!r} must be a file, or file:name")
    return _path(value)


def _whole_schema(least: int, most: int) -> WithJsonSchema:
    text = {"type": "string", "pattern": rf"^(-?[0-9]+|{_PLACEHOLDER})$"}
    return WithJsonSchema({"anyOf": [{"type": "integer", "minimum": least, "maximum": most}, text]})


def _amount_schema(*, null: bool) -> WithJsonSchema:
    kinds = ["string", "number", "null"] if null else ["string", "number"]
    return WithJsonSchema({"type": kinds})


def _open_memory(value: object) -> int | None:
    return None if value is None else memory(value)


def _open_time(value: object) -> timedelta | None:
    return value if value is None or isinstance(value, timedelta) else time_limit(value)


def _cause(value: Cause) -> Cause:
    if value is Cause.CANCELLED:
        raise ValueError("what was cancelled is not tried again")
    return value


_List = BeforeValidator(as_list)
_ListOrText = WithJsonSchema(
    {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}
)
TaskId = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_id)]
Text = Annotated[str, Field(max_length=LARGEST_TEXT), AfterValidator(_text)]
Title = Annotated[str, Field(max_length=500), AfterValidator(_text)]
Path = Annotated[str, Field(max_length=4000), AfterValidator(_path)]
Word = Annotated[str, Field(max_length=200), AfterValidator(_word)]
Gres = Annotated[str, AfterValidator(_gres)]
Memory = Annotated[int | None, BeforeValidator(_open_memory), _amount_schema(null=True)]
"""Bytes."""
Time = Annotated[timedelta | None, BeforeValidator(_open_time), _amount_schema(null=True)]
Growth = Annotated[float, BeforeValidator(growth), _amount_schema(null=False)]
Cpus = Annotated[
    int, Field(ge=1, le=1_000_000), BeforeValidator(_whole), _whole_schema(1, 1_000_000)
]
Gpus = Annotated[int, Field(ge=0, le=10_000), BeforeValidator(_whole), _whole_schema(0, 10_000)]
Retries = Annotated[int, Field(ge=0, le=1000), BeforeValidator(_whole), _whole_schema(0, 1000)]
Priority = Annotated[
    int,
    Field(ge=-1_000_000, le=1_000_000),
    BeforeValidator(_whole),
    _whole_schema(-1_000_000, 1_000_000),
]
Causes = Annotated[
    frozenset[Annotated[Cause, AfterValidator(_cause)]],
    _List,
    WithJsonSchema(
        {
            "type": "array",
            "items": {"enum": [cause.value for cause in Cause if cause is not Cause.CANCELLED]},
        }
    ),
]
Texts = Annotated[tuple[Annotated[str, AfterValidator(_text)], ...], _List, _ListOrText]
Words = Annotated[tuple[Word, ...], _List, _ListOrText]
Inputs = Annotated[tuple[Annotated[str, AfterValidator(_input)], ...], _List, _ListOrText]
Globs = Annotated[tuple[Glob, ...], _List, _ListOrText]
EnvVars = Annotated[
    Variables,
    BeforeValidator(_values),
    WithJsonSchema(
        {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
    ),
]
