"""Has done what was decided: a visit becomes an order, and the fleet carries it out."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from hopper.dispatch.decisions import Visit
from hopper.dispatch.ledger import Ledger
from hopper.dispatch.orders import OrderDesk
from hopper.dispatch.ports import Fleet, Home
from hopper.dispatch.under_way import Sent, UnderWay
from hopper.model.orders import Order
from hopper.model.worker import Worker


class Sender:
    """Sends the orders of a tick. What comes of them is told by reports only."""

    def __init__(
        self, ledger: Ledger, orders: OrderDesk, fleet: Fleet, home: Home, under_way: UnderWay
    ) -> None:
        self._ledger = ledger
        self._orders = orders
        self._fleet = fleet
        self._home = home
        self._under_way = under_way
        self._tag = secrets.token_hex(3)
        self._count = 0

    def send(
        self,
        visits: Iterable[Visit],
        workers: Mapping[str, Worker],
        first: Collection[str],
        *,
        home_full: bool,
    ) -> None:
        """Have the visits made. ``first`` holds the attempts that were intended just now."""
        sent = []
        for visit in visits:
            try:
                order = self._order(visit, workers[visit.worker], home_full=home_full)
            except Exception as error:  # noqa: BLE001 - one worker must not hold up the others
                reason = f"no order could be written: {type(error).__name__}: {error}"
                self._ledger.trouble_once(f"order {visit.worker}", reason, worker=visit.worker)
                continue
            launched = frozenset(item.attempt for item in order.launches)
            sent.append(Sent(order=order, bulk=visit.bulk, first=launched.intersection(first)))
        if sent:
            self._fleet.send([item.order for item in sent])
            self._under_way.add(sent)

    def _order(self, visit: Visit, worker: Worker, *, home_full: bool) -> Order:
        self._count += 1
        book = self._ledger.book
        paths: dict[str, Path] = {}
        for job_id in visit.launches:
            job = book.jobs[job_id]
            if job.open_attempt is not None and self._ledger.place(job):
                paths[job_id] = self._home.path(job)
        return self._orders.write(
            f"{self._tag}-{self._count}",
            visit,
            worker,
            book,
            paths,
            now=self._ledger.now(),
            home_full=home_full,
        )
