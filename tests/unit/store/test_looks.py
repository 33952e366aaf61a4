from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hopper.dispatch.changes import Changes
from hopper.model.run import Run
from hopper.model.states import JobState
from hopper.store import documents, follow, retention
from hopper.store.documents import DocumentFile, stream_documents, write_documents
from hopper.store.errors import StoreDamaged
from hopper.store.state import StateStore
from tests.unit.store.samples import T0, ended, make_event, make_job, make_worker


def test_a_look_tells_which_values_changed(folder: Path) -> None:
    with StateStore.open(folder) as store:
        reader = StateStore.open(folder, readonly=True)
        jobs = tuple(make_job(f"j{number}-000000") for number in range(12))
        run = Run(id="r1", workflow="w", backend="b", created_at=T0)
        store.commit(Changes(jobs=jobs, runs=(run,), workers=(make_worker(),)))
        found = reader.look()
        assert found["jobs"] == [job.id for job in jobs]
        assert (found["runs"], found["workers"]) == (["r1"], ["box-1"])
        assert reader.look() == {}
        store.commit(Changes(jobs=(replace(jobs[3], held=True),), forgotten_jobs=("j5-000000",)))
        assert reader.look() == {"jobs": ["j3-000000", "j5-000000"]}
        assert reader.raw_of("jobs", "j5-000000") is None
        raw = reader.raw_of("jobs", "j3-000000")
        assert raw is not None
        assert b'"held":true' in raw
        assert len(list(reader.raw_jobs())) == 11
        assert not list(reader.raw_externals())
        assert store.look() == {}
        reader.close()


@pytest.mark.parametrize("folds", [False, True])
def test_a_reader_knows_the_newest_event_that_it_has_seen(folder: Path, folds: bool) -> None:
    with StateStore.open(folder) as store:
        store.commit(Changes(events=(make_event(1), make_event(2))))
        reader = StateStore.open(folder, readonly=True)
        assert reader.seen_seq == store.seen_seq == 2
        store.commit(Changes(jobs=(make_job(),), events=(make_event(3),)))
        assert reader.seen_seq == 2
        if folds:
            store.compact()
        reader.look()
        assert reader.seen_seq == 3
        reader.close()


def test_a_reader_that_stays_keeps_few_decoded_jobs(folder: Path) -> None:
    with StateStore.open(folder) as store:
        store.commit(Changes(jobs=tuple(make_job(f"j{n}-000000") for n in range(10))))
        reader = StateStore.open(folder, readonly=True, keep=4)
        assert dict(reader.jobs) == dict(store.jobs)
        first = reader.jobs["j0-000000"]
        assert reader.jobs["j0-000000"] is first
        for number in range(1, 9):
            assert reader.jobs[f"j{number}-000000"].id
        assert reader.jobs["j0-000000"] is not first
        reader.close()


def test_after_a_look_that_failed_nothing_is_missing(folder: Path) -> None:
    with StateStore.open(folder) as store:
        store.commit(Changes(jobs=(make_job("a-000000"), make_job("b-000000"))))
        reader = StateStore.open(folder, readonly=True)
        store.commit(Changes(forgotten_jobs=("a-000000",)))
        store.commit(Changes(jobs=(make_job("c-000000"),)))
        path = follow.segment_path(folder, follow.segment_generations(folder)[-1])
        good = path.read_bytes()
        path.write_bytes(good[:-20] + b"#" + good[-19:])
        for _ in range(2):
            with pytest.raises(StoreDamaged):
                reader.look()
            # What could be read is shown as a whole: no key without its value.
            assert [job.id for job in reader.jobs.values()] == ["b-000000"]
        path.write_bytes(good)
        assert "c-000000" in reader.look()["jobs"]
        assert dict(reader.jobs) == dict(store.jobs)
        reader.close()


def test_a_large_file_is_read_a_document_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    tables = {"none": {}, "jobs": {1: b'{"id":"a\\":{"}', 7: b'{"id":"b"}'}, "x": {2: b"{}"}}
    write_documents(path, DocumentFile(facts={"schema": 1}, tables=tables))
    assert documents.read_documents(path, way_out="") == DocumentFile(
        facts={"schema": 1}, tables=tables
    )
    expected = [(name, *item) for name, table in tables.items() for item in table.items()]
    assert list(stream_documents(path, way_out="")) == expected
    path.write_bytes(path.read_bytes().replace(b'"b"', b'"c"'))
    found = stream_documents(path, way_out="")
    assert len([next(found) for _ in expected]) == len(expected)
    with pytest.raises(StoreDamaged, match="checksum"):
        next(found)


def test_a_file_edited_on_purpose_is_read_as_well(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text('{"_store":{"1":{"checksum":"edited"}},\n"jobs": {"3": {"id": "a"}}}')
    assert list(stream_documents(path, way_out="")) == [("jobs", 3, b'{"id":"a"}')]


def test_a_month_is_read_a_job_at_a_time(folder: Path) -> None:
    jobs = [ended(f"j{number}-000000", T0) for number in range(3)]
    retention.archive(folder, jobs, [Run(id="r1", workflow="w", backend="b", created_at=T0)])
    (path,) = retention.history_files(folder)
    assert dict(retention.stream(path)) == retention.load(path)
    assert len(list(retention.stream(path))) == 3
    assert all(job.state is JobState.COMPLETED for job in jobs)
    path.write_bytes(path.read_bytes().replace(b'"schema":', b'"schemo":', 1))
    with pytest.raises(StoreDamaged):
        list(retention.stream(path))
