"""Answers the commands that other processes have left in the mailbox."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from hopper.dispatch.ports import Letter, Mailbox
from hopper.errors import HopperError, UsageError

CarryOut = Callable[[Mapping[str, object]], Mapping[str, object]]
"""Carries out a command and returns its answer."""


class Letters:
    """The commands that wait for an answer; each is carried out once, in turn."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._waiting: deque[Letter] = deque()

    def answer(self, carry_out: CarryOut) -> None:
        """Carry out all that have come, and answer them."""
        self._waiting.extend(self._mailbox.take())
        while self._waiting:
            letter = self._waiting[0]
            answer = _answer(letter, carry_out)
            self._waiting.popleft()
            self._mailbox.answer(letter, answer)


def _answer(letter: Letter, carry_out: CarryOut) -> Mapping[str, object]:
    try:
        return carry_out(letter.body)
    except UsageError as error:
        return {"error": str(error), "usage": True}
    except HopperError as error:
        return {"error": str(error)}
    except Exception as error:  # noqa: BLE001 - one bad command must not keep the others waiting
        return {"error": f"{type(error).__name__}: {error}"}
