"""Changes of the state that a person asks for."""

from __future__ import annotations

import getpass
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hopper.bootstrap.adapters import LetterBox, SystemClock
from hopper.bootstrap.backends import systems
from hopper.bootstrap.settings import order_settings, policy_settings
from hopper.bootstrap.state import dispatching
from hopper.config.model import HopperConfig
from hopper.dispatch.ports import NoFleet, NoRoster
from hopper.errors import HopperError, UsageError
from hopper.store.errors import LockHeld
from hopper.store.lock import StateLock
from hopper.store.mailbox import ANSWER_SECONDS, ask
from hopper.store.state import StateStore

if TYPE_CHECKING:
    from hopper.dispatch.loop import Dispatcher

LOCK_PATIENCE = 5.0
"""Seconds to wait for another short command to let go of the state folder."""
JOB_SECONDS = 0.01
"""What a command may take the dispatcher for each job that it names."""


def give(config: HopperConfig, body: Mapping[str, object]) -> Mapping[str, object]:
    """Have a change of the state made: by the dispatcher when one runs, else here.

    ``by`` of the body is who asks for it; else it is the person whose process this is.

    Raises UsageError or HopperError with the refusal, NoAnswer when a dispatcher holds the
    state and does not answer within 10 s (and some more for many jobs).
    """
    body = {"by": person(), **body}
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            return _direct(config, body)
        except LockHeld:
            if dispatching(config) is not None:
                return _checked(ask(config.paths.db, body, timeout=_answer_patience(body)))
            if time.monotonic() > deadline:
                raise


def asked_by(by: str | None) -> dict[str, str]:
    """Return what says in a body who asks for it; nothing for the person whose process this is."""
    return {} if by is None else {"by": by}


def person() -> str:
    """Return the login name of the person whose process this is; empty where there is none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _answer_patience(body: Mapping[str, object]) -> float:
    """Return the seconds that an answer may take: each job may be a file to move."""
    jobs = body.get("jobs")
    return ANSWER_SECONDS + (JOB_SECONDS * len(jobs) if isinstance(jobs, list) else 0.0)


def _checked(answer: Mapping[str, object]) -> Mapping[str, object]:
    error = answer.get("error")
    if error is None:
        return answer
    raise UsageError(str(error)) if answer.get("usage") else HopperError(str(error))


def _direct(config: HopperConfig, body: Mapping[str, object]) -> Mapping[str, object]:
    with state_for_change(config) as dispatcher:
        return dispatcher.carry_out(body)


@contextmanager
def state_for_change(config: HopperConfig) -> Iterator[Dispatcher]:
    """Hold the state for a moment while no dispatcher does. LockHeld when one does."""
    from hopper.dispatch.loop import Dispatcher, Ports
    from hopper.home.at_home import FilesAtHome
    from hopper.store.eventlines import EventLines

    folder = config.paths.db
    lock = StateLock.acquire(folder)
    store = StateStore.open(folder, lock=lock)
    lines = EventLines(config.paths.log)
    try:
        yield Dispatcher(
            Ports(
                store=store,
                fleet=NoFleet(),
                home=FilesAtHome(config),
                roster=NoRoster(),
                mailbox=LetterBox(folder),
                log=lines,
                clock=SystemClock(),
                upkeep=lambda _: (),
                systems=systems(config),
            ),
            policy_settings(config),
            order_settings(config),
        )
    finally:
        lines.close()
        store.close()
        lock.release()
