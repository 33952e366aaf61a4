"""Workflows, and what they come to, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hopper.documents.values import Json
from hopper.model import wire

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig
    from hopper.dispatch.run_acts import NewRun, NewTask
    from hopper.model.run import Run
    from hopper.operations.generate import Recipe


def workflow_rows(config: HopperConfig, runs: Mapping[str, Sequence[Run]]) -> list[Json]:
    """Return the workflows of the config and the files of its sources as last seen."""
    from hopper.operations.sources import remembered

    rows = [
        _row(item.name, "command", item.backend, item.description, runs)
        for item in config.workflows
    ]
    seen = remembered(config)
    for source in config.sources:
        files = seen[source.name].files if source.name in seen else ()
        rows += [
            _row(f"{source.name}:{file}", "file", source.backend, source.description, runs)
            for file in files
        ]
    return rows


def _row(
    name: str, kind: str, backend: str, description: str, runs: Mapping[str, Sequence[Run]]
) -> Json:
    latest = runs.get(name, ())
    return {
        "name": name,
        "kind": kind,
        "backend": backend,
        "description": description,
        "last_run": latest[0].id if latest else None,
    }


def recipe_document(recipe: Recipe, runs: Sequence[Run]) -> Json:
    """Return where a workflow's tasks come from."""
    git, owner = recipe.git, recipe.workflow or recipe.source
    return {
        "name": recipe.name,
        "backend": recipe.backend.name,
        "description": owner.description if owner is not None else "",
        "file": str(recipe.file) if recipe.file is not None else recipe.source_file or None,
        "command": recipe.workflow.command if recipe.workflow is not None else None,
        "path": recipe.source.path if recipe.source is not None else None,
        "repo": git.repo if git is not None else None,
        "branch": git.branch if git is not None else None,
        "deploy_key": str(git.deploy_key) if git is not None and git.deploy_key else None,
        "postclone": git.postclone if git is not None else None,
        "max_concurrent": recipe.max_concurrent,
        "runs": [run.id for run in runs[:10]],
    }


def plan_document(new: NewRun) -> Json:
    """Return a run that is to be made."""
    run = new.run
    names = {task.job: task.task.id for task in new.tasks}
    return {
        "workflow": run.workflow,
        "backend": run.backend,
        "max_concurrent": run.max_concurrent,
        "array": run.array or None,
        "git": wire.to_json(run.git) if run.git is not None else None,
        "warnings": list(run.warnings),
        "tasks": [_task_document(task, names) for task in new.tasks],
    }


def started_document(new: NewRun) -> Json:
    """Return a run that was made, with its jobs by task."""
    jobs = {task.task.id: task.job for task in new.tasks}
    return {**plan_document(new), "run": new.run.id, "jobs": jobs}


def _task_document(new: NewTask, names: Mapping[str, str]) -> Json:
    said = wire.to_json(new.task)
    return {
        "id": new.task.id,
        "name": new.spec.name,
        "deps": [names.get(job, job) for job in new.spec.after],
        "priority": new.spec.priority,
        "retries": new.spec.retries,
        **said,
    }
