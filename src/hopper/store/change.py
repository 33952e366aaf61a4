"""One commit: documents put and dropped in any tables, and the events that tell of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hopper.store.codec import decode_object, encode
from hopper.store.documents import Tables


@dataclass(frozen=True, kw_only=True)
class Change:
    """What one journal line says. Documents and events are JSON bytes."""

    put: Mapping[str, Mapping[int, bytes]] = field(default_factory=dict)
    drop: Mapping[str, Sequence[int]] = field(default_factory=dict)
    events: Sequence[bytes] = ()
    """Each an object with its ``seq``; the first one's is the last one's before, plus one."""

    @classmethod
    def of(
        cls,
        *,
        put: Mapping[str, Mapping[int, bytes]] | None = None,
        drop: Mapping[str, Sequence[int]] | None = None,
        events: Sequence[bytes] = (),
    ) -> Change:
        """Return a change without the tables that nothing happens to."""
        return cls(
            put={name: documents for name, documents in (put or {}).items() if documents},
            drop={name: ids for name, ids in (drop or {}).items() if ids},
            events=events,
        )

    def __bool__(self) -> bool:
        return bool(self.put or self.drop or self.events)

    def touched(self) -> Iterator[tuple[str, int]]:
        """Yield table and id of each document that is put or dropped."""
        for changed in (self.put, self.drop):
            for table, ids in changed.items():
                yield from ((table, doc_id) for doc_id in ids)

    def apply(self, tables: Tables) -> None:
        """Carry the change out in memory."""
        for table, documents in self.put.items():
            tables.setdefault(table, {}).update(documents)
        for table, ids in self.drop.items():
            for doc_id in ids:
                tables.get(table, {}).pop(doc_id, None)

    def render(self, number: int) -> bytes:
        """Return the payload of the journal line that is the store's commit of that number."""
        parts = [b'{"n":%d' % number]
        if self.put:
            tables = (
                b"%s:{%s}" % (encode(table), b",".join(b'"%d":%s' % item for item in docs.items()))
                for table, docs in self.put.items()
            )
            parts.append(b'"put":{%s}' % b",".join(tables))
        if self.drop:
            dropped = {table: list(ids) for table, ids in self.drop.items()}
            parts.append(b'"drop":%s' % encode(dropped))
        if self.events:
            parts.append(b'"events":[%s]' % b",".join(self.events))
        return b",".join(parts) + b"}"


def parse_change(payload: bytes, *, following: int) -> tuple[int, Change]:
    """Return number and change from a line's payload.

    ValueError when it holds none, or is not the commit that follows the one of that number.
    """
    entry = decode_object(payload)
    put, drop, events = entry.get("put", {}), entry.get("drop", {}), entry.get("events", [])
    number = entry.get("n")
    if not (
        isinstance(number, int)
        and isinstance(put, dict)
        and isinstance(drop, dict)
        and isinstance(events, list)
    ):
        raise ValueError("not a commit")  # noqa: TRY004 - bad content, not a bad call
    if number != following + 1:
        raise ValueError(f"commit {number} follows commit {following}")
    return number, Change(
        put={
            str(table): {int(key): encode(doc) for key, doc in docs.items()}
            for table, docs in put.items()
        },
        drop={str(table): [int(key) for key in ids] for table, ids in drop.items()},
        events=[encode(event) for event in events],
    )
