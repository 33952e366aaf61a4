"""One task entry that stands for many: ``matrix`` and ``sweep``.

``{key}`` in any text of the entry becomes the value of its key; ``${key}`` is bash's and stays.
Works on plain JSON values, before anything else is read of them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MATRIX, SWEEP = "matrix", "sweep"
MOST = 100_000
"""Tasks that one entry may stand for."""
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_ODD = re.compile(r"[^A-Za-z0-9_+=-]+")

Values = Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A task entry as JSON has it, with the values put in."""

    fields: Mapping[str, object]
    group: str = ""
    """The id of the entry that it is one of; empty for an entry of its own."""


def entries(fields: Mapping[str, object]) -> Iterator[Entry]:
    """Yield the entries that one stands for. ValueError in one line that begins with the field."""
    if fields.get(MATRIX) is None and fields.get(SWEEP) is None:
        yield Entry(fields=fields)
        return
    choices = _choices(_sweep(fields.get(SWEEP)), _matrix(fields.get(MATRIX)))
    rest = {name: value for name, value in fields.items() if name not in {MATRIX, SWEEP}}
    base = rest.get("id")
    pattern = re.compile(r"(?<!\$)\{(" + "|".join(choices[0]) + r")\}")
    if not isinstance(base, str) or pattern.search(base):
        ids: list[object] = [base] * len(choices)
    else:
        ids = [f"{base}.{suffix}" for suffix in _suffixes(choices)]
    group = base if isinstance(base, str) else ""
    for own_id, values in zip(ids, choices, strict=True):
        named = {**rest, "id": own_id} if "id" in rest else rest
        yield Entry(fields=_filled(named, pattern, values), group=group)


def _choices(sweep: list[Values], matrix: list[Values]) -> list[Values]:
    """Return every row of the sweep with every one of the matrix; all have the same keys."""
    if not sweep or not matrix:
        rows = sweep or matrix
    elif sweep[0].keys() & matrix[0].keys():
        raise ValueError(f"sweep: {min(sweep[0].keys() & matrix[0].keys())} is in matrix too")
    else:
        _refuse_many(len(sweep) * len(matrix))
        rows = [{**row, **column} for row in sweep for column in matrix]
    odd = sorted(name for name in rows[0] if not _KEY.match(name))
    if odd:
        raise ValueError(f"matrix: {odd[0]!r} is not a word of letters, digits and _")
    return rows


def _refuse_many(count: int) -> None:
    if count > MOST:
        raise ValueError(f"matrix: it stands for {count} tasks; {MOST} is the most")


def _matrix(value: object) -> list[Values]:
    if value is None:
        return []
    if not isinstance(value, dict) or not value:
        raise ValueError("matrix: it must hold a list of values for each key")
    columns = [[(key, _text(item)) for item in _list(key, items)] for key, items in value.items()]
    count = 1
    for column in columns:
        count *= len(column)
    _refuse_many(count)
    return [dict(row) for row in itertools.product(*columns)]


def _list(key: object, value: object) -> list[object]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"matrix: {key} must be a list of values")
    return value


def _sweep(value: object) -> list[Values]:
    if value is None:
        return []
    rows = value if isinstance(value, list) else []
    if not rows or not all(
        isinstance(row, dict) and row and row.keys() == rows[0].keys() for row in rows
    ):
        raise ValueError("sweep: it must be a list of objects with the same keys")
    return [{key: _text(item) for key, item in row.items()} for row in rows]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"matrix: {value!r:.60} must be text, a number, true or false")


def _filled(
    fields: Mapping[str, object], pattern: re.Pattern[str], values: Values
) -> dict[str, object]:
    def fill(value: object) -> object:
        if isinstance(value, str):
            return pattern.sub(lambda match: values.get(match[1], match[0]), value)
        if isinstance(value, list):
            return [fill(item) for item in value]
        if isinstance(value, dict):
            return {key: fill(item) for key, item in value.items()}
        return value

    return {name: fill(value) for name, value in fields.items()}


def _suffixes(choices: list[Values]) -> list[str]:
    """Return readable ends of ids: no dots, since these make groups, and nothing of globs."""
    found: dict[str, None] = {}
    for values in choices:
        suffix = ",".join(f"{key}={_ODD.sub('_', value)[:40]}" for key, value in values.items())
        number, distinct = 1, suffix
        while distinct in found:
            number += 1
            distinct = f"{suffix},{number}"
        found[distinct] = None
    return list(found)
