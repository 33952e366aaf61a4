"""Runs that are being planned and made: they ask backends, so they take their time."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from anyio import CapacityLimiter, to_thread

from hopper.config.model import HopperConfig
from hopper.dispatch.run_acts import NewRun
from hopper.errors import NotThere
from hopper.operations.generate import Recipe
from hopper.operations.starting import Choices, planned_run, start_run
from hopper.web.problems import Conflict

AT_A_TIME = 4
"""Plans that are made at a time; others wait."""
KEPT = 10
"""Plans that scripts can still be asked of."""
KEPT_FOR = 900.0
"""Seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    new: NewRun
    of: str
    at: float


class Planning:
    """The plans of one server. Lives in the event loop."""

    def __init__(self) -> None:
        self._limiter: CapacityLimiter | None = None
        self._under_way: set[str] = set()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def plan(
        self, config: HopperConfig, recipe: Recipe, choices: Choices, *, user: str
    ) -> NewRun:
        """Return the run that a workflow comes to now. What planned_run raises."""
        return await to_thread.run_sync(
            lambda: planned_run(config, recipe, choices, user=user), limiter=self._turns()
        )

    async def start(
        self, config: HopperConfig, recipe: Recipe, choices: Choices, *, user: str, by: str
    ) -> NewRun:
        """Make a run of a workflow. Conflict while the same person has one of it made."""

        def make() -> NewRun:
            new = planned_run(config, recipe, choices, user=user)
            start_run(config, new, by=by)
            return new

        with self._alone(f"{by}\n{recipe.name}", recipe.name):
            return await to_thread.run_sync(make, limiter=self._turns())

    @contextmanager
    def _alone(self, key: str, name: str) -> Iterator[None]:
        if key in self._under_way:
            raise Conflict(
                f"a run of {name} is being made already", way_out="wait until it is there"
            )
        self._under_way.add(key)
        try:
            yield
        finally:
            self._under_way.discard(key)

    def _turns(self) -> CapacityLimiter:
        if self._limiter is None:
            self._limiter = CapacityLimiter(AT_A_TIME)
        return self._limiter

    def keep(self, new: NewRun, of: str) -> str:
        """Keep a plan for a while, for the one who asked for it; return what it is asked by."""
        key = secrets.token_urlsafe(12)
        self._kept[key] = _Kept(new=new, of=of, at=time.monotonic())
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return key

    def kept(self, key: str, of: str) -> NewRun:
        """Return a plan that was kept. NotThere."""
        found = self._kept.get(key)
        if found is None or found.of != of or time.monotonic() - found.at > KEPT_FOR:
            raise NotThere("that preview is over", way_out="make it anew")
        return found.new
