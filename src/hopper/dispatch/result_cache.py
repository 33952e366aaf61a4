"""Has results at home kept for equal tasks, and has jobs take them in place of being sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from hopper.dispatch.cache import (
    Claim,
    attempt_id,
    claims,
    stored_result,
    taken,
)
from hopper.dispatch.desk import Desk
from hopper.dispatch.generated import Generated, add_generated
from hopper.dispatch.ledger import Ledger
from hopper.dispatch.ports import Clock
from hopper.dispatch.shelf import ResultGone, Shelf
from hopper.errors import HopperError
from hopper.model.event import EventKind

LONGEST = 1.0
"""Seconds of a tick that may go into copying; the rest is for the next tick."""
SWEEP_EVERY = timedelta(hours=1)
SWEPT_AT_ONCE = 100
"""Stored results that one tick looks after."""


class ResultCache:
    """The stored results' part of a tick. Nothing of its own is needed after a restart."""

    def __init__(self, ledger: Ledger, shelf: Shelf, generated: Generated, clock: Clock) -> None:
        self._ledger = ledger
        self._shelf = shelf
        self._generated = generated
        self._clock = clock
        self._refused: set[str] = set()
        """Jobs that could not take what there is, and are sent."""
        self._to_sweep: list[str] = []
        self._sweep_due = ledger.now() + SWEEP_EVERY

    def keep(self) -> None:
        """Have the results kept of what has completed since the last time."""
        self._sweep(self._ledger.now())
        completed, self._ledger.completed = self._ledger.completed, []
        desk = self._ledger.desk()
        for job_id in completed:
            job = self._ledger.book.jobs.get(job_id)
            attempt = job.attempt if job is not None else None
            if job is None or attempt is None:
                continue
            try:
                kept = self._shelf.keep(job, attempt)
            except HopperError as error:
                desk.tell(EventKind.TROUBLE, job=job_id, reason=f"its result is not kept: {error}")
                continue
            if kept is not None:
                desk.stored[attempt.result_key] = stored_result(job, attempt, kept, desk)
        self._ledger.commit(desk.changes())

    def take(self, *, home_full: bool) -> frozenset[str]:
        """Have jobs take what is there, and those that could go then, and so on.

        Returns those that are to wait for the next tick, because time or room ran out.
        """
        end = self._clock.monotonic() + LONGEST
        while waiting := self._claims():
            if home_full:
                return _ids(waiting)
            desk = self._ledger.desk()
            for place, claim in enumerate(waiting):
                if place and self._clock.monotonic() > end:
                    self._ledger.commit(desk.changes())
                    return _ids(waiting[place:])
                self._take_one(desk, claim)
            self._ledger.commit(desk.changes())
            if self._clock.monotonic() > end:
                return _ids(self._claims())
        return frozenset()

    def _claims(self) -> list[Claim]:
        book = self._ledger.book
        self._refused &= book.takers.keys()
        return [claim for claim in claims(book) if claim.job.id not in self._refused]

    def _take_one(self, desk: Desk, claim: Claim) -> None:
        job, stored = claim.job, claim.stored
        if desk.stored.get(stored.key, stored) is None:
            return  # it was found to be gone in this very step
        attempt = attempt_id(job, stored)
        try:
            copied = self._shelf.take(job, attempt, stored)
        except ResultGone as error:
            desk.stored[stored.key] = None
            desk.tell(EventKind.RESULT_DROPPED, job=job.id, reason=str(error), key=stored.key)
            return
        except HopperError as error:
            self._refused.add(job.id)
            reason = f"the result of {stored.job} was not taken: {error}"
            desk.tell(EventKind.TROUBLE, job=job.id, reason=reason)
            return
        taken(desk, claim, attempt, copied)
        add_generated(desk, job.id, self._generated)

    def _sweep(self, now: datetime) -> None:
        """Forget, a few at a time, the results whose files are gone."""
        stored = self._ledger.book.stored
        if not self._to_sweep and now >= self._sweep_due:
            self._sweep_due = now + SWEEP_EVERY
            self._to_sweep = list(stored)
        some, self._to_sweep = self._to_sweep[:SWEPT_AT_ONCE], self._to_sweep[SWEPT_AT_ONCE:]
        desk = self._ledger.desk()
        for key in some:
            known = stored.get(key)
            if known is not None and not self._shelf.there(known):
                desk.stored[key] = None
                reason = f"what {known.job} left is gone"
                desk.tell(EventKind.RESULT_DROPPED, reason=reason, key=key)
        self._ledger.commit(desk.changes())


def _ids(waiting: Sequence[Claim]) -> frozenset[str]:
    return frozenset(claim.job.id for claim in waiting)
