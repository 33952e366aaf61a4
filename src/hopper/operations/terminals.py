"""Terminals in the folders of jobs: on a worker, or on a backend's login node."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hopper.bootstrap import inventory
from hopper.bootstrap.backends import systems
from hopper.dispatch.orders import remote_name
from hopper.errors import HopperError, NotThere, UsageError
from hopper.model.attempt import Attempt, Remains
from hopper.model.job import Job, Origin

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Terminal:
    """How a terminal is opened."""

    words: tuple[str, ...]
    """The local command, to be run on a terminal."""
    place: str
    """The worker or backend."""
    attempt: int


def terminal_for(config: HopperConfig, job: Job, number: int | None = None) -> Terminal:
    """Return how a terminal in the folder of a job's attempt is opened; takes some seconds.

    ``number``: of that attempt, else of the newest. UsageError, NotThere, HopperError where
    there is none.
    """
    from hopper.ansible import terminal

    attempt = attempt_with_folder(job, number)
    if job.backend:
        target = systems(config).targets().get(job.backend)
        if target is None:
            raise HopperError(f"{job.backend} is not in the config any more")
        words = inventory.login_words(config, target.host)
        folder = job.task.working_dir if job.task is not None else "~"
        line = terminal.in_working_dir(folder, _shell(words))
    else:
        worker = inventory.read_inventory(config).workers.get(attempt.worker)
        if worker is None:
            raise HopperError(f"{attempt.worker} is not in the inventory any more")
        words = inventory.login_words(config, worker.name)
        unpack = config.dispatch.remote_unpack_dirname
        line = terminal.in_folder(worker.inbox, remote_name(job), attempt.id, unpack, _shell(words))
    return Terminal(
        words=tuple(terminal.command(words, line)),
        place=job.backend or attempt.worker,
        attempt=attempt.number,
    )


def _shell(words: list[str]) -> str:
    """Return the shell to open: at home that of the person, elsewhere their own there."""
    return "" if words else os.environ.get("SHELL", "/bin/sh")


def attempt_with_folder(job: Job, number: int | None) -> Attempt:
    """Return the attempt whose folder is meant. UsageError, NotThere, HopperError."""
    if job.origin is Origin.EXTERNAL:
        raise UsageError(f"{job.id} was launched by somebody else; hopper knows no folder of it")
    if not job.attempts:
        raise UsageError(f"{job.id} is {job.state} and was on no worker")
    chosen = job.attempts[-1]
    if number is not None:
        found = [attempt for attempt in job.attempts if attempt.number == number]
        if not found:
            raise NotThere(f"{job.id} has no attempt {number}")
        chosen = found[0]
    gone = chosen.remains is Remains.GONE
    # On a backend it is the task's own folder, which hopper does not clean away.
    unwanted = not chosen.open and chosen.remains is Remains.UNWANTED
    if not job.backend and (gone or unwanted):
        raise HopperError(
            f"the folder of attempt {chosen.number} on {chosen.worker} was cleaned away",
            way_out=f"its zip is at home: 'hopper show {job.id}'",
        )
    return chosen
