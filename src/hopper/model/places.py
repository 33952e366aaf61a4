"""Where things of a run lie at home."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from hopper.model.job import Job

GENERATED = "generated-tasks.json"
"""In a task's folder, what it wrote for its ``generates_source``."""
_ODD = re.compile(r"[^A-Za-z0-9._-]+")


def task_folder(inbox: Path, job: Job) -> Path:
    """Return where what a job's task leaves comes home to."""
    task = job.task.id if job.task is not None else job.name
    return inbox / (_name(job.run) if job.run else "jobs") / _name(task if job.run else job.id)


def _name(text: str) -> str:
    clean = _ODD.sub("_", text).lstrip(".")[:100]
    return clean if clean == text else f"{clean}-{zlib.crc32(text.encode()):08x}"
