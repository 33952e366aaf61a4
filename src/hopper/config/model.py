"""The keys of ``hopper.yaml``, as frozen values that refuse what they do not know."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    BeforeValidator,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from hopper.config.backends import Backend
from hopper.config.dispatch import Dispatch
from hopper.config.names import check_names
from hopper.config.pricing import Pricing
from hopper.config.seed_worker import SeedWorker
from hopper.config.settings import Settings, group, key
from hopper.config.units import Size
from hopper.config.values import HomePath, as_list, resolved
from hopper.config.web import Web
from hopper.config.workflows import Environment, Source, Workflow


class Paths(Settings):
    """Where things lie at home. Relative paths start at the config's folder; ~ expands."""

    inbox: HomePath = key("./state/inbox", "Where results come home to.", unit="folder")
    queue: HomePath = key("./state/queue", "Where zips are dropped.", unit="folder")
    running: HomePath = key("./state/running", "Zips of jobs on workers.", unit="folder")
    done: HomePath = key("./state/done", "Zips of completed jobs.", unit="folder")
    failed: HomePath = key(
        "./state/failed",
        "Zips of failed, cancelled and refused jobs, with the reason beside.",
        unit="folder",
    )
    db: HomePath = key("./state/db", "What hopper remembers: jobs, workers, events.", unit="folder")
    log: HomePath = key("./state/hopper.log", "The log: JSON lines, rotated.", unit="file")

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        seen: dict[str, str] = {}
        for name in type(self).model_fields:
            place = os.path.realpath(getattr(self, name))
            if place in seen:
                raise ValueError(f"paths.{name} and paths.{seen[place]} are both {place}")
            seen[place] = name
        return self


class Poll(Settings):
    """How often hopper looks."""

    interval_seconds: float = key(
        10,
        "Longest time between two looks at a worker that has a job. After a change "
        "hopper looks more often.",
        unit="seconds",
        ge=1,
        le=86_400,
    )
    settle_seconds: float = key(
        5,
        "How long a dropped zip must stay unchanged before it is taken.",
        unit="seconds",
        ge=0,
        le=86_400,
    )


class Zips(Settings):
    """What a zip may be; a larger one is refused."""

    max_size: Size = key("20 GB", "Largest zip.", unit="size")
    max_unpacked: Size = key("200 GB", "Largest sum of its files, unpacked.", unit="size")
    max_ratio: float = key(
        200, "Most times that it may grow when unpacked (from 10 MB on).", unit="times", ge=1
    )
    max_members: int = key(1_000_000, "Most files and folders.", unit="members", ge=1)


class Retention(Settings):
    """How long things are kept at hand."""

    days: int = key(
        30,
        "Jobs that ended longer ago move to the monthly history; those of a run together, and "
        "the run with them.",
        unit="days",
        ge=1,
        le=36_500,
    )
    history_days: int | None = key(
        365,
        "Months of the history that ended longer ago go away, with the logs and scripts in "
        "paths.db of their jobs; none for never. Results in paths.inbox stay.",
        unit="days",
        ge=1,
        le=36_500,
    )

    @field_validator("history_days", mode="before")
    @classmethod
    def _none_as_a_word(cls, value: object) -> object:
        return None if value == "none" else value


class Disk(Settings):
    """When the disk at home counts as full."""

    home_low: Size = key(
        "1 GB", "With less space than this, results stay on the workers.", unit="size"
    )


def _inventory(value: object, info: ValidationInfo) -> object:
    items = as_list(value)
    if not isinstance(items, list | tuple):
        return [] if items is None else items
    # A text with a comma is a list of hosts to Ansible, not a path.
    return [
        str(resolved(item, info)) if isinstance(item, str) and "," not in item else item
        for item in items
    ]


class HopperConfig(Settings):
    """All of ``hopper.yaml``."""

    inventory: Annotated[tuple[str, ...], BeforeValidator(_inventory)] = key(
        (),
        "Ansible inventories that name the workers: one or several of whatever ansible -i "
        "takes (YAML or INI file, folder, script, plugin config, or hosts with commas).",
        unit="path or list of paths",
    )
    paths: Paths = group(Paths, "Where things lie at home.")
    poll: Poll = group(Poll, "How often hopper looks.")
    dispatch: Dispatch = group(Dispatch, "How jobs are sent out, watched and brought home.")
    zips: Zips = group(Zips, "What a zip may be.")
    retention: Retention = group(Retention, "How long things are kept at hand.")
    disk: Disk = group(Disk, "When the disk at home counts as full.")
    web: Web = group(Web, "The web page and HTTP API ('hopper web').")
    workers: tuple[SeedWorker, ...] = key(
        (), "Workers named here and not in an inventory.", unit="list of workers"
    )
    backends: tuple[Backend, ...] = key(
        (), "Where the tasks of runs are submitted.", unit="list of backends"
    )
    environments: tuple[Environment, ...] = key(
        (), "Variables and lines that tasks ask for by name.", unit="list of environments"
    )
    workflows: tuple[Workflow, ...] = key(
        (), "Commands that print tasks as JSON.", unit="list of workflows"
    )
    sources: tuple[Source, ...] = key(
        (), "Repositories and folders where workflow files are found.", unit="list of sources"
    )
    pricing: Pricing | None = key(
        None, "What the cost of runs is estimated by; without it no cost is shown."
    )
    _source: Path = PrivateAttr(default=Path("hopper.yaml"))

    @property
    def source(self) -> Path:
        """The file that it was read from, absolute."""
        return self._source

    def read_from(self, source: Path) -> Self:
        """Return the same config, knowing the file that it was read from."""
        config = self.model_copy()
        config._source = source
        return config

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        check_names(
            workers=self.workers,
            backends=self.backends,
            environments=self.environments,
            workflows=self.workflows,
            sources=self.sources,
        )
        return self
