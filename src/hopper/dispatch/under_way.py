"""The orders that have been sent and not been reported on. Needed by no restart: it looks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hopper.dispatch.snapshot import Lane
from hopper.model.orders import Order


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """An order that has been sent."""

    order: Order
    bulk: bool
    first: frozenset[str] = frozenset()
    """Attempts that no earlier order can have launched."""


class UnderWay:
    """The orders that are not reported on yet, by their ids."""

    def __init__(self) -> None:
        self._sent: dict[str, Sent] = {}

    def __bool__(self) -> bool:
        return bool(self._sent)

    def add(self, sent: Iterable[Sent]) -> None:
        """Await the reports on these."""
        self._sent.update((item.order.id, item) for item in sent)

    def pop(self, order_id: str) -> Sent | None:
        """Await it no longer; None where it was not awaited."""
        return self._sent.pop(order_id, None)

    @property
    def ids(self) -> frozenset[str]:
        """The ids of the orders."""
        return frozenset(self._sent)

    @property
    def lanes(self) -> frozenset[Lane]:
        """Where no other order may go before the report."""
        return frozenset((item.order.host, item.bulk) for item in self._sent.values())
