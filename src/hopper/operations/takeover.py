"""Takes over the open jobs of a jobhopper: ``hopper import``. May be repeated."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hopper.bootstrap import commands
from hopper.bootstrap.state import read_state
from hopper.config.jobhopper import OpenJob
from hopper.config.model import HopperConfig
from hopper.dispatch.commands import arrival_to_json
from hopper.errors import HopperError
from hopper.home.at_home import FilesAtHome, arrival
from hopper.home.files import move_new
from hopper.model.ids import new_attempt_id, slug

QUEUED = "queued"


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What became of one job of jobhopper's."""

    job_id: str
    """jobhopper's id."""
    said: str
    """What became of it, in words."""
    ok: bool = True
    """False when it could not be taken over."""
    hopper_id: str = ""
    """Its id from now on; empty while its zip waits in the queue folder."""


def take_over(config: HopperConfig, jobs: Sequence[OpenJob]) -> Iterator[Taken]:
    """Take over each job; yield what became of it. A job taken over before stays as it is.

    A queued one becomes pending; one that jobhopper had launched is followed on its worker as
    an external job, and its results are collected.
    """
    home = FilesAtHome(config)
    for job in jobs:
        try:
            if job.state == QUEUED:
                yield _queued(config, home, job)
            else:
                yield _launched(config, job)
        except (HopperError, OSError) as error:
            yield Taken(job_id=job.job_id, said=str(error), ok=False)


def _queued(config: HopperConfig, home: FilesAtHome, job: OpenJob) -> Taken:
    zip_path = job.zip_path
    if zip_path is None:
        return Taken(job_id=job.job_id, said="its zip was not found", ok=False)
    if zip_path.parent.resolve() == config.paths.queue.resolve():
        # Whatever lies there becomes a job by itself; a copy would run it twice.
        return Taken(job_id=job.job_id, said=f"{zip_path.name} waits in the queue folder")
    facts = home.inspect(zip_path)
    spec = home.spec_of(facts, zip_path.stem)
    job_id = stable_id(job)
    with read_state(config) as store:
        known = store.job(job_id) is not None
    if not known:
        home.hand_in(zip_path, job_id)
        body = arrival_to_json(arrival(job_id, spec, zip_path.name, facts))
        commands.give(config, {"do": "submit", **body})
    return Taken(job_id=job.job_id, said="pending", hopper_id=job_id)


def _launched(config: HopperConfig, job: OpenJob) -> Taken:
    if not job.worker:
        return Taken(job_id=job.job_id, said=f"is {job.state} without a worker", ok=False)
    queue, running = config.paths.queue, config.paths.running
    if job.zip_path is not None and job.zip_path.parent.resolve() == queue.resolve():
        # What lies in the queue folder would be launched a second time.
        move_new(job.zip_path, running / job.zip_path.name)
    body = {
        "do": "adopt",
        "job": stable_id(job),
        "attempt": new_attempt_id(secrets.choice),
        "worker": job.worker,
        "name": job.job_id,
        "reason": f"{job.state} in jobhopper",
    }
    hopper_id = str(commands.give(config, body)["job"])
    return Taken(job_id=job.job_id, said=f"followed on {job.worker}", hopper_id=hopper_id)


def stable_id(job: OpenJob) -> str:
    """Return the id that a job of jobhopper's gets, the same each time."""
    stem = Path(job.zip_path).stem if job.zip_path is not None else job.job_id[:12]
    tail = hashlib.sha256(job.job_id.encode()).hexdigest()[:6]
    return f"{slug(stem)[:24]}-{tail}"
