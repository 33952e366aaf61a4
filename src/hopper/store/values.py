"""Values of the model as the store keeps them: the JSON of ``model.wire``, with its own errors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

from hopper.model import wire
from hopper.store.codec import decode_object, encode
from hopper.store.errors import StoreError, Unencodable

T = TypeVar("T")


def to_bytes(value: object) -> bytes:
    """Return a dataclass value of the model as JSON bytes."""
    return encode(to_json(value))


def to_json(value: object) -> dict[str, object]:
    """Return a dataclass value of the model as a JSON object; Unencodable where it is none."""
    try:
        return wire.to_json(value)
    except ValueError as refusal:
        raise Unencodable(str(refusal)) from refusal


def from_bytes(kind: type[T], raw: bytes) -> T:
    """Return the value of that dataclass that the bytes hold; StoreError when they do not."""
    return from_json(kind, decode_object(raw))


def from_json(kind: type[T], document: Mapping[str, object]) -> T:
    """Return the value of that dataclass that the object holds; StoreError when it does not."""
    try:
        return wire.from_json(kind, document)
    except (TypeError, ValueError, KeyError, AttributeError) as refusal:
        what = document.get("id") or document.get("name") or document.get("seq")
        raise StoreError(
            f"the stored {kind.__name__} {what!r} does not fit this hopper: {refusal}",
            way_out="was it written by another version?",
        ) from refusal


def utc_text(value: datetime) -> str:
    """Return an aware time as ISO 8601 text in UTC, which sorts as text."""
    try:
        return wire.utc_text(value)
    except ValueError as refusal:
        raise Unencodable(str(refusal)) from refusal
