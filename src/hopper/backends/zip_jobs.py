"""A zip for a batch system, as the task that unpacks and runs it there as a worker would.

In the attempt's side folder: ``inbox`` with the zip and where it is unpacked, ``outbox`` for the
results that it packs itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from hopper.config.backends import Backend
from hopper.config.launch_template import DEFAULT_TEMPLATE, shell_line
from hopper.dispatch.growing import resources_of
from hopper.model.job import Job
from hopper.model.task import Task
from hopper.remote.quoting import quote
from hopper.remote.script import source

_HAVE = 'have() { command -v "$1" >/dev/null 2>&1; }\n'


@dataclass(frozen=True, kw_only=True, slots=True)
class ZipLaunch:
    """How zips are launched, by the config."""

    command: str = shell_line(DEFAULT_TEMPLATE)
    """The launch template, rendered into shell."""
    unpack_dirname: str = "job"
    time_limit: timedelta | None = None
    """Of jobs that name none."""


def as_task(job: Job, backend: Backend, launch: ZipLaunch) -> Task:
    """Return what a job that is a zip is on a batch system."""
    wanted = resources_of(job.spec)
    return Task(
        id=job.id,
        command=_command(job, launch),
        resources=replace(
            wanted,
            partition=wanted.partition or backend.partition,
            time_limit=wanted.time_limit or launch.time_limit,
        ),
        variables=job.spec.env,
        init=backend.init,
    )


def _command(job: Job, launch: ZipLaunch) -> str:
    name = quote(f"{job.id}.zip")
    return f"""\
exec 2>&1
{_HAVE}{source("unpack.sh")}\
export HOPPER_INBOX="$HOPPER_TASK_DIR/inbox" HOPPER_OUTBOX="$HOPPER_TASK_DIR/outbox"
export HOPPER_ZIP_NAME={name} HOPPER_SLOT=0
export HOPPER_EXTRACT_DIR="$HOPPER_INBOX"/{quote(f"{job.id}/{launch.unpack_dirname}")}
mkdir -p "$HOPPER_EXTRACT_DIR" "$HOPPER_OUTBOX" &&
    mv -f "$HOPPER_TASK_DIR/inputs/$HOPPER_ZIP_NAME" "$HOPPER_INBOX/" || exit 125
hopper_sum=$(sha256sum <"$HOPPER_INBOX/$HOPPER_ZIP_NAME")
[ "${{hopper_sum%% *}}" = {job.zip_sha256} ] ||
    {{ echo 'hopper: the zip did not arrive whole'; exit 125; }}
unpack "$HOPPER_INBOX/$HOPPER_ZIP_NAME" "$HOPPER_EXTRACT_DIR" || exit 125
cd "$HOPPER_EXTRACT_DIR" || exit 125
sh -c {quote(launch.command)}
"""
