from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hopper.model.event import Event
from hopper.model.job import Job, JobSpec
from hopper.model.worker import WorkerRecord
from hopper.store.codec import decode_object
from hopper.store.errors import StoreError, Unencodable
from hopper.store.values import from_bytes, from_json, to_bytes, to_json, utc_text
from tests.unit.store.samples import T0, make_job

pytestmark = pytest.mark.usefixtures("json_library")


_TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.just("t\u00e4glich \udcfe.zip")
_PLAIN: dict[object, st.SearchStrategy[object]] = {
    str: _TEXT,
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    object: st.none() | st.integers(0, 9) | _TEXT | st.lists(_TEXT),
    type(None): st.none(),
    datetime: st.datetimes(timezones=st.just(UTC)),
    timedelta: st.timedeltas(timedelta(0), timedelta(days=365)),
}


def anything(hint: Any) -> st.SearchStrategy[Any]:
    """Values of any type that a field of the model has, every field of them filled."""
    origin, inner = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin in {types.UnionType, typing.Union}:
        return st.one_of([anything(arg) for arg in inner])
    if origin is tuple:
        return st.lists(anything(inner[0]), max_size=2).map(tuple)
    if origin is frozenset:
        return st.frozensets(anything(inner[0]), max_size=3)
    if issubclass(origin, Mapping):
        return st.dictionaries(anything(inner[0]), anything(inner[1]), max_size=2)
    return _any_of_class(origin)


def _any_of_class(kind: type) -> st.SearchStrategy[Any]:
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        fields = [field.name for field in dataclasses.fields(kind)]
        make: Callable[..., Any] = kind
        return st.builds(make, **{name: anything(hints[name]) for name in fields})
    return _PLAIN[kind]


@pytest.mark.parametrize("kind", [Job, WorkerRecord, Event])
@settings(max_examples=25)
@given(data=st.data())
def test_every_field_comes_back(kind: type, data: st.DataObject) -> None:
    value = data.draw(anything(kind))
    assert from_bytes(kind, to_bytes(value)) == value


def test_a_field_that_older_documents_lack_takes_its_default() -> None:
    document = to_json(make_job())
    del document["reason"], document["attempts"]
    assert from_json(Job, document) == make_job()


def test_a_field_that_we_do_not_know_is_passed_over() -> None:
    assert from_json(Job, {**to_json(make_job()), "later": 1}) == make_job()


@pytest.mark.parametrize(
    "wrong", [{"state": "asleep"}, {"submitted_at": "yesterday"}, {"attempts": [3]}, {"spec": None}]
)
def test_a_document_that_does_not_fit_names_the_job(wrong: dict[str, object]) -> None:
    with pytest.raises(StoreError, match="train-abc123"):
        from_json(Job, {**decode_object(to_bytes(make_job())), **wrong})


def test_a_missing_field_without_default_is_an_error() -> None:
    with pytest.raises(StoreError, match="Job"):
        from_json(Job, {"id": "x"})


def test_values_read_cannot_be_changed() -> None:
    spec = from_bytes(JobSpec, to_bytes(JobSpec(name="a", env={"K": "v"})))
    with pytest.raises(TypeError):
        spec.env["K"] = "w"  # type: ignore[index]


def test_times_sort_as_text_whatever_their_zone() -> None:
    times = [T0 + timedelta(seconds=n / 4) for n in range(9)] + [
        datetime(2026, 3, 1, 15, tzinfo=timezone(timedelta(hours=2))),
        datetime(2026, 3, 1, 12, tzinfo=UTC),
    ]
    assert [utc_text(t) for t in sorted(times)] == sorted(utc_text(t) for t in times)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(Unencodable):
        utc_text(T0.replace(tzinfo=None))
