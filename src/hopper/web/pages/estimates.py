"""When runs may end and what they would have cost: asked for by many, found out now and then."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta

from hopper.bootstrap.state import read_state
from hopper.config.model import HopperConfig
from hopper.dispatch.run_views import view_of
from hopper.errors import HopperError, NotThere
from hopper.operations.run_facts import Facts
from hopper.pricing import Estimate
from hopper.web.changing import apart

REMEMBERED = 30.0
"""Seconds for which what was found out counts."""
EXPERIENCE = 600.0
"""Seconds for which the history is not looked through again."""
MOST = 200
"""Runs that are remembered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimates:
    """What there is to say of one run."""

    left: timedelta | None = None
    cost: Estimate | None = None
    trouble: str = ""
    """Why something could not be found out."""


class _Remembered:
    """Of one config. For several threads."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._known: OrderedDict[str, tuple[float, Estimates]] = OrderedDict()
        self._facts: tuple[float, Facts] | None = None

    def of(self, config: HopperConfig, run_id: str) -> Estimates:
        with self._turn:
            at, found = self._known.pop(run_id, (-REMEMBERED, Estimates()))
            if time.monotonic() - at >= REMEMBERED:
                at, found = time.monotonic(), self._find_out(config, run_id)
            self._known[run_id] = (at, found)
            if len(self._known) > MOST:
                self._known.popitem(last=False)
            return found

    def _find_out(self, config: HopperConfig, run_id: str) -> Estimates:
        with read_state(config) as store:
            run = store.run(run_id)
            if run is None:
                raise NotThere(f"there is no run {run_id!r}")
            view = view_of(run, store.jobs_of(run_id))
            now = time.monotonic()
            if self._facts is None or now - self._facts[0] > EXPERIENCE:
                self._facts = (now, Facts(config, store))
            facts = self._facts[1]
            try:
                left = facts.left(view)
            except (HopperError, OSError) as refusal:
                return Estimates(trouble=f"when it ends cannot be said: {refusal}")
        try:
            return Estimates(left=left, cost=facts.cost(view))
        except (HopperError, OSError) as refusal:
            return Estimates(left=left, trouble=f"the cost cannot be said: {refusal}")


_REMEMBERED: dict[str, _Remembered] = {}


async def estimates_of(config: HopperConfig, run_id: str) -> Estimates:
    """Return what there is to say of a run, at most half a minute old. NotThere."""
    known = _REMEMBERED.setdefault(str(config.paths.db), _Remembered())
    return await apart(lambda: known.of(config, run_id))
