from __future__ import annotations

import logging
import os
import resource
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tinydb import TinyDB

from hopper.dispatch.changes import Changes
from hopper.store.check import check
from hopper.store.errors import StoreDamaged, StoreError
from hopper.store.journal import Limits
from hopper.store.state import StateStore
from tests.unit.store.samples import T0, make_event

pytestmark = pytest.mark.usefixtures("json_library")

SMALL = Limits(segment_events=10)


def open_small(folder: Path) -> StateStore:
    return StateStore.open(folder, limits=SMALL)


def record(store: StateStore, *numbers: int, job: str | None = "train-abc123") -> None:
    store.commit(Changes(events=tuple(make_event(number, job=job) for number in numbers)))


def numbers(store: StateStore, **filters: object) -> list[object]:
    return [event.data["n"] for event in store.events(**filters)]  # type: ignore[arg-type]


def crash(store: StateStore) -> None:
    """Leave everything as kill -9 would, but for the lock."""
    store._source.abandon()  # type: ignore[union-attr]
    assert store._lock is not None
    store._lock.release()


def newest_log(folder: Path) -> Path:
    return max((folder / "events").glob("*.log"))


def test_events_are_numbered_in_order(folder: Path) -> None:
    with open_small(folder) as store:
        record(store, 1, 2)
        record(store, 3)
        events = list(store.events())
        assert [event.seq for event in events] == [1, 2, 3]
        assert events[0] == replace(make_event(1), seq=1)
        assert store.last_seq == 3


def test_they_are_found_by_job_time_and_number(folder: Path) -> None:
    with open_small(folder) as store:
        for number in range(35):
            record(store, number, job=f"j{number % 3}-000000")
        store.maintain(T0)
        assert len(list((folder / "events").glob("*.json"))) == 3
        assert numbers(store) == list(range(35))
        assert numbers(store, job="j1-000000") == list(range(1, 35, 3))
        assert numbers(store, job="j1") == []
        assert numbers(store, after=31) == [31, 32, 33, 34]
        assert numbers(store, after=35) == []
        assert numbers(store, since=T0 + timedelta(seconds=33)) == [33, 34]
        assert numbers(store, since=T0 + timedelta(seconds=7), limit=2) == [7, 8]
        assert numbers(store, job="j0-000000", after=20, since=T0 + timedelta(seconds=25)) == [
            27,
            30,
            33,
        ]


def test_a_reader_sees_them_at_once_and_can_tail(folder: Path) -> None:
    with open_small(folder) as store:
        reader = StateStore.open(folder, readonly=True)
        assert reader.last_seq == 0
        seen = 0
        for number in range(25):
            record(store, number)
            assert reader.last_seq == number + 1
            (event,) = reader.events(after=seen)
            seen = event.seq
            if number % 6 == 0:
                store.maintain(T0)
        assert seen == 25
        reader.close()


def test_sealing_while_somebody_reads_loses_and_repeats_nothing(folder: Path) -> None:
    with open_small(folder) as store:
        record(store, *range(45))
        found = store.events()
        head = [next(found).data["n"] for _ in range(3)]
        assert store.maintain(T0).sealed == 4
        assert head + [event.data["n"] for event in found] == list(range(45))


def test_a_closed_segment_is_a_tinydb_file(folder: Path) -> None:
    with open_small(folder) as store:
        record(store, *range(25))
        store.maintain(T0)
    (first, second) = sorted((folder / "events").glob("*.json"))
    assert first.name == "000000000001-000000000010.json"
    with TinyDB(second) as plain:
        document = plain.table("events").get(doc_id=11)
        assert document is not None
        assert document["seq"] == 11
        assert len(plain.table("events")) == 10


def test_a_segment_also_ends_by_size(folder: Path) -> None:
    with StateStore.open(folder, limits=Limits(segment_bytes=1000)) as store:
        for number in range(50):
            record(store, number)
        assert store.maintain(T0).sealed > 3
        assert numbers(store) == list(range(50))


# ---------------------------------------------------------------- recovery


@pytest.mark.parametrize("cut", [1, 5, 200, 100_000])
def test_what_the_log_lost_in_a_crash_comes_from_the_journal(folder: Path, cut: int) -> None:
    store = open_small(folder)
    record(store, *range(17))
    crash(store)
    log = newest_log(folder)
    log.write_bytes(log.read_bytes()[: -min(cut, log.stat().st_size)])
    with open_small(folder) as store:
        assert numbers(store) == list(range(17))
        record(store, 17)
        assert numbers(store) == list(range(18))
    assert check(folder) == []


