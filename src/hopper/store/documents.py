"""A plain TinyDB JSON file that can tell whether it is still what was written.

The file is one JSON object of tables, each an object of documents by id, as ``TinyDB(path)``
reads it. One line holds one document, so that loading splits lines and decodes nothing, and
damage has a line number. The first line is a table ``_store`` with one document: facts about
the file, and a CRC-32 over those facts and all other lines. A person who edits the file puts
the word ``edited`` in the checksum's place; then it is accepted as it is.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from hopper.store.codec import decode_object, encode
from hopper.store.errors import StoreDamaged
from hopper.store.files import write_beside, write_whole

Tables = dict[str, dict[int, bytes]]
"""Documents as JSON bytes, by table and id. Bytes cannot be changed behind our back."""

FACTS_TABLE = "_store"
_CHECKSUM = "checksum"
_HEAD_LIMIT = 4096

_CHANGED = "its content does not fit its checksum"
_EDITED = "edited"
_IF_EDITED = f'if you edited it on purpose, write "{_EDITED}" for its "{_CHECKSUM}"; else '


@dataclass(frozen=True, kw_only=True)
class DocumentFile:
    """The content of a document file."""

    facts: Mapping[str, object]
    tables: Tables = field(default_factory=dict)

    def number(self, fact: str) -> int:
        """Return a whole number from the facts, 0 when there is none."""
        value = self.facts.get(fact, 0)
        return value if isinstance(value, int) else 0


def write_documents(path: Path, content: DocumentFile) -> None:
    """Put the file into place by atomic rename. StoreFull or StoreError on failure."""
    write_whole(path, _render(content))


def write_documents_beside(path: Path, content: DocumentFile) -> Path:
    """Write the file durably beside its path, and return where; the caller renames it."""
    return write_beside(path, _render(content))


def _render(content: DocumentFile) -> Iterable[bytes]:
    body = list(_body(content.tables))
    crc = zlib.crc32(encode(content.facts))
    for piece in body:
        crc = zlib.crc32(piece, crc)
    facts = {**content.facts, _CHECKSUM: f"{crc:08x}"}
    head = encode({FACTS_TABLE: {"1": facts}})
    return [head[:-1], b",\n", *body]


def _body(tables: Mapping[str, Mapping[int, bytes]]) -> Iterator[bytes]:
    for position, (name, documents) in enumerate(tables.items()):
        yield b"%s%s:{\n" % (b"},\n" if position else b"", encode(name))
        yield b",\n".join(b'"%d":%s' % document for document in documents.items())
        yield b"\n"
    yield b"}}\n"


def read_facts(path: Path) -> Mapping[str, object]:
    """Return the facts from the first line alone, unchecked; empty when there are none."""
    with path.open("rb") as file:
        head = file.readline(_HEAD_LIMIT)
    try:
        return _facts(head) or {}
    except ValueError:
        return {}


def read_documents(path: Path, *, way_out: str) -> DocumentFile:
    """Load a document file. FileNotFoundError when there is none, StoreDamaged when it is wrong.

    ``way_out`` tells a person how to go on without the file.
    """
    with path.open("rb") as file:
        facts = _checkable_facts(file.readline())
        if facts is not None:
            # Line by line: a large file is in memory once, not three times.
            with contextlib.suppress(StoreDamaged, ValueError):
                tables = _gathered(_checked_lines(path, file, facts, way_out))
                return DocumentFile(facts=_without_checksum(facts), tables=tables)
    return parse_documents(path, path.read_bytes(), way_out=way_out)  # tells what is wrong


def _gathered(lines: Iterable[tuple[str, tuple[int, bytes] | None]]) -> Tables:
    tables: Tables = {}
    documents: dict[int, bytes] = {}
    for table, document in lines:
        if document is None:
            documents = tables[table] = {}
        else:
            documents[document[0]] = document[1]
    return tables


def _without_checksum(facts: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in facts.items() if name != _CHECKSUM}


def parse_documents(path: Path, raw: bytes, *, way_out: str) -> DocumentFile:
    """Like read_documents, with the file's bytes at hand."""
    checked = _check(path, raw, way_out)
    if checked is None:
        return _parse_edited(path, raw, way_out)
    facts, body = checked
    return DocumentFile(facts=facts, tables=_split(body))


def find_documents(
    path: Path, raw: bytes, needle: bytes, *, way_out: str
) -> Iterator[tuple[int, bytes]]:
    """Yield the documents, of any table, that hold those bytes, without taking the rest apart.

    Raises StoreDamaged like read_documents.
    """
    checked = _check(path, raw, way_out)
    if checked is None:
        tables = _parse_edited(path, raw, way_out).tables
        documents = (document for table in tables.values() for document in table.items())
        yield from ((doc_id, document) for doc_id, document in documents if needle in document)
        return
    _, body = checked
    position = body.find(needle)
    while position >= 0:
        end = body.index(b"\n", position)
        line = body[body.rfind(b"\n", 0, position) + 1 : end]
        if not line.endswith(b":{"):
            yield _document(line)
        position = body.find(needle, end)


