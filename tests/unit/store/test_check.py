"""What a check finds, and the export."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hopper.dispatch.changes import Changes
from hopper.store.check import check, export
from hopper.store.state import StateStore
from tests.unit.store.samples import T0, ended, make_event, make_job, make_worker

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MONTH = timedelta(days=30)


def test_check_finds_nothing_in_a_sound_store(folder: Path) -> None:
    assert check(folder) == []
    with StateStore.open(folder) as store:
        store.commit(Changes(jobs=(make_job(),), workers=(make_worker(),), events=(make_event(),)))
        assert check(folder) == []
    assert check(folder) == []


def test_check_finds_damage_and_torn_ends(folder: Path) -> None:
    store = StateStore.open(folder)
    for number in range(5):
        store.commit(Changes(jobs=(make_job(priority=number),)))
    segment = folder / "jobs.json.2.log"
    with segment.open("ab") as file:
        file.write(b"torn")
    (finding,) = check(folder)
    assert finding.harmless
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join(lines[1:]))
    (finding,) = check(folder)
    assert (finding.file, finding.line, finding.harmless) == (segment, 1, False)
    assert finding.way_out
    segment.unlink()
    (folder / "jobs.json.4.log").touch()
    (finding,) = check(folder)
    assert "segment 2 before it is missing" in finding.what


def test_check_finds_documents_that_do_not_fit(folder: Path) -> None:
    from hopper.store.journal import Journal
    from hopper.store.tables import Database

    database = Database(Journal.open(folder))
    database.table("jobs").insert({"id": "odd-000000", "state": "odd"})
    database.close()
    (finding,) = check(folder)
    assert "odd-000000" in finding.what


def test_export_is_one_json_document(folder: Path) -> None:
    empty = io.StringIO()
    export(folder, empty)
    assert json.loads(empty.getvalue())["jobs"] == []
    with StateStore.open(folder) as store:
        store.commit(
            Changes(
                jobs=(make_job(), ended("old-000000", T0)),
                workers=(make_worker(),),
                settings={"paused": False},
                events=(make_event(1), make_event(2)),
            )
        )
        store.maintain(NOW, keep=MONTH)
        out = io.StringIO()
        export(folder, out)
    document = json.loads(out.getvalue())
    assert [job["id"] for job in document["jobs"]] == ["train-abc123"]
    assert [job["id"] for job in document["history"]] == ["old-000000"]
    assert [worker["name"] for worker in document["workers"]] == ["box-1"]
    assert document["settings"] == [{"key": "paused", "value": False}]
    assert [event["seq"] for event in document["events"]] == [1, 2]
