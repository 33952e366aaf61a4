from __future__ import annotations

import errno
import logging
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hopper.store import schema
from hopper.store.appendfile import complete_lines
from hopper.store.change import Change
from hopper.store.codec import checked_line, decode, encode
from hopper.store.errors import StoreDamaged, StoreError, StoreFull, StoreTooNew
from hopper.store.follow import Follower
from hopper.store.journal import Journal

pytestmark = pytest.mark.usefixtures("json_library")


def put(number: int, table: str = "jobs", doc_id: int = 1) -> Change:
    return Change(put={table: {doc_id: encode({"n": number})}})


def value(tables: dict[str, dict[int, bytes]], doc_id: int = 1, table: str = "jobs") -> object:
    content = decode(tables[table][doc_id])
    assert isinstance(content, dict)
    return content["n"]


def crashed(folder: Path, *, commits: int) -> Path:
    """Leave a store as a crash leaves it, and return its newest segment."""
    journal = Journal.open(folder)
    for number in range(commits):
        journal.commit(put(number))
    journal.abandon()
    return max(folder.glob("*.log"), key=lambda path: int(path.name.split(".")[2]))


def test_what_is_committed_is_there_after_a_crash(folder: Path) -> None:
    crashed(folder, commits=3)
    journal = Journal.open(folder)
    assert value(journal.tables) == 2
    assert journal.commits == 3
    journal.close()


def test_several_tables_change_at_once(folder: Path) -> None:
    journal = Journal.open(folder)
    journal.commit(Change(put={"jobs": {1: b"{}"}, "na me": {7: b'{"n":1}'}}))
    journal.commit(Change(put={"jobs": {2: b"{}"}}, drop={"na me": [7], "gone": [1]}))
    journal.abandon()
    reader = Follower(folder)
    reader.load()
    assert reader.tables == {"jobs": {1: b"{}", 2: b"{}"}, "na me": {}}
    reader.close()


def test_a_restart_never_appends_to_an_old_segment(folder: Path) -> None:
    first = crashed(folder, commits=2)
    size = first.stat().st_size
    second = crashed(folder, commits=2)
    assert second != first
    assert first.stat().st_size == size


def test_nothing_is_written_for_an_empty_change(folder: Path) -> None:
    journal = Journal.open(folder)
    journal.commit(Change.of(put={"jobs": {}}, drop={"jobs": []}))
    assert journal.commits == 0
    journal.close()


def test_close_folds_and_leaves_no_old_segment(folder: Path) -> None:
    crashed(folder, commits=3)
    journal = Journal.open(folder)
    journal.commit(put(9))
    assert journal.unfolded
    journal.close()
    (segment,) = folder.glob("*.log")
    assert segment.stat().st_size == 0
    journal = Journal.open(folder)
    assert value(journal.tables) == 9
    assert not journal.unfolded
    journal.close()


def test_files_are_private(folder: Path) -> None:
    Journal.open(folder).close()
    crashed(folder, commits=1)
    assert folder.stat().st_mode & 0o777 == 0o700
    for path in folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_reader_follows_through_commits_and_folds(folder: Path) -> None:
    journal = Journal.open(folder)
    journal.commit(put(0))
    reader = Follower(folder)
    reader.load()
    assert value(reader.tables) == 0
    for number in range(1, 40):
        journal.commit(put(number))
        if number % 3 == 0:
            journal.fold()
        if number % 7 == 0:
            journal.fold()
        if number % 5 == 0:
            assert ("jobs", 1) in reader.refresh()
            assert value(reader.tables) == number
    assert reader.refresh() == {("jobs", 1)}
    assert reader.refresh() == set()
    journal.close()
    assert reader.refresh() == set()
    reader.close()


def test_a_reader_learns_what_changed_while_it_had_to_reload(folder: Path) -> None:
    journal = Journal.open(folder)
    journal.commit(Change(put={"jobs": {n: encode({"n": n}) for n in range(5)}}))
    reader = Follower(folder)
    reader.load()
    journal.commit(put(10, doc_id=1))  # seen in the old segment
    journal.fold()
    journal.commit(Change(put={"jobs": {2: b'{"n":20}'}}, drop={"jobs": [3]}))
    journal.fold()
    assert reader.refresh() == {("jobs", 1), ("jobs", 2), ("jobs", 3)}
    assert reader.tables == journal.tables
    journal.close()
    reader.close()