def test_damage_that_the_journal_can_mend_is_mended(folder: Path) -> None:
    store = open_small(folder)
    record(store, *range(8))
    crash(store)
    log = newest_log(folder)
    raw = bytearray(log.read_bytes())
    raw[len(raw) // 2] ^= 1
    log.write_bytes(raw)
    with open_small(folder) as store:
        assert numbers(store) == list(range(8))


def test_damage_that_the_journal_can_mend_only_in_part_is_damage(folder: Path) -> None:
    store = open_small(folder)
    record(store, *range(5))
    store.compact()  # from here on the journal holds the events after these only
    record(store, *range(5, 8))
    crash(store)
    log = newest_log(folder)
    whole = log.read_bytes()
    log.write_bytes(whole.replace(b'"n":2', b'"n":9'))
    with pytest.raises(StoreDamaged, match=f"{log}, line 3"):
        open_small(folder)
    log.write_bytes(whole.replace(b'"n":6', b'"n":9'))
    with open_small(folder) as store:
        assert numbers(store) == list(range(8))


def test_damage_that_nobody_can_mend_stops_with_the_way_back(folder: Path) -> None:
    with open_small(folder) as store:
        record(store, *range(8))
    log = newest_log(folder)
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:4], lines[4].replace(b"moved", b"mooed"), *lines[5:]]))
    with pytest.raises(StoreDamaged, match=f"{log}, line 5.*head -n 4") as caught:
        open_small(folder)
    assert caught.value.line == 5
    with StateStore.open(folder, readonly=True) as reader, pytest.raises(StoreDamaged):
        list(reader.events())
    log.write_bytes(b"".join(lines[:4]))
    with open_small(folder) as store:
        record(store, 99)
        assert [event.seq for event in store.events()] == [1, 2, 3, 4, 9]  # no number twice
    assert [finding.what for finding in check(folder)] == ["events 5 to 8 are missing"]


def test_deleted_events_are_missed_but_stop_nothing(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_small(folder) as store:
        record(store, *range(25))
    for path in (folder / "events").iterdir():
        path.unlink()
    with caplog.at_level(logging.WARNING), open_small(folder) as store:
        assert "events 1 to 25 are missing" in caplog.text
        record(store, 25)
        assert [event.seq for event in store.events()] == [26]


@pytest.mark.parametrize("spoil", ["value", "json", "cut"])
def test_damage_in_a_sealed_segment_names_it_and_leaves_the_rest(folder: Path, spoil: str) -> None:
    with open_small(folder) as store:
        record(store, *range(25))
        store.maintain(T0)
    sealed = min((folder / "events").glob("*.json"))
    raw = sealed.read_bytes()
    changed = {
        "value": raw.replace(b'"n":5', b'"n":6'),
        "json": raw.replace(b'"n":5}', b'"n":5]'),
        "cut": raw[:-40],
    }[spoil]
    sealed.write_bytes(changed)
    with open_small(folder) as store:
        with pytest.raises(StoreDamaged, match="only the events in it are lost") as caught:
            list(store.events())
        assert caught.value.file == sealed
        assert caught.value.line == {"value": None, "json": 8, "cut": 12}[spoil]
        assert numbers(store, after=10) == list(range(10, 25))
        (finding,) = check(folder)
        assert (finding.file, finding.line) == (sealed, caught.value.line)
        sealed.unlink()
        assert numbers(store) == list(range(10, 25))


def test_events_that_find_no_room_wait_in_the_journal(folder: Path) -> None:
    store = open_small(folder)
    record(store, 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Another table's commits keep the journal segment smaller than the event log here.
    log = newest_log(folder)
    record(store, *range(1, 9))
    store.compact()
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + 10, hard))
    try:
        record(store, 9)
        assert numbers(store) == list(range(9))
        problems = store.maintain(T0).problems
        assert len(problems) == 1
        assert "sealing events" in problems[0]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    record(store, 10)
    assert numbers(store) == list(range(11))
    store.close()
    with open_small(folder) as store:
        assert numbers(store) == list(range(11))


def test_a_failed_sync_of_the_log_does_not_let_the_journal_go(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_small(folder)
    record(store, *range(3))
    fail = True
    real = os.fdatasync

    def fdatasync(descriptor: int) -> None:
        if fail:
            raise OSError(5, "Input/output error")
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    with pytest.raises(StoreError):
        store.compact()
    fail = False
    store.compact()  # what was in doubt is written anew, as a sealed segment
    assert [path.name for path in (folder / "events").iterdir()] == [
        "000000000001-000000000003.json"
    ]
    record(store, 3)
    assert numbers(store) == list(range(4))
    store.close()
