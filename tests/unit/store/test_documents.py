from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinydb import TinyDB

from hopper.store.documents import (
    DocumentFile,
    find_documents,
    parse_documents,
    read_documents,
    read_facts,
    write_documents,
)
from hopper.store.errors import StoreDamaged

CONTENT = DocumentFile(
    facts={"schema": 1, "generation": 3},
    tables={
        "jobs": {1: b'{"id":"a","t":"x:{\\n"}', 12: b"{}"},
        "empty": {},
        'na"me': {7: b'{"deep":{"er":{}}}'},
    },
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "some.json"
    write_documents(file, CONTENT)
    return file


def test_it_comes_back(path: Path) -> None:
    assert read_documents(path, way_out="") == CONTENT
    assert read_facts(path)["generation"] == 3
    assert path.stat().st_mode & 0o777 == 0o600


def test_plain_tinydb_reads_it(path: Path) -> None:
    with TinyDB(path) as database:
        assert database.table("jobs").get(doc_id=1) == {"id": "a", "t": "x:{\n"}
        assert len(database.table('na"me')) == 1


def test_documents_are_found_by_their_bytes(path: Path) -> None:
    raw = path.read_bytes()

    def found(needle: bytes, content: bytes = raw) -> list[tuple[int, bytes]]:
        return list(find_documents(path, content, needle, way_out=""))

    assert found(b'"a"') == [(1, CONTENT.tables["jobs"][1])]
    assert found(b'"er"') == [(7, CONTENT.tables['na"me'][7])]
    assert found(b"{}") == [(12, b"{}"), (7, CONTENT.tables['na"me'][7])]
    assert found(b'"jobs"') == []
    assert found(b"nowhere") == []
    edited = re.sub(rb'"checksum":"[0-9a-f]+"', b'"checksum":"edited"', raw)
    assert found(b'"er"', edited) == [(7, CONTENT.tables['na"me'][7])]
    with pytest.raises(StoreDamaged):
        found(b"nowhere", raw[:-5])


def test_nothing_is_left_beside_it(path: Path) -> None:
    assert [p.name for p in path.parent.iterdir()] == ["some.json"]


@given(position=st.integers(0), bit=st.integers(0, 7))
def test_flipped_bits_are_noticed(position: int, bit: int) -> None:
    raw = bytearray(_rendered())
    raw[position % len(raw)] ^= 1 << bit
    with pytest.raises(StoreDamaged, match="go back"):
        parse_documents(Path("f.json"), bytes(raw), way_out="go back")


def _rendered() -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "f.json"
        write_documents(file, CONTENT)
        return file.read_bytes()


def test_damage_names_the_line(path: Path) -> None:
    lines = path.read_bytes().split(b"\n")
    assert lines[2].startswith(b'"1":')
    lines[2] = lines[2].replace(b'"id":', b'"id";')
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(StoreDamaged, match=r"some\.json, line 3: not JSON") as caught:
        read_documents(path, way_out="do this")
    assert caught.value.line == 3
    assert "do this" in str(caught.value)


def test_a_changed_value_is_damage_even_if_it_is_json(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"id":"a"', b'"id":"b"'))
    with pytest.raises(StoreDamaged, match="checksum"):
        read_documents(path, way_out="")


@pytest.mark.parametrize("keep", [0, 10, 100])
def test_a_cut_file_is_damage(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(StoreDamaged):
        read_documents(path, way_out="")


def test_an_edit_with_plain_tinydb_is_refused_until_it_is_owned_up_to(path: Path) -> None:
    with TinyDB(path) as database:
        database.table("jobs").update({"id": "edited"}, doc_ids=[1])
    edited = json.loads(path.read_bytes())
    assert edited["jobs"]["1"]["id"] == "edited"
    with pytest.raises(StoreDamaged, match="checksum"):
        read_documents(path, way_out="")
    edited["_store"]["1"]["checksum"] = "edited"
    for indent in (None, 2):
        path.write_text(json.dumps(edited, indent=indent))
        content = read_documents(path, way_out="")
        assert content.facts == CONTENT.facts
        assert content.tables["jobs"].keys() == {1, 12}


def test_an_edit_in_place_is_accepted_too(path: Path) -> None:
    raw = re.sub(rb'"checksum":"[0-9a-f]+"', b'"checksum":"edited"', path.read_bytes())
    path.write_bytes(raw.replace(b'"id":"a"', b'"id": "b"'))
    content = read_documents(path, way_out="")
    assert content.facts == CONTENT.facts
    assert content.tables["jobs"][1].startswith(b'{"id":"b"')


@pytest.mark.parametrize("raw", [b"[]", b'{"jobs":{"x":{}}}', b"{"])
def test_what_never_was_a_document_file_is_damage(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    with pytest.raises(StoreDamaged):
        read_documents(path, way_out="")
