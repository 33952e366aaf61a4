"""The workflows, sources and environments of the config."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, field_validator, model_validator

from hopper.config.settings import Settings, key
from hopper.config.units import LimitDuration
from hopper.config.values import HomePath, Line, Name, ShellText, Variables, WorkerPath

DEFAULT_GLOB = ".hut/workflows/*.json"


def _repository(value: str) -> str:
    # git would take what begins so for an option, or for a program to run.
    if not value.strip() or not value.isprintable() or value.startswith(("-", "ext::")):
        raise ValueError(f"{value!r} is not the address of a git repository")
    return value


def _branch(value: str) -> str:
    odd = value.startswith(("-", "/")) or ".." in value or any(c in " ~^:?*[\\" for c in value)
    if not value or not value.isprintable() or odd:
        raise ValueError(f"{value!r} is not the name of a branch")
    return value


class GitClone(Settings):
    """A git repository that a workflow's command runs in."""

    repo: str = Field(description="Its address.", json_schema_extra={"unit": "git URL"})
    branch: str = key("main", "The branch whose newest commit is taken.")
    deploy_key: HomePath | None = key(
        None, "A private key at home, lent to the backend while it fetches.", unit="file"
    )
    clone_dir: WorkerPath | None = key(
        None,
        "The folder of the clones, one for each commit; if not given, the backend's.",
        unit="folder there",
    )
    postclone: ShellText = key("", "What to run once in a new clone.", unit="lines of bash")

    _is_repository = field_validator("repo")(_repository)
    _is_branch = field_validator("branch")(_branch)


class Workflow(Settings):
    """A command on a backend that prints tasks as JSON."""

    name: Name = Field(description="What it is called.", json_schema_extra={"unit": "name"})
    backend: Name = Field(
        description="Where its command and its tasks run; for the workers, the command runs here.",
        json_schema_extra={"unit": "name"},
    )
    command: ShellText = Field(
        description="Prints the tasks as JSON.", json_schema_extra={"unit": "bash"}, min_length=1
    )
    max_concurrent: int | None = key(
        None, "Most tasks of a run at a time; none for no limit.", unit="tasks", ge=1
    )
    description: str = key("", "What it is for.")
    timeout: LimitDuration = key("10m", "How long its command may take.", unit="duration")
    git: GitClone | None = key(None, "The repository that its command runs in.")


class SourceType(StrEnum):
    """Where a source's workflow files are."""

    GIT = "git"
    PATH = "path"


class Source(Settings):
    """A git repository, or a folder on a backend, where workflow files are found."""

    name: Name = Field(description="What it is called.", json_schema_extra={"unit": "name"})
    type: SourceType = Field(
        description="A git repository or a folder on the backend.",
        json_schema_extra={"unit": "git or path"},
    )
    backend: Name = Field(
        description="Where its files are read and their tasks run.",
        json_schema_extra={"unit": "name"},
    )
    workflows_glob: Line = key(
        DEFAULT_GLOB, "Which files are workflows; ** stands for any folders.", unit="glob"
    )
    max_concurrent: int | None = key(
        None, "Most tasks of a run at a time; none for no limit.", unit="tasks", ge=1
    )
    description: str = key("", "What it is for.")
    url: str | None = key(None, "git: the repository's address.", unit="git URL")
    branch: str = key("main", "git: the branch whose newest commit is taken.")
    deploy_key: HomePath | None = key(
        None, "git: a private key at home, lent to the backend while it fetches.", unit="file"
    )
    clone_dir: WorkerPath | None = key(
        None,
        "git: the folder of the clones, one for each commit; if not given, the backend's.",
        unit="folder there",
    )
    postclone: ShellText = key("", "git: what to run once in a new clone.", unit="lines of bash")
    path: WorkerPath | None = key(None, "path: the folder.", unit="folder there")

    @field_validator("url")
    @classmethod
    def _is_repository(cls, value: str | None) -> str | None:
        return None if value is None else _repository(value)

    _is_branch = field_validator("branch")(_branch)

    @field_validator("workflows_glob")
    @classmethod
    def _stays_below(cls, value: str) -> str:
        if not value or value.startswith(("/", "~")) or ".." in value.split("/"):
            raise ValueError(f"{value!r} must be a glob below the source's own folder")
        return value

    @model_validator(mode="after")
    def _keys_fit_the_type(self) -> Self:
        needed, others = ("url", ("path",)) if self.type is SourceType.GIT else ("path", _OF_GIT)
        if getattr(self, needed) is None:
            raise ValueError(f"source {self.name} of type {self.type} needs {needed}")
        wrong = [name for name in others if name in self.model_fields_set]
        if wrong:
            raise ValueError(f"source {self.name} of type {self.type} has no use for {wrong[0]}")
        return self

    @property
    def git(self) -> GitClone | None:
        """The repository; None for a folder."""
        if self.url is None:
            return None
        return GitClone.model_construct(
            repo=self.url,
            branch=self.branch,
            deploy_key=self.deploy_key,
            clone_dir=self.clone_dir,
            postclone=self.postclone,
        )


_OF_GIT = ("url", "branch", "deploy_key", "clone_dir", "postclone")


class Environment(Settings):
    """Variables and lines of bash that tasks ask for by name."""

    name: Line = Field(
        description="What tasks call it.", json_schema_extra={"unit": "name"}, min_length=1
    )
    variables: Variables = key(
        {}, "Environment variables; values are text as written.", unit="name: value"
    )
    extra_init: ShellText = key(
        "", "Lines before the task, such as module load ….", unit="lines of bash"
    )
