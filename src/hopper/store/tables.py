"""TinyDB over the journal: the same tables, queries and operations, without the rewriting.

``Table._update_table`` and ``Table._read_table`` are private to TinyDB, hence the version
cap and the test that fails when they change. Every document that TinyDB hands out, or lets
an update work on, is decoded afresh, so that nothing done to it reaches the stored state
except through a commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

from tinydb import TinyDB
from tinydb.storages import Storage
from tinydb.table import Table

from hopper.store.change import Change
from hopper.store.codec import decode_object, encode
from hopper.store.documents import Tables
from hopper.store.journal import Journal

Document = dict[str, Any]


class JournalStorage(Storage):
    """A TinyDB storage whose writes are commits of what differs."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def read(self) -> dict[str, dict[str, Any]] | None:
        """Return all tables, decoded."""
        return {
            name: {str(doc_id): decode_object(raw) for doc_id, raw in documents.items()}
            for name, documents in self.journal.tables.items()
            if documents
        }

    def write(self, data: dict[str, dict[str, Any]]) -> None:
        """Commit what makes the stored tables equal to these."""
        wanted: Tables = {
            name: {int(key): encode(dict(document)) for key, document in documents.items()}
            for name, documents in data.items()
        }
        put: dict[str, dict[int, bytes]] = {}
        drop: dict[str, list[int]] = {}
        for name in self.journal.tables.keys() | wanted.keys():
            before, after = self.journal.tables.get(name, {}), wanted.get(name, {})
            put[name] = {key: raw for key, raw in after.items() if before.get(key) != raw}
            drop[name] = [key for key in before if key not in after]
        self.journal.commit(Change.of(put=put, drop=drop))

    def close(self) -> None:
        """Fold and close the journal."""
        self.journal.close()


class DecodedTable(Mapping[str, Document]):
    """A table as TinyDB reads it: ids as text, each document a copy of its own."""

    def __init__(self, documents: Mapping[int, bytes]) -> None:
        self._documents = documents

    def __getitem__(self, key: str) -> Document:
        return decode_object(self._documents[int(key)])

    def __iter__(self) -> Iterator[str]:
        return (str(key) for key in list(self._documents))

    def __len__(self) -> int:
        return len(self._documents)


class Overlay(MutableMapping[int, Document]):
    """A table as TinyDB updates it: copies of just those documents that the update touches."""

    def __init__(self, documents: Mapping[int, bytes]) -> None:
        self._documents = documents
        self._copies: dict[int, Document] = {}
        self._dropped: set[int] = set()

    def __getitem__(self, key: int) -> Document:
        if key in self._dropped:
            raise KeyError(key)
        if key not in self._copies:
            self._copies[key] = decode_object(self._documents[key])
        return self._copies[key]

    def __setitem__(self, key: int, document: Document) -> None:
        self._dropped.discard(key)
        self._copies[key] = document

    def __delitem__(self, key: int) -> None:
        if key not in self:
            raise KeyError(key)
        self._copies.pop(key, None)
        self._dropped.add(key)

    def __contains__(self, key: object) -> bool:
        return key not in self._dropped and (key in self._copies or key in self._documents)

    def __iter__(self) -> Iterator[int]:
        yield from (key for key in self._documents if key not in self._dropped)
        yield from (key for key in self._copies if key not in self._documents)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def changes(self) -> tuple[dict[int, bytes], list[int]]:
        """Return the documents to put, encoded, and the ids to drop."""
        encoded = {key: encode(document) for key, document in self._copies.items()}
        put = {key: raw for key, raw in encoded.items() if self._documents.get(key) != raw}
        return put, [key for key in self._dropped if key in self._documents]


class JournalTable(Table):
    """A TinyDB table whose updates are commits and whose reads come from memory."""

    default_query_cache_capacity = 0

    def _read_table(self) -> Mapping[str, Document]:  # type: ignore[override]
        return DecodedTable(self._journal.tables.get(self.name, {}))

    def _update_table(self, updater: Callable[[Any], None]) -> None:
        overlay = Overlay(self._journal.tables.get(self.name, {}))
        updater(overlay)
        put, drop = overlay.changes()
        self._journal.commit(Change.of(put={self.name: put}, drop={self.name: drop}))
        self.clear_cache()

    @property
    def _journal(self) -> Journal:
        storage = self.storage
        if not isinstance(storage, JournalStorage):
            raise TypeError(f"a journal table needs a journal storage, not {storage!r}")
        return storage.journal


class Database(TinyDB):
    """A TinyDB database on a journal: ``Database(journal)``."""

    table_class = JournalTable
    default_storage_class = JournalStorage  # type: ignore[assignment]
