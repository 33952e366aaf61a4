"""The version of what documents look like, and the way up from older ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from hopper.store.change import Change
from hopper.store.codec import decode_object, encode
from hopper.store.documents import DocumentFile
from hopper.store.errors import StoreTooNew

SCHEMA = 1
"""What this hopper writes. A field that older documents lack, and that has a default, needs
no new version; anything else does, with a step below."""

Step = Callable[[str, dict[str, object]], dict[str, object]]
"""From a table's name and a document of version n to that document in version n + 1."""

STEPS: Mapping[int, Step] = {}
"""By the version that the step starts from."""


def upgraded(path: Path, content: DocumentFile) -> DocumentFile:
    """Return the content with all documents in the present schema; its facts stay as they are.

    Raises StoreTooNew for a file of a later schema.
    """
    found = content.number("schema")
    if found > SCHEMA:
        raise StoreTooNew(path, found, SCHEMA)
    if found == SCHEMA or not content.tables:
        return content
    tables = {
        name: {doc_id: _raise(found, name, document) for doc_id, document in documents.items()}
        for name, documents in content.tables.items()
    }
    return replace(content, tables=tables)


def upgraded_change(found: int, change: Change) -> Change:
    """Return a journalled change of that schema in the present one."""
    if found == SCHEMA:
        return change
    put = {
        name: {doc_id: _raise(found, name, document) for doc_id, document in documents.items()}
        for name, documents in change.put.items()
    }
    return replace(change, put=put)


def _raise(found: int, table: str, document: bytes) -> bytes:
    value = decode_object(document)
    for version in range(found, SCHEMA):
        value = STEPS[version](table, value)
    return encode(value)
