"""What tasks of runs leave finds its place: a folder ``paths.inbox``/RUN/TASK for each.

In it are ``stdout.log`` and ``stderr.log``, ``system.log`` where the batch system said something
beside them, the files of the task's output folder and what its ``outputs`` name.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

from hopper.errors import HopperError
from hopper.home.files import free_names, sha256, sync_folder, trouble
from hopper.model.attempt import ResultFile
from hopper.model.job import Job
from hopper.model.orders import Collected
from hopper.model.places import GENERATED, task_folder

LOG_NAMES = {"log": "stdout.log", "errors": "stderr.log", "system": "system.log"}
OWNER = ".hopper-attempt"
"""Names the attempt whose results a folder holds."""
MANIFEST = ".hopper-files"
"""Lists the files of a folder that equal tasks may take."""
LISTED = 200
"""Files of one task that its job remembers by name."""


def land_task(inbox: Path, job: Job, files: Sequence[Collected]) -> tuple[ResultFile, ...]:
    """Put what an attempt left into its task's folder; may be repeated.

    What an earlier attempt left is moved aside, ``TASK.try1`` and so on, never overwritten.
    """
    attempt = job.attempt
    if attempt is None:
        raise HopperError(f"{job.id} has no attempt whose results could come home")
    folder = task_folder(inbox, job)
    with trouble(f"cannot bring the results of {job.id} home to {folder}"):
        if owner_of(folder) != attempt.id:
            _assemble(folder, attempt.id, files)
        return _listed(inbox, folder)


def owner_of(folder: Path) -> str:
    """Return the attempt whose results a folder holds; empty for none."""
    try:
        return (folder / OWNER).read_text("utf-8").strip()
    except OSError:
        return ""


def _assemble(folder: Path, attempt: str, files: Sequence[Collected]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(f".{folder.name}.{attempt}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    for file in files:
        if file.kind == "tar":
            with zipfile.ZipFile(file.path) as archive:
                archive.extractall(part)
    for file in files:
        name = GENERATED if file.kind == "tasks" else LOG_NAMES.get(file.kind)
        if name is not None:
            shutil.copyfile(file.path, part / _free(part, name))
    (part / OWNER).write_text(f"{attempt}\n", "utf-8")
    sync_folder(part)
    show(part, folder)


def show(part: Path, folder: Path) -> None:
    """Give a whole folder its name; what had that name is moved aside."""
    if folder.exists():
        tries = (folder.with_name(f"{folder.name}.try{number}") for number in range(1, 1_000_000))
        folder.rename(next(path for path in tries if not path.exists()))
    part.rename(folder)
    sync_folder(folder.parent)


def _free(folder: Path, name: str) -> str:
    return next(free for free in free_names(name) if not (folder / free).exists())


def _listed(inbox: Path, folder: Path) -> tuple[ResultFile, ...]:
    found: list[ResultFile] = []
    for path in sorted(folder.rglob("*")):
        if path.name in {OWNER, MANIFEST} or path.is_symlink() or not path.is_file():
            continue
        if len(found) == LISTED:
            break
        name = str(path.relative_to(inbox))
        found.append(ResultFile(name=name, size=path.stat().st_size, sha256=sha256(path)))
    return tuple(found)
