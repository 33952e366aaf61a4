from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.store import codec
from hopper.store.errors import Unencodable

pytestmark = pytest.mark.usefixtures("json_library")

_text = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF),
    )
)
_json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        _text,
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(_text, inner)),
    max_leaves=20,
)


@given(value=_json_values)
def test_what_is_encoded_comes_back(value: object) -> None:
    raw = codec.encode(value)
    assert codec.decode(raw) == value
    assert b"\n" not in raw
    assert json.loads(raw) == value


def test_libraries_read_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    value = {"plain": "ü 😀", "hostile": "\udc80", "number": [1, 2.5, -(2**63)]}
    raw = codec.encode(value)
    for library in (None, pytest.importorskip("orjson")):
        monkeypatch.setattr(codec, "orjson", library)
        assert codec.decode(raw) == value


def test_nan_becomes_null() -> None:
    assert codec.decode(codec.encode({"a": [math.nan, math.inf, 1.5]})) == {"a": [None, None, 1.5]}


@pytest.mark.parametrize("value", [object(), {"a": {1, 2}}, datetime.now(UTC), b"bytes"])
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(Unencodable):
        codec.encode(value)


def test_a_circle_is_refused() -> None:
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(Unencodable):
        codec.encode(circle)


def test_deep_nesting_is_refused_both_ways() -> None:
    deep: list[object] = []
    for _ in range(200_000):
        deep = [deep]
    with pytest.raises(Unencodable):
        codec.encode(deep)
    with pytest.raises(ValueError, match=r"."):
        codec.decode(b"[" * 200_000)


@given(
    payload=st.binary().filter(lambda raw: b"\n" not in raw),
    position=st.integers(0),
    bit=st.integers(0, 7),
)
def test_every_flipped_bit_of_a_line_is_noticed(payload: bytes, position: int, bit: int) -> None:
    line = codec.checked_line(payload)[:-1]
    assert codec.payload_of(line) == payload
    damaged = bytearray(line)
    damaged[position % len(line)] ^= 1 << bit
    with pytest.raises(ValueError, match="checksum"):
        codec.payload_of(bytes(damaged))


@pytest.mark.parametrize("raw", [b"", b"[1]", b"{", b'"text"'])
def test_only_objects_are_objects(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        codec.decode_object(raw)
