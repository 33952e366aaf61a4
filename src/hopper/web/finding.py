"""The jobs, runs and places that an address names: live, or else from the history."""

from __future__ import annotations

from hopper.bootstrap import inventory
from hopper.errors import NotThere, UnknownJob
from hopper.model.ids import JOB_ID
from hopper.model.job import Job
from hopper.store import retention
from hopper.web.changing import apart
from hopper.web.problems import Conflict
from hopper.web.site import Site


async def the_job(site: Site, job_id: str) -> Job:
    """Return the job of that id, live or from the history. UnknownJob."""
    found = site.following.newest_job(job_id)
    if found is None and JOB_ID.match(job_id):
        found = await apart(lambda: retention.find(site.following.folder, job_id))
    if found is None:
        raise UnknownJob(job_id)
    return found


async def changeable_job(site: Site, job_id: str) -> Job:
    """Return a live job that is to be changed. UnknownJob; Conflict for one of the history."""
    found = site.following.newest_job(job_id)
    if found is None:
        await the_job(site, job_id)
        raise Conflict(f"job {job_id} ended long ago and has left for the history")
    return found


async def known_worker(site: Site, name: str) -> str:
    """Return a name that is a worker's of the inventory. NotThere."""
    if name not in (await apart(lambda: inventory.read_inventory(site.config))).workers:
        raise NotThere(f"no worker {name!r}", way_out="see the list of workers")
    return name


def batch_system(site: Site, name: str) -> str:
    """Return a name that is a batch system's of the config. NotThere."""
    known = {one.name for one in site.config.backends if not one.workers}
    if name not in known:
        raise NotThere(f"there is no batch system {name!r}", way_out="see the list of backends")
    return name
