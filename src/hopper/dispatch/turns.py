"""Numbers the orders of one state, so that a login node can tell a later one from an earlier.

An order may stall on its way and go on when its job has long been submitted by a later one, has
ended and was cleaned away: it must not submit it anew.
"""

from __future__ import annotations

import secrets

from hopper.dispatch.changes import Changes
from hopper.dispatch.ledger import Ledger

KEY = "order_turns"


class Turns:
    """Hands out turns: ``LINE LIFE NUMBER``, of which the last two count up."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._life = ""
        self._number = 0

    def take(self) -> str:
        """Return the next turn. HopperError where a new life cannot be made durable."""
        if not self._life:
            self._life = self._begin()
        self._number += 1
        return f"{self._life} {self._number}"

    def _begin(self) -> str:
        """Return the line of this state and which of its dispatchers this one is."""
        words = str(self._ledger.book.settings.get(KEY, "")).split()
        line = words[0] if words else secrets.token_hex(6)
        life = f"{line} {int(words[1]) + 1 if len(words) > 1 else 1}"
        self._ledger.commit(Changes(settings={KEY: life}))
        return life
