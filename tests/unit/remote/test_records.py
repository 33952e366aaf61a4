"""Whatever bytes a worker sends: an answer, or a TransportError."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.errors import TransportError
from hopper.remote.reading import KIB, Findings, read
from hopper.remote.records import parse

MARK = "HOPPER-0123456789abcdef"
HEAD = f"\n{MARK}\n".encode()

fields = st.text(
    alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30
)
KINDS = (
    *("host", "missing", "zip", "attempt", "external", "external_result", "launched", "refused"),
    *("cancelled", "discarded", "released", "cleaned", "file", "collected", "prepared", "trouble"),
    "log",
)


def encoded(*record: str) -> bytes:
    parts = [str(len(record)), *record]
    return b"".join(part.encode("utf-8", "surrogateescape") + b"\0" for part in parts)


@given(
    banner=st.binary(max_size=50).filter(lambda noise: HEAD not in noise + HEAD[:-1]),
    records=st.lists(st.lists(fields, min_size=1, max_size=8)),
    raw=st.binary(),
)
def test_records_come_through_whatever_is_around(
    banner: bytes, records: list[list[str]], raw: bytes
) -> None:
    records = [record for record in records if record != ["end"]]
    output = banner + HEAD + b"".join(encoded(*r) for r in records) + encoded("end") + raw
    reply = parse(output, MARK)
    assert reply.records == tuple(tuple(record) for record in records)
    assert reply.raw == raw


@given(st.binary())
def test_any_bytes_are_an_answer_or_a_transport_error(output: bytes) -> None:
    for content in (output, HEAD + output):
        with contextlib.suppress(TransportError):
            parse(content, MARK)


@given(records=st.lists(st.lists(fields, min_size=1, max_size=4), max_size=4), data=st.data())
def test_an_answer_cut_anywhere_is_none(records: list[list[str]], data: st.DataObject) -> None:
    whole = HEAD + b"".join(encoded(*r) for r in records if r != ["end"]) + encoded("end")
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(TransportError):
        parse(whole[:cut], MARK)


@pytest.mark.parametrize("count", [b"", b"-1", b"0", b"65", b"x", "٣".encode(), b"9" * 5000, b"01"])
def test_a_wrong_count_is_garbled(count: bytes) -> None:
    with pytest.raises(TransportError):
        parse(HEAD + count + b"\0a\0" + encoded("end"), MARK)


def test_what_was_heard_instead_is_told() -> None:
    with pytest.raises(TransportError, match="This account is currently not available"):
        parse(b"This account is currently not available.\n", MARK)


@given(st.lists(st.tuples(st.sampled_from([*KINDS, "odd"]), st.lists(fields, max_size=10))))
def test_any_records_are_findings_or_a_transport_error(
    records: list[tuple[str, list[str]]],
) -> None:
    with contextlib.suppress(TransportError):
        read(tuple((kind, *rest) for kind, rest in records))


@given(
    st.sampled_from(KINDS),
    st.lists(st.one_of(st.integers().map(str), st.just(""), st.just("nan"), st.just("/a/b"))),
)
def test_numbers_out_of_place_are_a_transport_error_at_worst(kind: str, rest: list[str]) -> None:
    with contextlib.suppress(TransportError):
        findings = read(((kind, *rest),))
        assert all(offer.size >= 0 for offer in findings.offers)


def one(*record: str) -> Findings:
    return read((record,))


def test_a_host_is_read() -> None:
    seen = one("host", "boot", "1700000000", "12", "/in", "/out")
    assert (seen.boot_id, seen.clock, seen.free_bytes) == ("boot", 1.7e9, 12 * KIB)
    assert one("host", "b", "", "", "/in", "/out").free_bytes is None


def test_an_unknown_phase_concludes_nothing() -> None:
    with pytest.raises(TransportError, match="garbled"):
        one("attempt", "a1", "melted", "", "", "", "", "0", "", "")


def test_an_attempt_is_read() -> None:
    fields = ("a1", "ended", "exited", "3", "10", "20", "7", " 11  12 ", "")
    [seen] = one("attempt", *fields).sightings
    assert (seen.phase, seen.exit_code, seen.started_at, seen.ended_at) == ("ended", 3, 10, 20)
    assert (seen.log_bytes, seen.left_behind) == (7, "11  12")
    [new] = one("attempt", "a1", "absent", "", "", "", "", "0", "", "").sightings
    assert (new.exit_code, new.started_at) == (None, None)


@pytest.mark.parametrize(
    "record",
    [
        ("file", "a1", "../x", "/o/a.zip", "1", "none", "1"),
        ("file", "a1", "result", "/", "1", "none", "1"),
        ("file", "a1", "result", "/o/..", "1", "none", "1"),
        ("file", "a1", "result", "/o/a.zip", "-1", "none", "1"),
        ("log", "a1", "-5", "0", "0"),
        ("launched", "a1"),
        ("unheard of",),
    ],
)
def test_what_no_worker_of_ours_says_is_refused(record: tuple[str, ...]) -> None:
    with pytest.raises(TransportError):
        read((record,))
