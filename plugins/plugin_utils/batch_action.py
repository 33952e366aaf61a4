"""What the actions on a batch system have in common: options, and the system they mean."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hopper.backends.base import Backend, BackendSettings
from hopper.backends.registry import backend
from hopper.backends.script import render
from hopper.errors import UsageError
from hopper.model.batch import Submission
from hopper.model.task import BatchResources, Task
from hopper.remote.adhoc_batch import attempt_for
from hopper.remote.adhoc_stands import checked_attempt
from hopper.workflows.units import memory, time_limit

TEMPLATES = Path(__file__).parents[2] / "roles" / "batch_submit" / "templates"

WORK_DIR: dict[str, Any] = {
    "work_dir": {"type": "str", "default": "~/.hopper"},
    "query_timeout": {"type": "int", "default": 30},
}
SYSTEM: dict[str, Any] = {"backend": {"type": "str", "required": True}, **WORK_DIR}
JOBS: dict[str, Any] = {
    "attempts": {"type": "list", "elements": "str", "default": []},
    "native_ids": {"type": "list", "elements": "str", "default": []},
}
TASK: dict[str, Any] = {
    "command": {"type": "str", "required": True},
    "attempt": {"type": "str"},
    "name": {"type": "str", "default": "job"},
    "working_dir": {"type": "str", "default": "~"},
    "env": {"type": "dict", "default": {}},
    "init": {"type": "str", "default": ""},
    "login_shell": {"type": "bool", "default": False},
    "cpus": {"type": "int", "default": 1},
    "memory": {"type": "str", "default": "4G"},
    "time_limit": {"type": "str", "default": "1:00:00"},
    "partition": {"type": "str", "default": ""},
    "gpus": {"type": "int", "default": 0},
    "gres": {"type": "str", "default": ""},
    "account": {"type": "str", "default": ""},
    "queue": {"type": "str", "default": ""},
    "dialect": {"type": "str", "default": "", "choices": ["", "torque"]},
    "output_file": {"type": "str", "default": ""},
    "error_file": {"type": "str", "default": ""},
}


def system_of(arguments: Mapping[str, Any]) -> Backend:
    """Return the batch system that is meant. ConfigError for a kind that nobody knows."""
    kind = str(arguments["backend"])
    return backend(
        BackendSettings(
            name=kind,
            kind=kind,
            account=str(arguments.get("account") or ""),
            queue=str(arguments.get("queue") or ""),
            login_shell=bool(arguments.get("login_shell")),
            dialect=str(arguments.get("dialect") or ""),
        )
    )


def submission_of(system: Backend, arguments: Mapping[str, Any]) -> Submission:
    """Return what is to be handed in. HopperError where it cannot be written."""
    task = task_of(arguments)
    work_dir = str(arguments["work_dir"])
    given = str(arguments.get("attempt") or "")
    # Account and queue are not the task's, but make another job of it.
    place = [system.kind, *(str(arguments.get(key)) for key in ("account", "queue", "login_shell"))]
    attempt = checked_attempt(given) if given else attempt_for(place, task, work_dir)
    side = f"{work_dir.rstrip('/')}/{attempt}"
    limit = task.resources.time_limit
    return Submission(
        attempt=attempt,
        script=render(
            TEMPLATES,
            system.template,
            hopper_side=side,
            attempt=attempt,
            directives=system.directives(task.id, attempt, task.resources, f"{side}/log"),
            log_variables=system.log_variables(),
            command=task.command,
            working_dir=task.working_dir,
            # By the attempt's id its processes are found, wherever they have gone.
            variables={"HOPPER_ATTEMPT_ID": attempt, **task.variables},
            init=task.init,
            output_file=task.output_file,
            error_file=task.error_file,
            login_shell=bool(arguments.get("login_shell")),
        ),
        command=system.submit_command(),
        lookup=system.lookup_command(attempt),
        time_limit=int(limit.total_seconds()) if limit is not None else 0,
    )


def task_of(arguments: Mapping[str, Any]) -> Task:
    """Return the task that the arguments say. UsageError naming the argument that is not right."""
    try:
        amount = memory(arguments["memory"]) if arguments["memory"] else None
        limit = time_limit(arguments["time_limit"]) if arguments["time_limit"] else None
    except ValueError as error:
        raise UsageError(str(error)) from error
    for name, least in (("cpus", 1), ("gpus", 0)):
        if arguments[name] < least:
            raise UsageError(f"{name}: {arguments[name]} is too few", way_out=f"at least {least}")
    return Task(
        id=str(arguments["name"]),
        command=str(arguments["command"]),
        working_dir=str(arguments["working_dir"]),
        resources=BatchResources(
            cpus=arguments["cpus"],
            memory=amount,
            time_limit=limit,
            partition=str(arguments["partition"]),
            gpus=arguments["gpus"],
            gres=str(arguments["gres"]),
        ),
        variables={str(name): str(value) for name, value in (arguments["env"] or {}).items()},
        init=str(arguments["init"]),
        output_file=str(arguments["output_file"]),
        error_file=str(arguments["error_file"]),
    )
