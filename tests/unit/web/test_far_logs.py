"""Looks at logs where jobs run: few, one at a time each, ended when nobody asks."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from hopper.config.model import HopperConfig
from hopper.model.attempt import Attempt
from hopper.model.job import Job
from hopper.model.orders import LogPart
from hopper.model.states import JobState
from hopper.operations.log_asking import NoContact
from hopper.web.far_logs import MOST, FarLogs
from tests.unit.web.following.states import a_job


@dataclass
class Talk:
    job: str
    closed: bool = False
    at_a_time: int = 0
    most: int = 0
    asked: list[int] = field(default_factory=list)

    def part(self, job: Job, attempt: Attempt, offset: int, *, errors: bool) -> LogPart | None:
        del errors
        assert job.id == self.job
        self.at_a_time += 1
        self.most = max(self.most, self.at_a_time)
        self.asked.append(offset)
        time.sleep(0.01)
        self.at_a_time -= 1
        return LogPart(attempt=attempt.id, size=5, offset=max(0, offset), text="hello")

    def close(self) -> None:
        self.closed = True


class World:
    def __init__(self) -> None:
        self.talks: list[Talk] = []
        config: Any = None
        self.far = FarLogs(config, self.opened)

    def opened(self, config: HopperConfig, job: Job, limit: int) -> Talk:
        del config, limit
        self.talks.append(Talk(job.id))
        return self.talks[-1]

    async def look(self, job_id: str) -> bytes:
        job = replace(a_job(job_id, state=JobState.RUNNING, worker="w1"))
        piece = await self.far.piece(job, job.attempts[0], errors=False, start=0)
        return piece.content


def test_one_talk_serves_all_who_look_at_a_job_one_after_the_other() -> None:
    async def scene() -> None:
        world = World()
        found = await asyncio.gather(*(world.look("job-a") for _ in range(5)))
        assert found == [b"hello"] * 5
        (talk,) = world.talks
        assert talk.most == 1

    asyncio.run(scene())


def test_only_a_few_logs_are_looked_at_and_an_idle_talk_makes_room() -> None:
    async def scene() -> None:
        world = World()
        for number in range(MOST):
            await world.look(f"job-{number}")
        with pytest.raises(NoContact):
            await world.look("job-more")
        await world.far.end_idle(float("inf"))
        assert all(talk.closed for talk in world.talks)
        assert await world.look("job-more") == b"hello"
        assert len(world.far) == 1

    asyncio.run(scene())


def test_a_talk_that_is_asked_stays() -> None:
    async def scene() -> None:
        world = World()
        await world.look("job-a")
        await world.far.end_idle(float("-inf"))
        assert not world.talks[0].closed

    asyncio.run(scene())


def test_all_talks_end_with_the_server() -> None:
    async def scene() -> None:
        world = World()
        keeping = asyncio.create_task(world.far.keep())
        await world.look("job-a")
        keeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping
        assert world.talks[0].closed

    asyncio.run(scene())
