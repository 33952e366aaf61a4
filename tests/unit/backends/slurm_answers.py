"""Captured answers of Slurm, put into the form in which hopper asks for them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from hopper.backends.base import BackendSettings, Followed
from hopper.backends.slurm import Slurm
from hopper.backends.slurm_reading import ACCOUNTING_FIELDS, QUEUE_FIELDS
from hopper.model.batch import Said
from hopper.model.native import BatchReading, NativeSighting
from tests.unit.backends import captured

NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
SLURM = Slurm(BackendSettings(name="c", kind="slurm"))
US = "\x1f"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def followed(*ids: str) -> list[Followed]:
    return [
        Followed(attempt=f"a{number:09d}", native_id=native, submitted_at=NOW)
        for number, native in enumerate(ids)
    ]


def epoch(text: str) -> str:
    return _TIME.sub(
        lambda at: str(int(datetime.fromisoformat(at[0]).replace(tzinfo=UTC).timestamp())), text
    )


def queue_lines() -> list[str]:
    """Return the captured squeue with the fields that hopper asks for."""
    command, said = captured.slurm("squeue_o_pipe")
    asked = command.split("'")[1].split("|")
    lines = []
    for line in said.stdout.splitlines():
        # The one comment with a separator in it.
        values = line.replace("c,|x", "comment").split("|")
        fields = dict(zip(asked, values, strict=True))
        fields["%N"] = "" if fields["%R"].startswith("(") else fields["%R"]
        lines.append(epoch(US.join(fields[field] for field in QUEUE_FIELDS)))
    return lines


def accounting_lines(name: str = "sacct_parsable2_all") -> list[str]:
    _, said = captured.slurm(name)
    header, *rows = said.stdout.splitlines()
    lines = []
    for row in rows:
        fields = dict(zip(header.split("|"), row.split("|"), strict=True))
        fields["ElapsedRaw"] = "7"
        lines.append(epoch(US.join(fields.get(field, "") for field in ACCOUNTING_FIELDS)))
    return lines


def poll(queue: list[str] | None, accounting: list[str] | None = None, **said: str) -> Said:
    text = "" if queue is None else "\n".join([*queue, "=hopper-queue 0", ""])
    if accounting is not None:
        text += "\n".join([*accounting, "=hopper-accounting 0", ""])
    return Said(code=0, stdout=text, stderr=said.get("stderr", ""))


def read(said: Said, *ids: str) -> BatchReading:
    return SLURM.read({"jobs": said}, followed(*ids))


def by_id(reading: BatchReading) -> dict[str, NativeSighting]:
    assert len({job.native_id for job in reading.jobs}) == len(reading.jobs)
    return {job.native_id: job for job in reading.jobs}
