"""From the tasks of a workflow to a run with all its jobs, ready to be entered."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hopper.config.backends import Backend
from hopper.config.workflows import Environment
from hopper.dispatch.run_acts import NewRun, NewTask
from hopper.errors import UsageError
from hopper.model.ids import new_job_id
from hopper.model.run import Run
from hopper.workflows.build import Surroundings, build
from hopper.workflows.documents import Document
from hopper.workflows.expand import NOTHING, TaskPlan, expand
from hopper.workflows.fields import split_input
from hopper.workflows.tasks import TaskEntry

CHUNK = 1 << 20
FOR_CLUSTERS = ("cpus", "memory", "partition", "gres")
"""Fields that only batch systems look at."""


def plan_run(
    document: Document,
    run: Run,
    backend: Backend,
    *,
    environments: Sequence[Environment] = (),
    retries: int = 0,
    files: Path | None = None,
) -> NewRun:
    """Return a run with the jobs of its tasks. InvalidWorkflow for tasks that cannot be.

    ``files`` is the folder at home that the tasks' ``inputs`` are below.
    """
    around = Surroundings(run=run, backend=backend, environments=environments, retries=retries)
    tasks, warnings = plan_tasks(document, around, files=files)
    return NewRun(run=replace(run, warnings=(*run.warnings, *warnings)), tasks=tasks)


def plan_tasks(
    document: Document,
    around: Surroundings,
    *,
    existing: Mapping[str, str] = NOTHING,
    taken: Iterable[str] = (),
    files: Path | None = None,
) -> tuple[tuple[NewTask, ...], tuple[str, ...]]:
    """Return the jobs of a document's tasks, and what was odd about them.

    ``existing``: tasks that the run has already, with the ids of their jobs; ``taken``: ids that
    no new job may have. InvalidWorkflow for tasks that cannot be, and then none of them is.
    """
    plans = expand(document, existing=existing)
    ids, used = dict(existing), {*existing.values(), *taken}
    for plan in plans:
        ids[plan.id] = _fresh(plan.id, used)
        used.add(ids[plan.id])
    hashes = _Hashes(files)
    tasks: list[NewTask] = []
    warnings: dict[str, None] = {}
    for plan in plans:
        built = build(plan, around, input_hashes=hashes.of(plan.entry.inputs, plan.id))
        inputs = tuple(hashes.placed(entry, plan.id) for entry in built.task.inputs)
        after = tuple(ids[dep] for dep in plan.deps)
        spec = replace(built.spec, after=after)
        task = replace(built.task, inputs=inputs)
        size = hashes.size_of(plan.entry.inputs)
        tasks.append(NewTask(job=ids[plan.id], spec=spec, task=task, input_bytes=size))
        if built.warning:
            warnings[built.warning] = None
    if around.backend.workers and (names := _unknown_to_workers(plans)):
        text = " and ".join(names)
        warnings[f"workers know nothing of {text}: a task takes a slot and its gpus"] = None
    return tuple(tasks), tuple(warnings)


def _unknown_to_workers(plans: Iterable[TaskPlan]) -> list[str]:
    """Return what tasks ask for that workers do not look at."""
    usual = {name: TaskEntry.model_fields[name].default for name in FOR_CLUSTERS}
    return [
        name
        for name, default in usual.items()
        if any(getattr(plan.entry, name) != default for plan in plans)
    ]


def _fresh(name: str, used: set[str]) -> str:
    while (job_id := new_job_id(name, secrets.choice)) in used:
        pass
    return job_id


class _Hashes:
    """The digests of the files at home that tasks take along, each read once."""

    def __init__(self, files: Path | None) -> None:
        self._folder = files
        self._known: dict[str, str] = {}
        self._sizes: dict[str, int] = {}

    def size_of(self, inputs: Sequence[str]) -> int:
        """Return the bytes of inputs whose digests are known."""
        return sum(self._sizes.get(entry, 0) for entry in inputs)

    def of(self, inputs: Sequence[str], task: str) -> Mapping[str, str]:
        """Return the digest of each input, as the task writes it. UsageError for a missing one."""
        return {entry: self._digest(entry, task) for entry in inputs}

    def placed(self, entry: str, task: str) -> str:
        """Return an input with its path made absolute."""
        path, name = split_input(entry)
        return f"{self._path(path, task)}:{name}"

    def _path(self, path: str, task: str) -> Path:
        """Return where an input lies, which nothing may lead out of the workflow's folder."""
        if self._folder is None:
            raise UsageError(f"task {task}: inputs can only be named by a workflow file at home")
        whole = (self._folder / path).resolve()
        if not whole.is_relative_to(self._folder.resolve()):
            raise UsageError(f"task {task}: its input {path} leads out of {self._folder}")
        return whole

    def _digest(self, entry: str, task: str) -> str:
        path = self._path(split_input(entry)[0], task)
        if entry not in self._known:
            try:
                digest = hashlib.sha256()
                with path.open("rb") as file:
                    while piece := file.read(CHUNK):
                        digest.update(piece)
                    self._sizes[entry] = file.tell()
            except OSError as error:
                reason = error.strerror or error
                raise UsageError(
                    f"task {task}: its input {path} cannot be read: {reason}"
                ) from error
            self._known[entry] = digest.hexdigest()
        return self._known[entry]
