"""Has done what was decided: a visit becomes an order, and the fleet carries it out."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping

from hopper.dispatch.decisions import Visit
from hopper.dispatch.ledger import Ledger
from hopper.dispatch.orders import OrderDesk
from hopper.dispatch.ports import Fleet, Home, ReadyZip, TaskZips
from hopper.dispatch.under_way import Sent, UnderWay
from hopper.errors import HopperError, UsageError
from hopper.model.job import Job
from hopper.model.orders import Order
from hopper.model.worker import Worker


class Sender:
    """Sends the orders of a tick. What comes of them is told by reports only."""

    def __init__(
        self,
        ledger: Ledger,
        orders: OrderDesk,
        fleet: Fleet,
        home: Home,
        task_zips: TaskZips,
        under_way: UnderWay,
    ) -> None:
        self._ledger = ledger
        self._orders = orders
        self._fleet = fleet
        self._home = home
        self._task_zips = task_zips
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
                order = self._order(visit, workers[visit.worker], first, home_full=home_full)
            except Exception as error:  # noqa: BLE001 - one worker must not hold up the others
                reason = f"no order could be written: {type(error).__name__}: {error}"
                self._ledger.trouble_once(f"order {visit.worker}", reason, worker=visit.worker)
                continue
            launched = frozenset(item.attempt for item in order.launches)
            sent.append(Sent(order=order, bulk=visit.bulk, first=launched.intersection(first)))
        if sent:
            self._fleet.send([item.order for item in sent])
            self._under_way.add(sent)

    def _order(
        self, visit: Visit, worker: Worker, first: Collection[str], *, home_full: bool
    ) -> Order:
        self._count += 1
        book = self._ledger.book
        zips: dict[str, ReadyZip] = {}
        for job_id in visit.launches:
            job = book.jobs[job_id]
            attempt = job.open_attempt
            if attempt is None:
                continue
            ready = self._packed(job, first=attempt.id in first) if job.task else self._zip(job)
            if ready is not None:
                zips[job_id] = ready
        return self._orders.write(
            f"{self._tag}-{self._count}",
            visit,
            worker,
            book,
            zips,
            now=self._ledger.now(),
            home_full=home_full,
        )

    def _zip(self, job: Job) -> ReadyZip | None:
        """Return a job's zip; None where it is not in its place."""
        if not self._ledger.place(job):
            return None
        return ReadyZip(
            path=self._home.path(job),
            size=job.zip_size,
            sha256=job.zip_sha256,
            unpacked_size=job.unpacked_size,
        )

    def _packed(self, job: Job, *, first: bool) -> ReadyZip | None:
        """Return the zip of a task; None while there is none.

        ``first``: no order can have launched the attempt, so a task that cannot be packed fails.
        """
        try:
            return self._task_zips.zip_of(job, self._ledger.book.runs.get(job.run))
        except UsageError as error:
            if first:
                self._ledger.give_up(job, str(error))
            else:
                self._ledger.trouble_once(f"pack {job.id}", str(error), job=job.id)
        except HopperError as error:
            self._ledger.trouble_once(f"pack {job.id}", str(error), job=job.id)
        return None
