"""Login nodes' answers: what is told is read, what is garbled is an error and concludes nothing."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.errors import TransportError
from hopper.model.batch import Said, SideSighting, Submitted
from hopper.remote import batch_reading as reading

LOGIN = ("login", "1700000000", "2048", "/home/ada/.hopper")
SIDE = ("side", "a1", "17.pbs", "1700000000", "0", "1700000009", "5", "6", "1", "n1", "cancelled")
LOG = ("file", "a1", "log", "/x/a1.log", "3", "none", "1")


def test_all_that_is_told_is_read() -> None:
    found = reading.read(
        (
            LOGIN,
            ("submission", "a1", "now", "0", "5", "0"),
            ("submitted", "a5", "again", "4712"),
            SIDE,
            ("grown", "a1", "err", "17"),
            LOG,
            ("file", "a1", "tar", "/x/results.tar", "999", "none", "0"),
            ("collected", "a1"),
            ("answer", "jobs", "", "1", "0", "2"),
            ("cancelled", "a2", "", "0", "0", "0"),
            ("withdrawn", "a3"),
            ("cleaned", "a4"),
            ("trouble", "", " why\n"),
            ("log", "a1", "9", "4", "2"),
        )
    )
    raw = reading.take_apart(found, b"4711\nlogno" + b"ab" + b"what the shell prints at its end")
    assert (found.clock, found.free_bytes, found.work) == (1.7e9, 2048 * 1024, LOGIN[3])
    [one, submitted] = raw.submitted
    assert (one.attempt, one.verdict, one.said.stdout) == ("a5", Submitted.AGAIN, "4712\n")
    assert (submitted.attempt, submitted.verdict) == ("a1", Submitted.NOW)
    assert submitted.said == Said(code=0, stdout="4711\n", stderr="")
    assert raw.answers == (("jobs", Said(code=1, stdout="", stderr="no")),)
    assert raw.cancelled == (("a2", Said(code=0, stdout="", stderr="")),)
    assert raw.files == {"/x/a1.log": b"log"}
    assert raw.log is not None
    assert (raw.log.size, raw.log.offset, raw.log.text) == (9, 4, "ab")
    assert found.sides == [
        SideSighting(
            attempt="a1",
            native="17.pbs",
            started_at=1.7e9,
            exit_code=0,
            ended_at=1.7e9 + 9,
            out_bytes=5,
            err_bytes=17,
            alive=True,
            node="n1",
            how="cancelled",
        )
    ]
    assert (found.withdrawn, found.cleaned, found.troubles) == (["a3"], ["a4"], [("", "why")])
    assert [offer.kind for offer in reading.offered(found, "a1")] == ["log", "tar"]
    assert found.offered_whole == ["a1"]


@pytest.mark.parametrize(
    "record",
    [
        ("unheard of",),
        LOGIN[:3],
        (*LOGIN[:1], "soon", *LOGIN[2:]),
        (*LOGIN[:1], "nan", *LOGIN[2:]),
        ("submission", "a1", "maybe", "0", "5", "0"),
        ("submission", "a1", "now", "", "5", "0"),
        ("answer", "jobs", "", "0", "-5", "0"),
        SIDE[:-1],
        (*SIDE[:3], "9" * 40, *SIDE[4:]),
        (*SIDE[:4], "oops", *SIDE[5:]),
        (*LOG[:2], "unheard of", *LOG[3:]),
        (*LOG[:3], "..", *LOG[4:]),
        ("log", "a1", "9", "4", "-1"),
        ("withdrawn",),
        ("grown", "a1", "log", "1"),
        ("submitted", "a1", "maybe", "1"),
        ("cleaned", "a1", "a2"),
    ],
)
def test_a_record_that_is_not_of_its_form_is_an_error(record: tuple[str, ...]) -> None:
    with pytest.raises(TransportError):
        reading.read((LOGIN, record))


@pytest.mark.parametrize(
    "record", [("answer", "q", "", "0", "3", "3"), LOG, ("log", "a1", "9", "0", "6")]
)
def test_an_answer_with_too_few_bytes_is_an_error(record: tuple[str, ...]) -> None:
    found = reading.read((record,))
    reading.take_apart(found, b"123456")
    with pytest.raises(TransportError, match="broke off"):
        reading.take_apart(found, b"12")


NUMBERS = st.one_of(
    st.integers(-5, 50).map(str), st.sampled_from(["", " ", "1e999", "nan", "٣", "0x1", "1" * 5000])
)
WORDS = st.one_of(
    NUMBERS,
    st.sampled_from(["now", "again", "log", "tar", "/x/a.tar", "..", "1", "\udcff"]),
    st.text(max_size=8),
)
KINDS = st.sampled_from(
    [
        *("login", "submission", "answer", "cancelled", "withdrawn", "cleaned"),
        *("side", "file", "collected", "trouble", "log"),
    ]
)
RECORDS = st.lists(
    st.one_of(
        st.tuples(KINDS).flatmap(
            lambda kind: st.lists(WORDS, max_size=11).map(lambda words: (*kind, *words))
        ),
        st.tuples(st.text(max_size=5)),
    ),
    max_size=4,
)


@given(records=RECORDS, raw=st.binary(max_size=60))
def test_whatever_comes_is_read_or_a_transport_error(
    records: list[tuple[str, ...]], raw: bytes
) -> None:
    with contextlib.suppress(TransportError):
        reading.take_apart(reading.read(tuple(records)), raw)