def test_a_reader_misses_no_commit_that_comes_while_it_reads(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal.open(folder)
    journal.commit(put(1))
    reader = Follower(folder)
    reader.load()

    def lines_then_a_commit_and_a_fold(descriptor: int, offset: int) -> Iterator[tuple[bytes, int]]:
        yield from complete_lines(descriptor, offset)
        if journal.commits == 1:
            journal.commit(put(2))  # at the end of the segment that was just read to its end
            journal.fold()
            journal.commit(put(3, doc_id=3))

    monkeypatch.setattr("hopper.store.follow.complete_lines", lines_then_a_commit_and_a_fold)
    for _ in range(2):
        reader.refresh()
    assert reader.tables == journal.tables
    reader.close()
    journal.close()


def test_a_reader_that_came_before_the_store_sees_it_appear(folder: Path) -> None:
    reader = Follower(folder)
    reader.load()
    assert reader.refresh() == set()
    crashed(folder, commits=1)
    assert reader.refresh() == {("jobs", 1)}
    reader.close()


def test_a_reader_does_not_take_half_a_line(folder: Path) -> None:
    segment = crashed(folder, commits=1)
    reader = Follower(folder)
    reader.load()
    line = checked_line(put(7).render(2))
    with segment.open("ab") as file:
        for position in range(len(line)):
            assert reader.refresh() == set()
            file.write(line[position : position + 1])
            file.flush()
    assert reader.refresh() == {("jobs", 1)}
    assert value(reader.tables) == 7
    reader.close()


# ---------------------------------------------------------------- torn and damaged


@pytest.mark.parametrize("torn", [b"0", b'12345678 {"n":3,"put":{"jobs', b"\0" * 700, b"\0\0\n"])
def test_a_torn_last_line_is_dropped_with_a_warning(
    folder: Path, torn: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    segment = crashed(folder, commits=2)
    with segment.open("ab") as file:
        file.write(torn)
    with caplog.at_level(logging.WARNING):
        journal = Journal.open(folder)
    assert value(journal.tables) == 1
    assert f"{segment}, line 3" in caplog.text
    assert f"{segment}, line 3" in journal.warnings[0]
    journal.commit(put(5))
    journal.abandon()
    journal = Journal.open(folder)  # the torn line is in the middle of the journal now
    assert value(journal.tables) == 5
    journal.close()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: line.replace(b'"n":', b'"m":', 1),
        lambda _line: b"",
        lambda line: line + b"\n" + line,
        lambda _line: b"no checksum",
        lambda _line: checked_line(b"[]")[:-1],
        lambda _line: checked_line(b'{"n":"x"}')[:-1],
    ],
)
@pytest.mark.parametrize("line_number", [1, 3, 5])
def test_other_damage_stops_with_file_line_and_way_back(
    folder: Path, spoil: object, line_number: int
) -> None:
    assert callable(spoil)
    segment = crashed(folder, commits=5)
    lines = segment.read_bytes().split(b"\n")
    good = b"".join(line + b"\n" for line in lines[: line_number - 1])
    lines[line_number - 1] = spoil(lines[line_number - 1])
    segment.write_bytes(b"\n".join(lines))
    for _ in range(2):
        with pytest.raises(StoreDamaged, match=f"{segment}, line") as caught:
            Journal.open(folder)
    assert caught.value.line in {line_number, line_number + 1}
    reader = Follower(folder)
    with pytest.raises(StoreDamaged):
        reader.load()
    reader.close()
    # The way back that the message tells.
    assert f"head -n {caught.value.line - 1} {segment}" in str(caught.value)
    segment.write_bytes(good)
    journal = Journal.open(folder)
    assert journal.commits == line_number - 1
    journal.close()


def test_a_lost_line_in_the_middle_is_damage(folder: Path) -> None:
    segment = crashed(folder, commits=5)
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join(lines[:2] + lines[3:]))
    with pytest.raises(StoreDamaged, match="line 3: commit 4 follows commit 2"):
        Journal.open(folder)


def test_a_damaged_snapshot_can_be_replaced_by_the_one_before(folder: Path) -> None:
    journal = Journal.open(folder)
    journal.commit(put(1))
    journal.fold()
    journal.commit(put(2))
    journal.fold()
    journal.commit(put(3))
    journal.abandon()
    snapshot = folder / "jobs.json"
    raw = bytearray(snapshot.read_bytes())
    raw[raw.index(b'"n":2') + 4] = ord("8")
    snapshot.write_bytes(raw)
    with pytest.raises(StoreDamaged) as caught:
        Journal.open(folder)
    assert caught.value.file == snapshot
    remedy = str(caught.value.way_out).split("loses nothing: ", 1)[1]
    subprocess.run(["sh", "-c", remedy], check=True)
    journal = Journal.open(folder)
    assert (value(journal.tables), journal.commits) == (3, 3)
    journal.close()


def test_a_missing_snapshot_is_not_an_empty_store(folder: Path) -> None:
    journal = Journal.open(folder)
    journal.commit(put(1))
    journal.close()
    (folder / "jobs.json").unlink()
    with pytest.raises(StoreDamaged, match="missing"):
        Journal.open(folder)


def test_a_missing_segment_is_damage(folder: Path) -> None:
    crashed(folder, commits=2)
    middle = crashed(folder, commits=2)
    crashed(folder, commits=2)
    middle.unlink()
    with pytest.raises(StoreDamaged, match=middle.name):
        Journal.open(folder)
    (folder / "jobs.json.1.log").unlink()
    with pytest.raises(StoreDamaged, match=r"jobs\.json\.1\.log.*touch"):
        Journal.open(folder)


