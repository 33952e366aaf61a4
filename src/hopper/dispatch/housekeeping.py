"""What is due at home now and then: the room on the disk, zips left over, the store's upkeep."""

from __future__ import annotations

from datetime import timedelta

from hopper.dispatch.ledger import Ledger
from hopper.dispatch.ports import Home, Upkeeping
from hopper.errors import HopperError
from hopper.model.event import EventKind

DISK_CHECK = timedelta(seconds=10)
UPKEEP_EVERY = timedelta(seconds=60)
UPKEEP_LATEST = timedelta(minutes=5)
"""How long upkeep waits for a moment when no order is under way."""


class Housekeeping:
    """Keeps the house in order between the orders."""

    def __init__(self, ledger: Ledger, home: Home, upkeep: Upkeeping, *, home_low: int) -> None:
        self.home_full = False
        """There is no room at home for results: fewer bytes free than ``home_low``."""
        self._ledger = ledger
        self._home = home
        self._upkeep = upkeep
        self._home_low = home_low
        self._disk_check_due = self._upkeep_due = ledger.now()

    def check_disk(self) -> None:
        """See, when it is due, what there is room for."""
        now = self._ledger.now()
        if now < self._disk_check_due:
            return
        self._disk_check_due = now + DISK_CHECK
        self._ledger.place_left()
        try:
            free = self._home.free_bytes()
        except HopperError as error:
            self._ledger.trouble_once("disk", str(error))
            return
        full = free < self._home_low
        if full is not self.home_full:
            self.home_full = full
            kind = EventKind.HOME_DISK_LOW if full else EventKind.HOME_DISK_OK
            self._ledger.tell(kind, f"{free // 1_000_000} MB free at home")

    def keep_up(self, *, busy: bool) -> None:
        """Do the upkeep that is due; ``busy`` has it wait for a better moment, for a while."""
        now = self._ledger.now()
        wait = UPKEEP_LATEST if busy else timedelta()
        if now < self._upkeep_due + wait:
            return
        self._upkeep_due = now + UPKEEP_EVERY
        for problem in self._upkeep(now):
            self._ledger.trouble_once("upkeep", problem)
        self._ledger.follow_retention()
