"""Follows an attempt's log: live from its worker by byte offset, from home once it is over.

Of a long log only the end comes home, so offsets there are counted from the log's own size.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hopper.config.model import HopperConfig
from hopper.errors import HopperError, NotThere, UsageError
from hopper.model.attempt import Attempt
from hopper.model.job import Job, Origin
from hopper.model.orders import LogPart
from hopper.operations.log_asking import FarEnd, NoContact, far_end
from hopper.operations.log_text import last_lines
from hopper.operations.whereabouts import log_at_home, system_words

if TYPE_CHECKING:
    from hopper.store.state import StateStore

CHUNK = 1 << 20
"""Bytes that are asked for at a time."""
TAIL_GUESS = 1 << 16
"""Bytes in which the last lines are looked for at first."""
LOOK_EVERY = 0.5
"""Seconds between looks at a worker that has nothing new."""
RETRY_EVERY = 5.0
"""Seconds between tries to reach a worker that does not answer."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What of the log is wanted."""

    attempt: int | None = None
    """Its number; None for the newest."""
    tail: int | None = None
    """Only so many lines or bytes from the end."""
    in_bytes: bool = False
    follow: bool = False
    errors: bool = False
    """The standard error of a run's task, which has it apart."""


class LogReading:
    """One person's look at a log. ``write`` takes its bytes, ``say`` a remark on them."""

    def __init__(
        self,
        config: HopperConfig,
        store: StateStore,
        job_id: str,
        wanted: Wanted,
        *,
        write: Callable[[bytes], None],
        say: Callable[[str], None],
    ) -> None:
        self._config = config
        self._store = store
        self._job_id = job_id
        self._wanted = wanted
        self._write = write
        self._say = say
        self._far: FarEnd | None = None
        self._offset: int | None = None
        """The next byte of the log; None until the first are known."""
        self._lost = ""

    def run(self) -> None:
        """Print what is wanted, and go on until the job has ended when following."""
        number = self._wanted.attempt
        while True:
            job = self._job()
            attempt = self._attempt(job, number)
            if attempt is None:
                if job.state.terminal and number != self._wanted.attempt:
                    return  # it ended before its next try
                if not self._wanted.follow or job.state.terminal:
                    raise HopperError(_no_log(job, number), way_out=f"see 'hopper show {job.id}'")
                self._pause(LOOK_EVERY)
                continue
            self._one(attempt)
            job = self._job()
            if not self._wanted.follow:
                return
            self._say_end(job, attempt)
            if self._wanted.attempt is not None or job.state.terminal:
                return
            number, self._offset = attempt.number + 1, 0

    def close(self) -> None:
        """Let go of the worker or backend."""
        if self._far is not None:
            self._far.close()

    def _job(self) -> Job:
        self._store.refresh()
        job = self._store.job(self._job_id)
        if job is None:
            raise HopperError(f"job {self._job_id} is gone from the state")
        return job

    def _attempt(self, job: Job, number: int | None) -> Attempt | None:
        if job.origin is Origin.EXTERNAL:
            raise UsageError(f"{job.id} was launched by somebody else; hopper has no log of it")
        if self._wanted.errors and job.task is None:
            raise UsageError(f"{job.id} has its standard error in its log", way_out="no --error")
        if number is None:
            return job.attempt
        found = next((a for a in job.attempts if a.number == number), None)
        if found is None and job.attempts and number < job.attempts[-1].number:
            raise NotThere(f"{job.id} has no attempt {number}")
        return found

    def _one(self, attempt: Attempt) -> None:
        """Print one attempt's log, to its end when following."""
        while True:
            current = self._job().find_attempt(attempt.id)
            if current is None:
                return  # taken back: it never started
            path = self._at_home(current)
            if current.open and path is not None and self._wanted.follow:
                self._pause(LOOK_EVERY)  # its outcome is being written down
                continue
            if not current.open or path is not None:
                self._from_home(current, path)
                return
            got = self._live(current)
            if got < CHUNK:
                if not self._wanted.follow:
                    return
                self._pause(LOOK_EVERY if not self._lost else RETRY_EVERY)

    def _say_end(self, job: Job, attempt: Attempt) -> None:
        ended = job.find_attempt(attempt.id)
        if ended is None:
            self._say(f"{job.id}: the launch on {attempt.worker} came to nothing; it waits again")
            return
        outcome = ended.outcome or job.state
        reason = f" ({ended.reason})" if ended.reason else ""
        again = "" if job.state.terminal else "; it is tried again"
        self._say(f"{job.id}: attempt {ended.number} {outcome}{reason}{again}")

    # --- at home

    def _at_home(self, attempt: Attempt) -> Path | None:
        job = self._job()
        return log_at_home(self._config, job, attempt, errors=self._wanted.errors)

    def _size(self, attempt: Attempt) -> int:
        return attempt.error_bytes if self._wanted.errors else attempt.log_bytes

    def _from_home(self, attempt: Attempt, path: Path | None) -> None:
        if path is None or not path.stat().st_size:
            path = self._systems_words(attempt) or path
        if path is None:
            if self._offset is None:
                raise HopperError(f"the log of attempt {attempt.number} did not come home")
            return
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            # What is at home is the end of it.
            base = max(0, self._size(attempt) - size)
            if self._offset is None:
                start = self._tail_at_home(path, size)
                if start == 0 and base:
                    self._say(f"only the last {size} of {self._size(attempt)} bytes came home")
            else:
                start = max(0, self._offset - base)
            file.seek(start)
            while part := file.read(CHUNK):
                self._write(part)
        self._offset = base + size

    def _systems_words(self, attempt: Attempt) -> Path | None:
        """Return what the batch system itself said, where nothing was printed."""
        path = system_words(self._config, self._job(), attempt) if not self._offset else None
        if path is not None and not self._wanted.errors:
            self._say(f"the batch system said something: 'hopper logs --error {self._job_id}'")
            return None
        if path is not None:
            self._say("it wrote no errors; this is what the batch system itself said")
        return path

    def _tail_at_home(self, path: Path, size: int) -> int:
        tail = self._wanted.tail
        if tail is None:
            return 0
        if self._wanted.in_bytes:
            return max(0, size - tail)
        guess = TAIL_GUESS
        with path.open("rb") as file:
            while True:
                file.seek(max(0, size - guess))
                found = last_lines(file.read(guess), tail)
                if found is not None:
                    return size - len(found)
                if guess >= size:
                    return 0
                guess *= 4

    # --- on the worker

    def _live(self, attempt: Attempt) -> int:
        """Print what is new on the worker and return how many bytes came."""
        part = self._first(attempt) if self._offset is None else self._ask(attempt, self._offset)
        if part is None or (self._offset is not None and part.offset != self._offset):
            return 0
        content = part.text.encode("latin-1")
        self._write(content)
        self._offset = part.offset + len(content)
        return len(content)

    def _first(self, attempt: Attempt) -> LogPart | None:
        tail = self._wanted.tail
        if tail is None:
            return self._ask(attempt, 0)
        if self._wanted.in_bytes:
            return self._ask(attempt, -tail) if tail else self._end(self._ask(attempt, -1))
        guess = TAIL_GUESS
        while True:
            part = self._ask(attempt, -guess)
            if part is None:
                return None
            found = last_lines(part.text.encode("latin-1"), tail)
            if found is not None:
                at = part.offset + len(part.text) - len(found)
                return LogPart(
                    attempt=part.attempt, size=part.size, offset=at, text=found.decode("latin-1")
                )
            if part.offset == 0 or guess >= CHUNK:
                return part
            guess *= 4

    @staticmethod
    def _end(part: LogPart | None) -> LogPart | None:
        if part is None:
            return None
        return LogPart(attempt=part.attempt, size=part.size, offset=part.size, text="")

    def _ask(self, attempt: Attempt, offset: int) -> LogPart | None:
        if self._far is None:
            self._far = far_end(self._config, self._job(), CHUNK)
        try:
            part = self._far.part(self._job(), attempt, offset, errors=self._wanted.errors)
        except NoContact as error:
            if not self._wanted.follow:
                raise
            if str(error) != self._lost:
                self._lost = str(error)
                self._say(f"{error.what}; trying on")
            return None
        self._lost = ""
        return part

    def _pause(self, seconds: float) -> None:
        """Wait, no longer than until the dispatcher has written something."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._store.refresh():
            time.sleep(0.1)


def _no_log(job: Job, number: int | None) -> str:
    if number is not None:
        return f"{job.id} has no attempt {number}"
    return f"{job.id} is {job.state} and has not run"