# ---------------------------------------------------------------- full disks


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Let the kernel refuse to grow files beyond that size: short writes, then EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", range(0, 60, 7))
def test_a_full_disk_keeps_memory_and_file_as_they_were(folder: Path, room: int) -> None:
    journal = Journal.open(folder)
    journal.commit(put(1))
    segment = folder / "jobs.json.2.log"
    before = segment.read_bytes()
    reader = Follower(folder)
    reader.load()
    with files_no_larger_than(len(before) + room):
        for _ in range(2):
            with pytest.raises(StoreFull, match="make room"):
                journal.commit(Change(put={"jobs": {1: encode({"n": "x" * 500})}}))
    assert segment.read_bytes() == before
    assert value(journal.tables) == 1
    assert reader.refresh() == set()
    journal.commit(put(2))
    assert reader.refresh() == {("jobs", 1)}
    journal.abandon()
    journal = Journal.open(folder)
    assert (value(journal.tables), journal.commits) == (2, 2)
    journal.close()
    reader.close()


def test_a_fold_on_a_full_disk_fails_and_commits_go_on(folder: Path) -> None:
    journal = Journal.open(folder)
    journal.commit(Change(put={"jobs": {n: encode({"n": n}) for n in range(100)}}))
    with files_no_larger_than(1000):
        for _ in range(5):
            with pytest.raises(StoreFull):
                journal.fold()
        journal.commit(put(7))
    assert len(list(folder.glob("*.log"))) == 3  # not one more for each try
    assert list(folder.glob(".*")) == []
    journal.fold()
    journal.commit(put(8))
    journal.abandon()
    journal = Journal.open(folder)
    assert value(journal.tables) == 8
    assert len(journal.tables["jobs"]) == 100
    journal.close()


def test_a_value_that_is_no_json_poisons_nothing(folder: Path) -> None:
    journal = Journal.open(folder)
    with pytest.raises(StoreError, match="not a JSON value"):
        journal.commit(Change(put={"jobs": {1: encode({"n": object()})}}))
    journal.commit(put(1))
    journal.close()


def test_a_failed_sync_moves_on_to_another_segment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal.open(folder)
    journal.commit(put(1))

    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        with pytest.raises(StoreError, match="Input/output"):
            journal.commit(put(2))
    assert value(journal.tables) == 1
    journal.commit(put(3))
    assert (folder / "jobs.json.3.log").stat().st_size > 0
    journal.abandon()
    journal = Journal.open(folder)
    assert (value(journal.tables), journal.commits) == (3, 2)
    journal.close()


def test_a_segment_that_could_not_be_begun_is_not_in_the_way(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal.open(folder)

    def fail(_folder: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("hopper.store.appendfile.sync_folder", fail)
        with pytest.raises(StoreError, match="Input/output"):
            journal.commit(put(1))
    journal.commit(put(2))
    journal.close()


def test_when_even_the_repair_fails_nothing_more_is_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal.open(folder)
    journal.commit(put(1))

    def fail(*_arguments: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fail)
        patch.setattr(os, "ftruncate", fail)
        with pytest.raises(StoreError, match="Input/output"):
            journal.commit(put(2))
    with pytest.raises(StoreError, match="start it again"):
        journal.commit(put(3))
    journal.abandon()


# ---------------------------------------------------------------- schema


def test_a_newer_store_is_refused_and_left_alone(folder: Path) -> None:
    Journal.open(folder).close()
    from hopper.store.documents import DocumentFile, write_documents

    facts = {"schema": schema.SCHEMA + 1, "generation": 1, "commits": 0, "seq": 0}
    write_documents(folder / "jobs.json", DocumentFile(facts=facts))
    before = (folder / "jobs.json").read_bytes()
    with pytest.raises(StoreTooNew, match="upgrade hopper"):
        Journal.open(folder)
    assert (folder / "jobs.json").read_bytes() == before


def test_an_older_store_is_backed_up_and_brought_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal.open(folder)
    journal.commit(put(1, doc_id=1))
    journal.fold()
    journal.commit(put(2, doc_id=2))  # in the journal only
    journal.abandon()
    originals = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

    def step(table: str, document: dict[str, object]) -> dict[str, object]:
        assert table == "jobs"
        return {**document, "n": f"new {document['n']}"}

    monkeypatch.setattr(schema, "SCHEMA", schema.SCHEMA + 1)
    monkeypatch.setattr("hopper.store.journal.SCHEMA", schema.SCHEMA)
    monkeypatch.setattr(schema, "STEPS", {schema.SCHEMA - 1: step})
    reader = Follower(folder)
    reader.load()  # a reader brings it up in memory only
    assert (value(reader.tables, 1), value(reader.tables, 2)) == ("new 1", "new 2")
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()} == originals
    for _ in range(2):
        journal = Journal.open(folder)
        assert (value(journal.tables, 1), value(journal.tables, 2)) == ("new 1", "new 2")
        journal.close()
    (backup,) = folder.glob("backup-schema-1-*")
    copies = {path.name: path.read_bytes() for path in backup.iterdir()}
    assert copies == {name: raw for name, raw in originals.items() if name.startswith("jobs.json")}
    assert reader.refresh() == set()
    reader.close()
