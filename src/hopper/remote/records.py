"""The worker's answers: records of NUL-ended fields, then announced raw bytes.

The format is that of ``scripts/worker.sh``: after a line that holds the mark come records,
each the number of its fields and the fields themselves, every one ended by NUL; the record
``end`` closes them, and raw bytes may follow. What a login shell prints before the mark, or
after the raw bytes, is not ours and is ignored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hopper.errors import TransportError

MAX_FIELDS = 64
_COUNT = re.compile("[1-9][0-9]?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """The records of one answer, without ``end``, and the raw bytes behind them."""

    records: tuple[tuple[str, ...], ...]
    raw: bytes


def parse(output: bytes, mark: str) -> Reply:
    """Read an answer; TransportError where it is not whole, so that nothing is concluded."""
    head = f"\n{mark}\n".encode()
    start = output.find(head)
    if start < 0:
        raise TransportError(f"no answer from the worker's shell{_heard(output)}")
    position = start + len(head)
    records: list[tuple[str, ...]] = []
    while True:
        count, position = _field(output, position)
        if not _COUNT.fullmatch(count) or int(count) > MAX_FIELDS:
            raise TransportError("the worker's answer is garbled")
        fields = []
        for _ in range(int(count)):
            field, position = _field(output, position)
            fields.append(field)
        if fields == ["end"]:
            return Reply(records=tuple(records), raw=output[position:])
        records.append(tuple(fields))


def _field(output: bytes, position: int) -> tuple[str, int]:
    stop = output.find(b"\0", position)
    if stop < 0:
        raise TransportError("the worker's answer broke off")
    return output[position:stop].decode("utf-8", "surrogateescape"), stop + 1


def _heard(output: bytes) -> str:
    text = output[-200:].decode("utf-8", "replace").strip()
    return f": {text}" if text else ""
