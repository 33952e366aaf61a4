"""Reads the tasks that tasks wrote, from where their results came home."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hopper.config.model import HopperConfig
from hopper.dispatch.run_acts import NewTask
from hopper.errors import UsageError
from hopper.model.job import Job
from hopper.model.places import GENERATED, task_folder
from hopper.model.run import Run
from hopper.workflows.build import Surroundings
from hopper.workflows.documents import LARGEST, parse
from hopper.workflows.planning import plan_tasks


class GeneratedTasks:
    """What ``generates_source`` of tasks came to, read by the config's environments."""

    def __init__(self, config: HopperConfig) -> None:
        self._config = config

    def tasks(self, run: Run, job: Job, existing: Mapping[str, str]) -> tuple[NewTask, ...]:
        """Return the tasks that a job wrote. HopperError where it wrote none, or wrong ones."""
        backend = next((b for b in self._config.backends if b.name == run.backend), None)
        if backend is None:
            raise UsageError(f"there is no backend {run.backend} in the config")
        around = Surroundings(
            run=run,
            backend=backend,
            environments=self._config.environments,
            retries=self._config.dispatch.retries,
        )
        document = parse(self._read(job), job.task.generates_source if job.task else "")
        clone = Path(run.git.folder) if run.git is not None and run.on_workers else None
        tasks, _ = plan_tasks(document, around, existing=existing, files=clone)
        return tasks

    def _read(self, job: Job) -> bytes:
        path = task_folder(self._config.paths.inbox, job) / GENERATED
        try:
            if path.stat().st_size > LARGEST:
                raise UsageError(f"{path} is larger than {LARGEST} bytes")
            return path.read_bytes()
        except FileNotFoundError as error:
            raise UsageError("it wrote no such file") from error
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
