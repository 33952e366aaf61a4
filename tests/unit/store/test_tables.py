from __future__ import annotations

import inspect
from collections.abc import Iterator, MutableMapping
from pathlib import Path

import pytest
from tinydb import TinyDB, where
from tinydb.storages import MemoryStorage
from tinydb.table import Document, Table

from hopper.store.errors import Unencodable
from hopper.store.journal import Journal
from hopper.store.tables import Database

pytestmark = pytest.mark.usefixtures("json_library")


@pytest.fixture
def database(folder: Path) -> Iterator[Database]:
    database = Database(Journal.open(folder))
    yield database
    database.close()


def test_tinydb_still_has_the_two_private_methods_that_we_override() -> None:
    # If this fails, TinyDB has changed inside: look at hopper/store/tables.py before lifting the
    # version cap.
    assert list(inspect.signature(Table._update_table).parameters) == ["self", "updater"]
    assert list(inspect.signature(Table._read_table).parameters) == ["self"]
    public = inspect.getsource(Table)
    assert "self._storage.write(" in inspect.getsource(Table._update_table)
    assert public.count("self._storage.write(") == 1
    assert public.count("self._storage.read(") == 2


def _work(database: TinyDB) -> list[object]:
    """Every operation that TinyDB's tables have, and what each returns."""
    table = database.table("jobs")
    seen: list[object] = [
        table.insert({"id": f"j{n}", "n": n, "deep": {"l": [n]}}) for n in range(5)
    ]
    seen.append(table.insert_multiple([{"id": "m1", "n": 1}, {"id": "m2", "n": 9}]))
    seen.append(table.insert(Document({"id": "own", "n": 3}, doc_id=40)))
    seen.append(table.update({"state": "on"}, where("n") > 2))
    seen.append(table.update({"state": "off"}, doc_ids=[1, 999]))
    seen.append(table.update(lambda document: document["deep"]["l"].append("x"), doc_ids=[2]))
    seen.append(table.update_multiple([({"m": 1}, where("n") == 0), ({"m": 2}, where("n") == 1)]))
    seen.append(table.upsert({"id": "j1", "n": 11}, where("id") == "j1"))
    seen.append(table.upsert({"id": "new", "n": 12}, where("id") == "new"))
    seen.append(table.remove(where("n") == 2))
    seen.append(table.remove(doc_ids=[4]))
    seen.append(table.insert({"id": "last"}))
    seen.append(table.get(where("id") == "own"))
    seen.append(table.get(doc_id=1))
    seen.append(table.get(doc_ids=[1, 2]))
    seen.append(table.contains(doc_id=3))
    seen.append(table.count(where("n") > 0))
    seen.append(table.search(where("state") == "on"))
    seen.append([(document.doc_id, document) for document in table])
    database.table("other").insert({"a": 1})
    seen.append(sorted(database.tables()))
    database.drop_table("other")
    seen.append(sorted(database.tables()))
    return seen


def test_every_operation_does_what_tinydb_does(database: Database, folder: Path) -> None:
    with TinyDB(storage=MemoryStorage) as model:
        expected = _work(model)
        assert _work(database) == expected
        database.close()
        with TinyDB(folder / "jobs.json") as plain:
            assert plain.table("jobs").all() == model.table("jobs").all()
    again = Database(Journal.open(folder))
    assert [(document.doc_id, document) for document in again.table("jobs")] == expected[-3]
    again.table("jobs").truncate()
    assert again.table("jobs").all() == []
    again.drop_tables()
    assert again.tables() == set()
    again.close()


def test_what_is_handed_out_can_be_spoilt_without_harm(database: Database) -> None:
    table = database.table("jobs")
    table.insert({"deep": {"list": [1]}})
    for document in (table.all()[0], table.get(doc_id=1), table.search(where("deep").exists())[0]):
        assert isinstance(document, Document)
        document["deep"]["list"].append("spoilt")
    assert table.all() == [{"deep": {"list": [1]}}]


def test_an_update_that_fails_changes_nothing(database: Database) -> None:
    table = database.table("jobs")
    table.insert_multiple([{"n": 1}, {"n": 2}])

    def spoil(document: MutableMapping[str, object]) -> None:
        if document["n"] == 2:
            raise RuntimeError("no")
        document["n"] = 10

    with pytest.raises(RuntimeError):
        table.update(spoil)
    with pytest.raises(Unencodable):
        table.update({"n": object()})
    assert table.all() == [{"n": 1}, {"n": 2}]
    table.insert({"n": 3})
    assert len(table) == 3


def test_an_update_that_changes_nothing_writes_nothing(database: Database, folder: Path) -> None:
    table = database.table("jobs")
    table.insert({"n": 1})
    before = {path: path.stat().st_size for path in folder.glob("*.log")}
    table.update({"n": 1}, doc_ids=[1])
    assert {path: path.stat().st_size for path in folder.glob("*.log")} == before
