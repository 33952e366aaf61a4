"""Looks at logs where jobs run: a connection is kept for each job that somebody looks at.

They are few, since each is a talk with a worker or a login node; one that nobody asks any more
is ended.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hopper.config.model import HopperConfig
from hopper.errors import HopperError
from hopper.model.attempt import Attempt
from hopper.model.job import Job
from hopper.operations.log_asking import FarEnd, NoContact, far_end
from hopper.operations.log_pieces import Piece, piece_from_afar
from hopper.web.changing import apart

log = logging.getLogger(__name__)

MOST = 4
"""Talks at a time."""
IDLE = 45.0
"""Seconds after which a talk that nobody asks anything is ended."""
LOOK_EVERY = 10.0
LIMIT = 1 << 18
"""Bytes that are asked for at a time."""
Open = Callable[[HopperConfig, Job, int], FarEnd]


@dataclass(slots=True)
class _Talk:
    far: FarEnd
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    asked: float = field(default_factory=time.monotonic)
    waiting: int = 0


class FarLogs:
    """The talks that are open. Lives in the event loop."""

    def __init__(self, config: HopperConfig, opened: Open = far_end) -> None:
        self._config = config
        self._open = opened
        self._talks: dict[str, _Talk] = {}

    def __len__(self) -> int:
        return len(self._talks)

    async def piece(
        self, job: Job, attempt: Attempt, *, errors: bool, start: int | None, limit: int = LIMIT
    ) -> Piece:
        """Return a part of a log, as piece_from_afar. NoContact, also where too many are open."""
        talk = self._talk(job)
        talk.waiting += 1
        try:
            async with talk.turn:
                return await apart(
                    lambda: piece_from_afar(
                        talk.far, job, attempt, errors=errors, start=start, limit=min(limit, LIMIT)
                    )
                )
        finally:
            talk.waiting -= 1
            talk.asked = time.monotonic()

    def _talk(self, job: Job) -> _Talk:
        known = self._talks.get(job.id)
        if known is not None:
            return known
        if len(self._talks) >= MOST:
            raise NoContact(
                f"{MOST} logs of running jobs are being looked at", way_out="try again in a minute"
            )
        talk = self._talks[job.id] = _Talk(self._open(self._config, job, LIMIT))
        return talk

    async def keep(self) -> None:
        """End the talks that nobody needs any more, until cancelled; then all of them."""
        try:
            while True:
                await asyncio.sleep(LOOK_EVERY)
                await self.end_idle(time.monotonic() - IDLE)
        finally:
            talks, self._talks = list(self._talks.values()), {}
            for talk in talks:
                _close(talk.far)

    async def end_idle(self, before: float) -> None:
        """End the talks that were asked last before then, by the monotonic clock."""
        for job_id, talk in list(self._talks.items()):
            if not talk.waiting and talk.asked < before:
                del self._talks[job_id]
                await apart(lambda far=talk.far: _close(far))  # type: ignore[misc]


def _close(far: FarEnd) -> None:
    try:
        far.close()
    except (HopperError, OSError) as refusal:
        log.warning("a look at a log could not be ended well: %s", refusal)
