"""Waiting for jobs to end, with a progress bar on a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import click

from hopper.bootstrap.state import dispatching, read_state
from hopper.cli.common import console
from hopper.config.model import HopperConfig
from hopper.model.job import Job
from hopper.model.states import JobState

LOOK_EVERY = 0.2
"""Seconds between looks at what the dispatcher has written."""
TIMED_OUT = 124
"""Exit code of a wait that was given up, as that of timeout(1)."""


@dataclass(frozen=True, kw_only=True)
class Waited:
    """What came of a wait."""

    ended: tuple[Job, ...]
    open: tuple[str, ...]
    """Jobs that have not ended, in time or because one of the others was enough."""
    timed_out: bool = False

    @property
    def exit_code(self) -> int:
        """0 when all that ended has completed, 1 when not, 124 when time ran out."""
        if self.timed_out:
            return TIMED_OUT
        return int(any(job.state is not JobState.COMPLETED for job in self.ended))


def wait_for(
    config: HopperConfig,
    ids: Sequence[str],
    *,
    timeout: timedelta | None = None,
    one_is_enough: bool = False,
) -> Waited:
    """Wait until the jobs have ended (one of them with ``one_is_enough``), or time is out."""
    deadline = None if timeout is None else time.monotonic() + timeout.total_seconds()
    _hint(config, ids)
    with read_state(config) as store, _progress(len(ids)) as show:
        waiting = list(dict.fromkeys(ids))
        ended: dict[str, Job] = {}
        while True:
            for job_id in waiting:
                # What left the live file has ended before.
                job = store.jobs.get(job_id) or store.job(job_id)
                if job is not None and job.state.terminal:
                    ended[job_id] = job
            waiting = [job_id for job_id in waiting if job_id not in ended]
            show(len(ended))
            if not waiting or (one_is_enough and ended):
                return Waited(ended=tuple(ended.values()), open=tuple(waiting))
            if deadline is not None and time.monotonic() >= deadline:
                return Waited(ended=tuple(ended.values()), open=tuple(waiting), timed_out=True)
            time.sleep(LOOK_EVERY)
            store.refresh()


def _hint(config: HopperConfig, ids: Sequence[str]) -> None:
    if dispatching(config) is not None:
        return
    with read_state(config) as store:
        jobs = [store.jobs.get(job_id) for job_id in ids]
    if any(job is not None and not job.state.terminal for job in jobs):
        click.echo("no dispatcher runs; jobs go on when 'hopper dispatch' does", err=True)


def _show_nothing(done: int) -> None:
    del done


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    out = console(stderr=True)
    if not out.is_terminal:
        yield _show_nothing
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    with Progress(
        BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=out, transient=True
    ) as progress:
        task = progress.add_task("", total=total)
        yield lambda done: progress.update(task, completed=done)