def _check(path: Path, raw: bytes, way_out: str) -> tuple[dict[str, object], bytes] | None:
    """Return facts and the lines after them when they fit together, None for an edited file."""
    head, _, body = raw.partition(b"\n")
    try:
        facts = _facts(head + b"\n")
    except ValueError:
        facts = None
    if facts is None or facts.get(_CHECKSUM) == _EDITED:
        return None
    plain = _without_checksum(facts)
    if facts.get(_CHECKSUM) != f"{zlib.crc32(body, zlib.crc32(encode(plain))):08x}":
        line, why = _find_damage(body)
        raise StoreDamaged(path, line, why, way_out=_IF_EDITED + way_out)
    return plain, body


def _facts(head: bytes) -> dict[str, object] | None:
    if not head.endswith(b",\n"):
        return None
    table = decode_object(head[:-2] + b"}").get(FACTS_TABLE)
    facts = table.get("1") if isinstance(table, dict) else None
    return facts if isinstance(facts, dict) else None


def _split(body: bytes) -> Tables:
    tables: Tables = {}
    documents: dict[int, bytes] = {}
    for line in body.split(b"\n"):
        if line.endswith(b":{"):
            documents = tables[str(decode_name(line[:-2]))] = {}
        elif line.startswith(b'"'):
            doc_id, document = _document(line)
            documents[doc_id] = document
    return tables


def _document(line: bytes) -> tuple[int, bytes]:
    key, _, document = line.partition(b":")
    return int(key[1:-1]), document.removesuffix(b",")


def decode_name(quoted: bytes) -> str:
    """Return the string that a JSON string stands for."""
    return str(decode_object(b'{"name":%s}' % quoted)["name"])


def _find_damage(body: bytes) -> tuple[int | None, str]:
    """Return the line that is no JSON any more, where there is one, and what is wrong."""
    for number, line in enumerate(body.split(b"\n"), start=2):
        if line.startswith(b'"') and not line.endswith(b":{"):
            try:
                decode_object(b"{" + line.removesuffix(b",") + b"}")
            except ValueError as refusal:
                return number, f"not JSON ({refusal})"
    return None, _CHANGED


def _parse_edited(path: Path, raw: bytes, way_out: str) -> DocumentFile:
    try:
        whole = decode_object(raw)
        tables: Tables = {
            str(name): {int(key): encode(document) for key, document in table.items()}
            for name, table in whole.items()
            if isinstance(table, dict)
        }
    except ValueError as refusal:
        line = getattr(refusal, "lineno", None)
        raise StoreDamaged(path, line, f"not JSON ({refusal})", way_out=way_out) from refusal
    facts = decode_object(tables.pop(FACTS_TABLE, {}).get(1, b"{}"))
    if facts.pop(_CHECKSUM, None) != _EDITED:
        raise StoreDamaged(path, None, _CHANGED, way_out=_IF_EDITED + way_out)
    return DocumentFile(facts=facts, tables=tables)


def stream_documents(path: Path, *, way_out: str) -> Iterator[tuple[str, int, bytes]]:
    """Yield table, id and document, one after the other, so that large files need little memory.

    Raises StoreDamaged as read_documents does, but only once all was yielded: what is kept of a
    file is to be kept at the end.
    """
    with path.open("rb") as file:
        facts = _checkable_facts(file.readline())
        if facts is not None:
            name = ""
            for table, document in _checked_lines(path, file, facts, way_out):
                if document is None:
                    name = table
                else:
                    yield (name, *document)
            return
    for table, documents in read_documents(path, way_out=way_out).tables.items():
        yield from ((table, doc_id, document) for doc_id, document in documents.items())


def _checked_lines(
    path: Path, file: BinaryIO, facts: Mapping[str, object], way_out: str
) -> Iterator[tuple[str, tuple[int, bytes] | None]]:
    """Yield the name of each table where it begins, and its documents with an empty name."""
    plain = _without_checksum(facts)
    crc = zlib.crc32(encode(plain))
    for line in file:
        crc = zlib.crc32(line, crc)
        if line.startswith(b'"') and line.endswith(b":{\n"):
            yield decode_name(line[:-3]), None
        elif line.startswith(b'"'):
            yield "", _document(line.removesuffix(b"\n"))
    if facts.get(_CHECKSUM) != f"{crc:08x}":
        raise StoreDamaged(path, None, _CHANGED, way_out=_IF_EDITED + way_out)


def _checkable_facts(head: bytes) -> dict[str, object] | None:
    """Return the facts from the first line; None where the file is to be read whole."""
    try:
        facts = _facts(head)
    except ValueError:
        return None
    return None if facts is None or facts.get(_CHECKSUM) == _EDITED else facts
