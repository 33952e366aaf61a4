"""From a task's plan to what a backend is given: all that its JSON left open is filled in."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hopper.config.backends import Backend
from hopper.config.names import nearest
from hopper.config.workflows import Environment
from hopper.errors import UsageError
from hopper.model.job import JobSpec
from hopper.model.resources import Requirements
from hopper.model.run import GitVersion, Run
from hopper.model.task import BatchResources, RetryRule, Task
from hopper.workflows.expand import TaskPlan
from hopper.workflows.fields import CacheScope
from hopper.workflows.tasks import TaskEntry

_AUTOMATIC = ("HOPPER_", "SCRIPTHUT_")
_NO_HASHES: Mapping[str, str] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What the tasks of a run are built with."""

    run: Run
    backend: Backend
    environments: Sequence[Environment] = ()
    retries: int = 0
    """How often a task is tried again that does not say so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """A task ready to become a job."""

    task: Task
    spec: JobSpec
    """Without what it comes after: the ids of these jobs are not known here."""
    warning: str = ""
    """What was odd, for a person."""


def build(
    plan: TaskPlan, around: Surroundings, *, input_hashes: Mapping[str, str] = _NO_HASHES
) -> Built:
    """Return the task that a plan comes to in a run.

    ``input_hashes``: SHA-256 by input, as the task writes it. Without those of all its inputs
    the task has no ``cache_key``.
    """
    entry = plan.entry
    environment = find_environment(entry.environment, around.environments)
    key = _cache_key(entry, around, environment, input_hashes)
    task = Task(
        id=entry.id,
        command=entry.command,
        working_dir=_working_dir(entry, around),
        resources=_resources(entry, around.backend),
        environment=entry.environment,
        variables=variables(around.run, environment, entry.env_vars),
        init=_init(around.backend, environment),
        output_file=entry.output_file,
        error_file=entry.error_file,
        generates_source=entry.generates_source,
        inputs=entry.inputs,
        outputs=entry.outputs,
        retry=_retry_rule(entry),
        cache=entry.cache,
        cache_key=key,
        input_sums=tuple(input_hashes[item] for item in entry.inputs) if key else (),
    )
    warning = ""
    if entry.environment and environment is None:
        names = [known.name for known in around.environments]
        hint = nearest(entry.environment, names, "environments")
        warning = f"task {entry.id}: there is no environment {entry.environment!r}; {hint}"
    return Built(task=task, spec=_spec(entry, around), warning=warning)


def find_environment(name: str, environments: Sequence[Environment]) -> Environment | None:
    """Return the environment of that name, or None."""
    return next((known for known in environments if name and known.name == name), None)


def variables(
    run: Run, environment: Environment | None, own: Mapping[str, str]
) -> Mapping[str, str]:
    """Return a task's variables: automatic ones, the environment's, its own; later ones win."""
    named = {} if environment is None else environment.variables
    merged: dict[str, str] = {}
    for group in (_automatic(run), named, own):
        for name, value in group.items():
            # It is set where its last value stands, so that this may build on others.
            merged.pop(name, None)
            merged[name] = value
    return merged


def _automatic(run: Run) -> dict[str, str]:
    said = {
        "WORKFLOW": run.workflow,
        "RUN_ID": run.id,
        "CREATED_AT": run.created_at.isoformat(timespec="seconds"),
    }
    if run.git is not None:
        said |= {"GIT_REPO": run.git.repo, "GIT_BRANCH": run.git.branch, "GIT_SHA": run.git.sha}
    return {f"{prefix}{name}": value for prefix in _AUTOMATIC for name, value in said.items()}


def _working_dir(entry: TaskEntry, around: Surroundings) -> str:
    if around.backend.workers:
        return folder_on_worker(entry)
    return working_dir(entry.working_dir, around.run.git, around.run.base)


def folder_on_worker(entry: TaskEntry) -> str:
    """Return where a task runs on a worker: ``~`` alone is its own folder, as is a relative one.

    Others are the worker's. UsageError for one that leads out of its own.
    """
    value = entry.working_dir
    if value.startswith(("/", "~/")):
        return value
    inner = posixpath.normpath("." if value.rstrip("/") == "~" else value)
    if inner.startswith(("..", "~")):
        raise UsageError(
            f"task {entry.id}: its working_dir {value!r} leads out of its own folder",
            way_out="name a folder of the workers by its whole path",
        )
    return inner


def working_dir(value: str, git: GitVersion | None, base: str = "") -> str:
    """Return where a task runs on the backend.

    In a git workflow ``~`` alone is the clone and a relative path is below it; elsewhere a
    relative path is below ``base``, or else the home. Other paths stay as they are.
    """
    folder = "" if git is None else git.folder
    if value.rstrip("/") == "~":
        return folder or "~"
    if value.startswith(("/", "~")):
        return value
    below, relative = (folder or base or "~").rstrip("/") or "/", value.removeprefix("./")
    return below if relative in {"", "."} else f"{below.rstrip('/')}/{relative}"


def _resources(entry: TaskEntry, backend: Backend) -> BatchResources:
    return BatchResources(
        cpus=entry.cpus,
        memory=entry.memory,
        time_limit=entry.time_limit,
        partition=entry.partition or backend.partition,
        gpus=entry.gpus,
        gres=entry.gres,
    )


def _init(backend: Backend, environment: Environment | None) -> str:
    parts = [backend.init, "" if environment is None else environment.extra_init]
    return "\n".join(part.rstrip("\n") for part in parts if part.strip())


def _retry_rule(entry: TaskEntry) -> RetryRule:
    rule = entry.retry
    if rule is None:
        return RetryRule()
    return RetryRule(
        on=frozenset(cause.value for cause in rule.on), memory=rule.memory, time=rule.time
    )


def _spec(entry: TaskEntry, around: Surroundings) -> JobSpec:
    retries = entry.retries
    if retries is None:
        retries = around.retries if entry.retry is None else 1
    return JobSpec(
        name=entry.name or entry.id,
        priority=entry.priority,
        requirements=Requirements(
            tags=frozenset(entry.tags), gpus=entry.gpus, time_limit=entry.time_limit
        ),
        retries=retries,
        env=entry.env_vars,
        results=entry.outputs,
    )


def _cache_key(
    entry: TaskEntry,
    around: Surroundings,
    environment: Environment | None,
    input_hashes: Mapping[str, str],
) -> str:
    """Return the SHA-256 of all that a task's result depends on, as far as it says; else nothing.

    Resources are left out: the same work with more memory is the same work. So are the automatic
    variables, which no two runs share. Variables count by name and value, not by their order.
    """
    if not entry.cache or any(item not in input_hashes for item in entry.inputs):
        return ""
    git = around.run.git
    parts: dict[str, object] = {
        "command": entry.command,
        "working_dir": entry.working_dir,
        "inputs": [[item, input_hashes[item]] for item in entry.inputs],
        "outputs": list(entry.outputs),
        "generates_source": entry.generates_source,
        "variables": sorted(entry.env_vars.items()),
        "environment": entry.environment,
        "environment_variables": sorted(environment.variables.items()) if environment else [],
        "init": _init(around.backend, environment),
    }
    if git is None:
        parts["base"] = around.run.base
    elif entry.cache_scope is CacheScope.COMMIT:
        parts["commit"] = [git.repo, git.sha]
    else:
        parts["repo"] = git.repo
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
