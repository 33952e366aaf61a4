"""A table seen as values by key, each decoded when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from hopper.store.codec import decode_object
from hopper.store.values import from_bytes, to_bytes

T = TypeVar("T")


class Collection(Mapping[str, T], Generic[T]):
    """Values of one dataclass by key. ``key`` names the field that is unique among them.

    Follows the documents of a table; ``absorb`` is told which of them changed.
    """

    def __init__(self, kind: type[T], key: str, *, keep: int | None = None) -> None:
        """``keep`` is how many decoded values are kept at most, None for all of them."""
        self._kind, self._key = kind, key
        self._most = keep
        self._documents: Mapping[int, bytes] = {}
        self._ids: dict[str, int] = {}
        self._keys: dict[int, str] = {}
        self._values: dict[str, T] = {}
        self._next_id = 1

    def absorb(self, documents: Mapping[int, bytes], changed: Iterable[int]) -> list[str]:
        """Show these documents from now on; they differ from those so far in the changed ids.

        Return the keys that have another value now, or none, in the order of ``changed``.
        """
        self._documents = documents
        keys: dict[str, None] = {}
        for doc_id in changed:
            raw = documents.get(doc_id)
            key = None if raw is None else key_of(raw, self._key)
            keys.update((one, None) for one in (self._keys.get(doc_id), key) if one is not None)
            self._take(doc_id, key)
        return list(keys)

    def _take(self, doc_id: int, key: str | None) -> None:
        """Take notice that a document has that key now, None when it is gone."""
        known = self._keys.get(doc_id)
        if known is not None:
            self._values.pop(known, None)
            if known != key:
                del self._keys[doc_id]
                if self._ids[known] == doc_id:  # else another document has the key already
                    del self._ids[known]
        if key is not None:
            self._ids[key] = doc_id
            self._keys[doc_id] = key
            self._next_id = max(self._next_id, doc_id + 1)

    def keep(self, values: Mapping[str, T]) -> None:
        """Hand out these very values, which have just been stored under those keys."""
        self._values.update(values)

    def id_of(self, key: str) -> int | None:
        """Return the document id of a key."""
        return self._ids.get(key)

    def ids_for(self, keys: Iterable[str]) -> dict[str, int]:
        """Return a document id for each key, free ones for those that are new."""
        ids: dict[str, int] = {}
        fresh = self._next_id
        for key in keys:
            known = self._ids.get(key)
            if known is None and key not in ids:
                known, fresh = fresh, fresh + 1
            if known is not None:
                ids[key] = known
        return ids

    def known_ids(self, keys: Iterable[str]) -> list[int]:
        """Return the document ids of those keys that are there."""
        ids = (self.id_of(key) for key in keys)
        return [doc_id for doc_id in ids if doc_id is not None]

    def encoded(self, values: Mapping[str, T]) -> dict[int, bytes]:
        """Return values by key as documents to be put."""
        ids = self.ids_for(values)
        return {ids[key]: to_bytes(value) for key, value in values.items()}

    def raw(self) -> Iterator[bytes]:
        """Yield the documents as JSON bytes."""
        return (self._documents[doc_id] for doc_id in self._ids.values())

    def raw_of(self, key: str) -> bytes | None:
        """Return the document of a key as JSON bytes, None when there is none."""
        doc_id = self._ids.get(key)
        return None if doc_id is None else self._documents.get(doc_id)

    def __getitem__(self, key: str) -> T:
        value = self._values.get(key)
        if value is None:
            value = from_bytes(self._kind, self._documents[self._ids[key]])
            if self._most is not None and len(self._values) >= self._most:
                self._values.clear()
            self._values[key] = value
        return value

    def __contains__(self, key: object) -> bool:
        return key in self._ids

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)


def key_of(raw: bytes, field: str) -> str:
    """Return the key of a document; KeyError or ValueError when it has none."""
    # The key is the first field of our own values: no need to decode the rest.
    head = b'{"%s":"' % field.encode()
    if raw.startswith(head):
        key = raw[len(head) : raw.index(b'"', len(head))]
        if b"\\" not in key:
            return key.decode()
    return str(decode_object(raw)[field])
