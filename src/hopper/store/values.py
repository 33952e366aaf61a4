"""Values of the model to JSON documents and back: the one place where that is done.

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

from hopper.store.codec import decode_object, encode
from hopper.store.errors import StoreError, Unencodable

T = TypeVar("T")
_Convert = Callable[[Any], Any]
_DUMPERS: dict[type, _Convert] = {}
_LOADERS: dict[type, _Convert] = {}


def to_bytes(value: object) -> bytes:
    """Return a dataclass value of the model as JSON bytes."""
    return encode(_dumper(type(value))(value))


def to_json(value: object) -> dict[str, object]:
    """Return a dataclass value of the model as a JSON object."""
    return typing.cast("dict[str, object]", _dumper(type(value))(value))


def from_bytes(kind: type[T], raw: bytes) -> T:
    """Return the value of that dataclass that the bytes hold; StoreError when they do not."""
    return from_json(kind, decode_object(raw))


def from_json(kind: type[T], document: Mapping[str, object]) -> T:
    """Return the value of that dataclass that the object holds; StoreError when it does not."""
    try:
        return typing.cast("T", _loader(kind)(document))
    except (TypeError, ValueError, KeyError, AttributeError) as refusal:
        what = document.get("id") or document.get("name") or document.get("seq")
        raise StoreError(
            f"the stored {kind.__name__} {what!r} does not fit this hopper: {refusal}",
            way_out="was it written by another version?",
        ) from refusal


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


def _dump(hint: Any) -> _Convert | None:
    """Return how a field of that type becomes JSON; None when it is JSON already."""
    inner = _optional(hint)
    if inner is not None:
        return _unless_none(_dump(inner))
    origin = typing.get_origin(hint) or hint
    if origin is tuple:
        item = _dump(typing.get_args(hint)[0])
        return None if item is None else lambda values: [item(value) for value in values]
    if isinstance(origin, type) and dataclasses.is_dataclass(origin):
        return _dumper(origin)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return dict
    return _DUMP.get(origin)


def _load(hint: Any) -> _Convert | None:
    """Return how a field of that type is made from JSON; None when it is JSON itself."""
    inner = _optional(hint)
    if inner is not None:
        return _unless_none(_load(inner))
    origin = typing.get_origin(hint) or hint
    if origin is tuple:
        item = _load(typing.get_args(hint)[0])
        return tuple if item is None else lambda values: tuple(item(value) for value in values)
    if isinstance(origin, type) and dataclasses.is_dataclass(origin):
        return _loader(origin)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return lambda value: types.MappingProxyType(dict(value))
    if isinstance(origin, type) and issubclass(origin, Enum):
        return origin
    return _LOAD.get(origin)


def _unless_none(convert: _Convert | None) -> _Convert | None:
    if convert is None:
        return None
    return lambda value: None if value is None else convert(value)


def utc_text(value: datetime) -> str:
    """Return an aware time as ISO 8601 text in UTC, which sorts as text."""
    if value.tzinfo is None:
        raise Unencodable(f"a time without a zone: {value}")
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
