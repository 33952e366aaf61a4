"""Runs the jobs of a store: starts them when slots are free, ends them when told or too long."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tests.rigs._cluster.batch.store import Job, Store

TICK = 0.05
PATIENCE = 2.0  # seconds between asking a job to end and killing it


@dataclass(frozen=True, kw_only=True, slots=True)
class Ways:
    """In what one batch system differs from another when it runs a job."""

    command: Callable[[Store, Job], Sequence[str]]
    variables: Callable[[Store, Job], Mapping[str, str]]
    folder: Callable[[Job], str]
    asks: signal.Signals
    deliver: Callable[[Store, Job], None]


class Server:
    """The server; `serve` does not return."""

    def __init__(self, store: Store, ways: Ways) -> None:
        self._store = store
        self._ways = ways
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._asked: dict[int, float] = {}
        self._ended: set[int] = set()

    def serve(self) -> None:
        """Run jobs until killed."""
        # What a shell starts in the background is deaf to it, and jobs would inherit that.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        (self._store.folder / "ready").touch()
        while True:
            with self._store.lock():
                self.step(time.time())
            time.sleep(TICK)

    def step(self, now: float) -> None:
        """Look at all jobs once."""
        known = set(self._store.numbers())
        jobs = [job for n in sorted(known - self._ended) if (job := self._store.load(n))]
        free = self._store.setup.slots
        for job in jobs:
            if job.state == "running":
                free -= 0 if self._over(job, now) else job.slots
        for job in jobs:
            if job.state == "ended":
                self._ended.add(job.number)
            elif job.state == "waiting" and job.slots <= free:
                self._start(job, now)
                free -= job.slots

    def _start(self, job: Job, now: float) -> None:
        store, ways = self._store, self._ways
        kept = {} if job.bare else os.environ
        with (
            store.spool(job.number, "out").open("wb") as out,
            store.spool(job.number, "err").open("wb") as err,
        ):
            try:
                child = subprocess.Popen(
                    list(ways.command(store, job)), cwd=ways.folder(job), stdin=subprocess.DEVNULL,
                    stdout=out, stderr=out if job.options.get("join") else err,
                    env={**kept, **job.variables, **ways.variables(store, job)},
                    start_new_session=True,
                )  # fmt: skip
            except OSError:  # no such folder or interpreter
                gone = replace(job, state="ended", started=now, ended=now, code=254)
                store.save(gone)
                return
        self._children[job.number] = child
        store.save(replace(job, state="running", started=now, pid=child.pid))

    def _over(self, job: Job, now: float) -> bool:
        child = self._children.get(job.number)
        if child is None:  # started by a server that is no more
            self._end(job, now, 1)
            return True
        code = child.poll()
        if code is None:
            self._hurry(job, child, now)
            return False
        self._children.pop(job.number)
        self._end(job, now, 128 - code if code < 0 else code)
        return True

    def _end(self, job: Job, now: float, code: int) -> None:
        ended = replace(job, state="ended", ended=now, code=code)
        self._ways.deliver(self._store, ended)
        self._store.save(ended)

    def _hurry(self, job: Job, child: subprocess.Popen[bytes], now: float) -> None:
        late = job.limit is not None and job.started is not None and now > job.started + job.limit
        if not (late or job.kill):
            return
        if job.number not in self._asked:
            self._asked[job.number] = now
            self._store.save(replace(job, why="deleted" if job.kill else "limit"))
            _send(child.pid, self._ways.asks)
        elif now > self._asked[job.number] + PATIENCE:
            _send(child.pid, signal.SIGKILL)


def _send(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return
