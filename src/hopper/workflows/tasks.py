"""The fields of a task in a workflow's JSON."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hopper.workflows.fields import (
    CacheScope,
    Causes,
    Cpus,
    EnvVars,
    Globs,
    Gpus,
    Gres,
    Growth,
    Inputs,
    Memory,
    Path,
    Priority,
    Retries,
    TaskId,
    Text,
    Texts,
    Time,
    Title,
    Word,
    Words,
)

DEFAULT_MEMORY = 4 * 1024**3
"""Bytes."""
DEFAULT_TIME = timedelta(hours=1)


class _Fields(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Retry(_Fields):
    """Which failures are tried again, and with how much more."""

    on: Causes = Field(
        frozenset(), description="Causes that are tried again; none named means every one."
    )
    memory: Growth = Field(
        1.0, description="What its memory is multiplied by after an oom, such as x2."
    )
    time: Growth = Field(
        1.0, description="What its time limit is multiplied by after a timeout, such as x2."
    )


class TaskEntry(_Fields):
    """One task of a workflow's JSON."""

    id: TaskId = Field(description="Unique in its run; dots make groups.")
    name: Title = Field("", description="What it is called; else its id.")
    command: Text = Field(description="One or more lines of bash.", min_length=1)
    deps: Texts = Field(
        (), description="Ids of tasks that must have completed before; *, ? and […] are wildcards."
    )
    working_dir: Path = Field(
        "~",
        description="Where it runs. In a git workflow ~ is the clone, and a relative path is "
        "below it.",
    )
    partition: Word = Field("", description="Partition or queue; else the backend's default.")
    cpus: Cpus = Field(1, description="CPUs.")
    memory: Memory = Field(
        DEFAULT_MEMORY,
        description="Memory for all of it: 4G, 500M, or megabytes; null leaves it to the system.",
    )
    time_limit: Time = Field(
        DEFAULT_TIME,
        description="How long it may run: HH:MM:SS, D-HH:MM:SS, 90m, or minutes; null leaves it "
        "to the system.",
    )
    gpus: Gpus = Field(0, description="GPUs.")
    gres: Gres = Field("", description="Generic resources in the words of Slurm: gpu:a100:2.")
    output_file: Path = Field("", description="Where its standard output goes.")
    error_file: Path = Field("", description="Where its standard error goes.")
    environment: str = Field("", description="The name of an environment of the config.")
    env_vars: EnvVars = Field({}, description="Environment variables of its own.")
    generates_source: Path = Field(
        "", description="A JSON file that it writes, with tasks to be added to the run."
    )
    inputs: Inputs = Field(
        (),
        description="Files at home, below the config's folder, that are put into its own before "
        "it starts: path or path:name.",
    )
    outputs: Globs = Field(
        (), description="Globs below its folder that come home when it has ended."
    )
    retries: Retries | None = Field(
        None,
        description="How often it is tried again when it fails; else 1 with retry, and the "
        "config's dispatch.retries without.",
    )
    retry: Retry | None = Field(
        None, description="Which failures are tried again, and with how much more."
    )
    cache: bool = Field(
        False, description="True when an earlier result of the same task may be taken for its own."
    )
    cache_scope: CacheScope = Field(
        CacheScope.COMMIT,
        description="commit: the same commit too; inputs: the same command and inputs are enough.",
    )
    priority: Priority = Field(0, description="Higher goes first.")
    tags: Words = Field(
        (), description="On a backend of workers: tags that its worker must all have."
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_not_there(cls, data: object) -> object:
        """Take null for what was not said, but where it has a meaning of its own."""
        if not isinstance(data, dict):
            return data
        kept = {"memory", "time_limit"}
        return {name: value for name, value in data.items() if value is not None or name in kept}

    @field_validator("command")
    @classmethod
    def _says_something(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("it is empty")
        return value

    @field_validator("working_dir")
    @classmethod
    def _home_by_default(cls, value: str) -> str:
        return value or "~"
