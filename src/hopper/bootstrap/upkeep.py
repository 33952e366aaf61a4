"""What the dispatcher clears away from time to time."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta

from hopper.ansible.runs import purge
from hopper.backends.systems import script_path
from hopper.bootstrap.backends import SCRIPTS
from hopper.bootstrap.settings import LOOKS
from hopper.config.model import HopperConfig
from hopper.dispatch.ports import Upkeeping
from hopper.home.at_home import LOGS, FilesAtHome
from hopper.model.ids import ATTEMPT_ID, JOB_ID
from hopper.model.job import Job
from hopper.store.mailbox import Mailbox
from hopper.store.state import StateStore

DAY = 86_400.0


def upkeep(store: StateStore, home: FilesAtHome, config: HopperConfig) -> Upkeeping:
    """Return what clears away texts, logs and runs that are kept long enough."""
    mailbox = Mailbox(config.paths.db)

    def keep_up(now: datetime) -> Collection[str]:
        mailbox.clean(now.timestamp())
        open_attempts = {
            attempt.id for job in store.jobs.values() if (attempt := job.open_attempt) is not None
        }
        home.purge(open_attempts)
        purge(config.paths.db / LOOKS, older_than=DAY)
        days = config.retention.history_days
        return store.maintain(
            now,
            keep=timedelta(days=config.retention.days),
            history=timedelta(days=days) if days is not None else None,
            on_gone=lambda job: forget_texts(config, job),
        ).problems

    return keep_up


def forget_texts(config: HopperConfig, job: Job) -> None:
    """Remove the logs and scripts in ``paths.db`` of a job that goes away for good."""
    # What names a folder to be removed is looked at once more.
    if JOB_ID.match(job.id):
        shutil.rmtree(config.paths.db / LOGS / job.id, ignore_errors=True)
    arrays = {place[0] for attempt in job.attempts if (place := attempt.array_place)}
    for name in {attempt.id for attempt in job.attempts} | arrays:
        if ATTEMPT_ID.match(name):
            with suppress(OSError):
                script_path(config.paths.db / SCRIPTS, name).unlink()
