"""Values of the model as JSON values and back: the one place where that is done.

A dataclass becomes an object of its fields; an aware time ISO 8601 text in UTC (which sorts
as text); a duration seconds; a frozen set a sorted list. A field that a document lacks takes
its default, one that this hopper does not know is passed over.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, TypeVar

T = TypeVar("T")
_Convert = Callable[[Any], Any]
_DUMPERS: dict[type, _Convert] = {}
_LOADERS: dict[type, _Convert] = {}


def to_json(value: object) -> dict[str, Any]:
    """Return a dataclass value as a JSON object. ValueError for a time without a zone."""
    return typing.cast("dict[str, Any]", _dumper(type(value))(value))


def from_json(kind: type[T], document: Mapping[str, Any]) -> T:
    """Return the value of that dataclass that the object holds.

    TypeError, ValueError, KeyError or AttributeError where it holds none.
    """
    if not isinstance(document, Mapping):
        raise TypeError(f"no {kind.__name__}: {document!r:.80}")
    return typing.cast("T", _loader(kind)(document))


def _dumper(kind: type) -> _Convert:
    """Return the conversion of a dataclass to JSON, made once."""
    known = _DUMPERS.get(kind)
    if known is None:
        known = _DUMPERS[kind] = _make_dumper(kind)
    return known


def _make_dumper(kind: type) -> _Convert:
    hints = typing.get_type_hints(kind)
    plan = [(name, _dump(hints[name])) for name in _field_names(kind)]

    def dump(value: object) -> dict[str, object]:
        return {
            name: getattr(value, name) if convert is None else convert(getattr(value, name))
            for name, convert in plan
        }

    return dump


def _loader(kind: type) -> _Convert:
    """Return the conversion of a dataclass from JSON, made once."""
    known = _LOADERS.get(kind)
    if known is None:
        known = _LOADERS[kind] = _make_loader(kind)
    return known


def _make_loader(kind: type) -> _Convert:
    hints = typing.get_type_hints(kind)
    plan = [(name, _load(hints[name])) for name in _field_names(kind)]

    def load(document: Mapping[str, object]) -> object:
        return kind(
            **{
                name: document[name] if convert is None else convert(document[name])
                for name, convert in plan
                if name in document
            }
        )

    return load


def _field_names(kind: type) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def _optional(hint: Any) -> Any | None:
    """Return X of ``X | None``, None for any other type."""
    if typing.get_origin(hint) in {types.UnionType, typing.Union}:
        inner = [arg for arg in typing.get_args(hint) if arg is not types.NoneType]
        if len(inner) == 1:
            return inner[0]
        raise TypeError(f"no conversion for {hint}")
    return None


def _one_kind(hint: Any) -> Any | None:
    """Return X of ``tuple[X, ...]``, None for a tuple of as many as it names."""
    arguments = typing.get_args(hint)
    return arguments[0] if len(arguments) == 2 and arguments[1] is ... else None


def _dump(hint: Any) -> _Convert | None:
    """Return how a field of that type becomes JSON; None when it is JSON already."""
    inner = _optional(hint)
    if inner is not None:
        return _unless_none(_dump(inner))
    origin = typing.get_origin(hint) or hint
    if origin is tuple:
        return _dump_tuple(hint)
    if isinstance(origin, type) and dataclasses.is_dataclass(origin):
        return _dumper(origin)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return dict
    return _DUMP.get(origin)


def _dump_tuple(hint: Any) -> _Convert | None:
    kind = _one_kind(hint)
    if kind is not None:
        item = _dump(kind)
        return None if item is None else lambda values: [item(value) for value in values]
    items = [_dump(argument) for argument in typing.get_args(hint)]
    if not any(items):
        return None
    return lambda values: [
        value if convert is None else convert(value)
        for convert, value in zip(items, values, strict=True)
    ]


def _load(hint: Any) -> _Convert | None:
    """Return how a field of that type is made from JSON; None when it is JSON itself."""
    inner = _optional(hint)
    if inner is not None:
        return _unless_none(_load(inner))
    origin = typing.get_origin(hint) or hint
    if origin is tuple:
        return _load_tuple(hint)
    if isinstance(origin, type) and dataclasses.is_dataclass(origin):
        return _loader(origin)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return lambda value: types.MappingProxyType(dict(value))
    if isinstance(origin, type) and issubclass(origin, Enum):
        return origin
    return _LOAD.get(origin)


def _load_tuple(hint: Any) -> _Convert:
    kind = _one_kind(hint)
    if kind is not None:
        item = _load(kind)
        return tuple if item is None else lambda values: tuple(item(value) for value in values)
    items = [_load(argument) or _as_it_is for argument in typing.get_args(hint)]
    return lambda values: tuple(
        convert(value) for convert, value in zip(items, values, strict=True)
    )


def _as_it_is(value: Any) -> Any:
    return value


def _unless_none(convert: _Convert | None) -> _Convert | None:
    if convert is None:
        return None
    return lambda value: None if value is None else convert(value)


def utc_text(value: datetime) -> str:
    """Return an aware time as ISO 8601 text in UTC, which sorts as text; ValueError for others."""
    if value.tzinfo is None:
        raise ValueError(f"a time without a zone: {value}")
    return (value if value.tzinfo is UTC else value.astimezone(UTC)).isoformat()


_DUMP: dict[Any, _Convert] = {
    datetime: utc_text,
    timedelta: timedelta.total_seconds,
    frozenset: sorted,
}
_LOAD: dict[Any, _Convert] = {
    datetime: datetime.fromisoformat,
    timedelta: lambda seconds: timedelta(seconds=seconds),
    frozenset: frozenset,
}
