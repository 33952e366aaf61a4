"""``hopper-job.yaml``: what a zip says about its own job. Its bytes are hostile."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated

import yaml
from pydantic import AfterValidator, BeforeValidator, ValidationError, field_validator

from hopper.config.memory import Memory
from hopper.config.settings import Settings, key, problems
from hopper.config.units import LimitDuration
from hopper.config.values import Tags, Word, as_list
from hopper.config.yaml_text import parse_mapping
from hopper.errors import ConfigError
from hopper.model.job import JobSpec

FILE_NAME = "hopper-job.yaml"
LARGEST = 64 * 1024
"""Bytes."""

_AS_WRITTEN = {"name", "tags", "results", "after", "partition"}
"""Keys whose values are text even where they look like numbers."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def _glob(value: str) -> str:
    if not value or value.startswith(("/", "~")) or ".." in value.split("/"):
        raise ValueError(f"{value!r} must be a glob below the job's own folder")
    if any(ord(c) < 32 or ord(c) == 127 for c in value):
        raise ValueError(f"{value!r} holds control characters")
    return value


def _text(value: str) -> str:
    if not value.strip() or "\0" in value:
        raise ValueError("it must hold something, and no NUL")
    return value


Glob = Annotated[str, AfterValidator(_glob)]
Text = Annotated[str, AfterValidator(_text)]


class JobFile(Settings):
    """The keys of ``hopper-job.yaml``. What is not said there is None, or empty."""

    name: Text | None = key(
        None, "What the job is called; else the zip's name.", unit="text", max_length=200
    )
    priority: int | None = key(None, "Higher goes first; else 0.", ge=-1_000_000, le=1_000_000)
    tags: Tags = key(
        frozenset(), "Tags that its worker must all have.", unit="word or list of words"
    )
    gpus: int | None = key(None, "GPUs that it needs; else 0.", unit="GPUs", ge=0, le=10_000)
    time_limit: LimitDuration | None = key(
        None, "How long an attempt may run; else dispatch.time_limit.", unit="duration"
    )
    cpus: int | None = key(
        None, "On a cluster: CPUs that it needs; else 1.", unit="CPUs", ge=1, le=100_000
    )
    memory: Memory | None = key(
        None,
        "On a cluster: memory for all of it, such as 4G; else what the cluster gives.",
        unit="amount, or megabytes",
    )
    partition: Word | None = key(
        None, "On a cluster: its partition or queue; else the backend's default.", unit="name"
    )
    retries: int | None = key(
        None,
        "How often it is tried again when it fails; else dispatch.retries.",
        unit="tries",
        ge=0,
        le=1000,
    )
    env: dict[str, str] = key(
        {}, "Environment variables for it; values are text as written.", unit="name: value"
    )
    results: Annotated[tuple[Glob, ...], BeforeValidator(as_list)] = key(
        (),
        "What to bring home of its folder when it packs no zip itself.",
        unit="glob or list of globs",
    )
    after: Annotated[tuple[Text, ...], BeforeValidator(as_list)] = key(
        (), "Jobs that must have completed before it starts.", unit="id or name, or list of them"
    )

    @field_validator("env")
    @classmethod
    def _variables(cls, env: dict[str, str]) -> dict[str, str]:
        for name, value in env.items():
            if not _VARIABLE.match(name):
                raise ValueError(f"{name!r} is not a name that a shell takes for a variable")
            if name.startswith("HOPPER_"):
                raise ValueError(f"{name} is hopper's own to set; choose another name")
            if "\0" in value:
                raise ValueError(f"the value of {name} holds a NUL")
        return env

    def over(self, spec: JobSpec) -> JobSpec:
        """Return a job's spec with what this says put over it; ``env`` is merged."""
        needs = spec.requirements
        return replace(
            spec,
            name=spec.name if self.name is None else self.name,
            priority=spec.priority if self.priority is None else self.priority,
            retries=spec.retries if self.retries is None else self.retries,
            env={**spec.env, **self.env},
            results=self.results or spec.results,
            after=(*spec.after, *(job for job in self.after if job not in spec.after)),
            requirements=replace(
                needs,
                tags=needs.tags | self.tags,
                gpus=needs.gpus if self.gpus is None else self.gpus,
                time_limit=needs.time_limit if self.time_limit is None else self.time_limit,
                cpus=needs.cpus if self.cpus is None else self.cpus,
                memory=needs.memory if self.memory is None else self.memory,
                partition=needs.partition if self.partition is None else self.partition,
            ),
        )

    def to_yaml(self) -> str:
        """Return it as the text of a ``hopper-job.yaml``; empty when it says nothing."""
        said = self.model_dump(mode="json", exclude_defaults=True)
        if "tags" in said:
            said["tags"] = sorted(said["tags"])
        return yaml.safe_dump(said, allow_unicode=True, sort_keys=False) if said else ""


def read_job_file(content: bytes, what: str = FILE_NAME) -> JobFile:
    """Return what a ``hopper-job.yaml`` says. ``what`` names it in errors.

    Raises ConfigError in one line. An empty file, or one of comments only, says nothing.
    """
    if len(content) > LARGEST:
        raise ConfigError(f"{what} is larger than {LARGEST // 1024} KiB")
    if b"*" in content:
        _refuse_aliases(content, what)
    if _says_nothing(content):
        return JobFile()
    values, tree = parse_mapping(content, what)
    for name, node in tree.value:
        if name.value in _AS_WRITTEN:
            values[name.value] = _written(node)
        elif name.value == "env":
            values["env"] = _environment(node, what)
    try:
        return JobFile.model_validate(values)
    except ValidationError as error:
        (_, first), *more = problems(error, JobFile)
        raise ConfigError(
            f"{what}: {first}" + (f" (and {len(more)} more)" if more else "")
        ) from error


def _says_nothing(content: bytes) -> bool:
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        return False
    return all(not line.strip() or line.lstrip().startswith("#") for line in lines)


def _refuse_aliases(content: bytes, what: str) -> None:
    """Refuse YAML's aliases, by which a few lines can mean gigabytes."""
    way_out = "write the value out, or put a * that is meant into quotes"
    try:
        for event in yaml.parse(content, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise ConfigError(
                    f"{what}: aliases (*{event.anchor}) are not read", way_out=way_out
                )
    except yaml.scanner.ScannerError as error:
        if error.context == "while scanning an alias":
            raise ConfigError(f"{what}: a * begins an alias in YAML", way_out=way_out) from error
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError):
        return  # told when it is read in earnest


def _written(node: yaml.Node) -> object:
    """Return a node's text, or its items' texts, as they are written."""
    if isinstance(node, yaml.ScalarNode):
        return None if _is_null(node) else node.value
    if isinstance(node, yaml.SequenceNode):
        return [
            item.value if isinstance(item, yaml.ScalarNode) and not _is_null(item) else None
            for item in node.value
        ]
    return {}


def _is_null(node: yaml.ScalarNode) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null")


def _environment(node: yaml.Node, what: str) -> dict[str, str]:
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{what}: env must hold lines of the form NAME: value")
    found = {}
    for name, value in node.value:
        if not isinstance(name, yaml.ScalarNode) or not isinstance(value, yaml.ScalarNode):
            raise ConfigError(f"{what}: env.{name.value!s:.40} must be one value")
        if _is_null(value):
            raise ConfigError(
                f"{what}: env.{name.value} has no value", way_out='write "" for an empty one'
            )
        found[name.value] = value.value
    return found
