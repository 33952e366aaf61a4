"""Orders and reports as JSON values: what travels between our own processes."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar, cast

T = TypeVar("T")


def to_json(value: Any) -> dict[str, Any]:
    """Return a dataclass value as JSON values."""
    return asdict(value)


def from_json(kind: type[T], document: Mapping[str, Any]) -> T:
    """Return the value that ``to_json`` made the document of; TypeError where it is none.

    Fields of other versions are passed over.
    """
    if not isinstance(document, Mapping):
        raise TypeError(f"no {kind.__name__}: {document!r:.80}")
    plan: dict[str, Callable[[Any], Any]] = _plan(cast("Any", kind))
    return kind(**{name: plan[name](value) for name, value in document.items() if name in plan})


@cache
def _plan(kind: Any) -> dict[str, Callable[[Any], Any]]:
    hints = typing.get_type_hints(kind)
    return {field.name: _reader(hints[field.name]) for field in fields(kind)}


def _reader(hint: Any) -> Callable[[Any], Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {types.UnionType, typing.Union}:
        [inner] = [argument for argument in arguments if argument is not types.NoneType]
        read = _reader(inner)
        return lambda value: None if value is None else read(value)
    if origin is tuple and arguments[-1:] == (...,):
        read = _reader(arguments[0])
        return lambda values: tuple(read(value) for value in values)
    if origin is tuple:
        reads = [_reader(argument) for argument in arguments]
        return lambda values: tuple(read(value) for read, value in zip(reads, values, strict=True))
    if isinstance(hint, type) and is_dataclass(hint):
        return lambda value: from_json(hint, value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    return lambda value: value
