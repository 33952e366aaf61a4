"""Many clients at once: readers of pages, and readers of the stream who come back when it ends."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from tests.acceptance.person import SECONDS

RETRY = 0.2


@dataclass
class StreamReader:
    """One tab: follows a view, and goes on where it was when the stream breaks off."""

    url: str
    view: str = "jobs"
    jobs: set[str] = field(default_factory=set)
    """Jobs that it was told of."""
    last: str = ""
    hellos: int = 0
    stale: int = 0
    """How many times it was told to look at all anew."""
    refusals: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Follow, until cancelled."""
        while True:
            with suppress(OSError, asyncio.IncompleteReadError, ValueError):
                await self._once()
            await asyncio.sleep(RETRY)

    async def _once(self) -> None:
        at = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(at.hostname, at.port, limit=4_000_000)
        try:
            seen = f"Last-Event-ID: {self.last}\r\n" if self.last else ""
            head = f"GET {at.path}/jobs/stream?view={self.view} HTTP/1.1\r\nHost: {at.netloc}\r\n"
            writer.write(f"{head}{seen}\r\n".encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in answer.split(b"\r\n", 1)[0]:
                self.refusals.append(answer.decode(errors="replace"))
                return
            while True:
                self._take(await reader.readuntil(b"\n\n"))
        finally:
            writer.close()

    def _take(self, message: bytes) -> None:
        fields: dict[str, str] = {}
        for line in message.decode().split("\n"):
            name, _, value = line.partition(": ")
            fields[name] = value
        self.last = fields.get("id", self.last)
        match fields.get("event"):
            case "hello":
                self.hellos += 1
            case "stale":
                self.stale += 1
            case "changed":
                self.jobs.update(json.loads(fields["data"])["jobs"])


@dataclass
class PageReader:
    """One who goes from page to page."""

    url: str
    paths: Sequence[str]
    answers: int = 0
    wrong: list[str] = field(default_factory=list)

    async def run(self, times: int) -> None:
        """Ask for so many pages, one after the other."""
        async with httpx.AsyncClient(timeout=SECONDS) as client:
            for _ in range(times):
                path = random.choice(self.paths)  # noqa: S311 - any will do
                answer = await client.get(f"{self.url}{path}", headers={"Accept": "text/html"})
                self.answers += 1
                if answer.status_code != 200:
                    self.wrong.append(f"{path}: {answer.status_code} {answer.text[:200]}")
