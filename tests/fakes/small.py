"""The smaller ports in memory: roster, mailbox, log, bell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hopper.dispatch.ports import Letter
from hopper.model.event import Event
from hopper.model.worker import Worker
from tests.fakes.clock import FakeClock


class FakeRoster:
    def __init__(self, *workers: Worker) -> None:
        self.known = {worker.name: worker for worker in workers}

    def workers(self) -> Mapping[str, Worker]:
        return self.known


class FakeMailbox:
    """Letters wait until they are answered; a new box over the same letters gives them again."""

    def __init__(self, letters: dict[str, Letter] | None = None) -> None:
        self.letters = {} if letters is None else letters
        self.answers: dict[str, Mapping[str, object]] = {}
        self._taken: set[str] = set()

    def leave(self, **body: object) -> str:
        letter_id = f"letter-{len(self.letters) + len(self.answers) + 1}"
        self.letters[letter_id] = Letter(id=letter_id, body=body)
        return letter_id

    def take(self) -> Sequence[Letter]:
        new = [letter for letter in self.letters.values() if letter.id not in self._taken]
        self._taken.update(letter.id for letter in new)
        return new

    def answer(self, letter: Letter, body: Mapping[str, object]) -> None:
        self.answers[letter.id] = body
        self.letters.pop(letter.id, None)
        self._taken.discard(letter.id)


class FakeLog:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def write(self, events: Sequence[Event]) -> None:
        self.events.extend(events)


class FakeBell:
    """Sleeping moves the clock; ``on_wait`` is what happens meanwhile."""

    def __init__(self, clock: FakeClock, on_wait: Callable[[], None] = lambda: None) -> None:
        self.clock = clock
        self.waits: list[float] = []
        self.on_wait = on_wait

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock.advance(seconds)
        self.on_wait()
