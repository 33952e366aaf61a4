"""Where a page of a list has ended: by the last item's place in the order, not by its number."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import TypeVar

from hopper.errors import UsageError

T = TypeVar("T")
Key = tuple[str, str] | tuple[int, str]


def after(
    items: Sequence[T],
    cursor: str | None,
    limit: int,
    *,
    key: Callable[[T], Key],
    rising: bool = True,
) -> tuple[list[T], str | None]:
    """Return the page of sorted items that follows a cursor, and the next cursor if there is one.

    UsageError for a cursor that is of another list, or none.
    """
    if cursor is not None:
        last = _key_at(cursor)
        try:
            items = [one for one in items if (key(one) > last if rising else key(one) < last)]
        except TypeError:
            raise _foreign() from None
    shown = list(items[:limit])
    return shown, cursor_of(key(shown[-1])) if len(items) > limit else None


def cursor_of(key: Key) -> str:
    """Return a place in an order as text for an address."""
    raw = json.dumps(key, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _key_at(cursor: str) -> Key:
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        place, last = json.loads(raw)
    except (ValueError, TypeError, RecursionError):
        raise _foreign() from None
    if type(place) not in {int, str} or not isinstance(last, str):
        raise _foreign()
    return place, last


def _foreign() -> UsageError:
    return UsageError("that cursor is not of this list", way_out="begin without one")
