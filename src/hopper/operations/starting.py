"""Runs of workflows: what one would come to, and starting it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hopper.bootstrap import commands
from hopper.dispatch.run_acts import NewRun, run_body
from hopper.errors import UsageError
from hopper.operations.asking import Asking
from hopper.operations.generate import Recipe, draft, plan

if TYPE_CHECKING:
    from hopper.config.model import HopperConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """What a person chooses for one run, before what the workflow and the config say."""

    most: int | None = None
    """Tasks at a time."""
    array: str | None = None
    """``auto`` or ``never``."""
    no_cache: bool = False
    """Tasks are run even where results of equal ones are at home."""


NO_CHOICES = Choices()


def planned_run(
    config: HopperConfig, recipe: Recipe, choices: Choices = NO_CHOICES, *, user: str | None = None
) -> NewRun:
    """Return the run that a workflow comes to now; its backend is asked for the tasks.

    ``user`` is who asks for it, if not the person whose process this is. InvalidWorkflow,
    SourceError, UsageError, HopperError.
    """
    with Asking(config) as asking:
        found = draft(recipe, asking)
    now = datetime.now(UTC)
    new = plan(config, found, now=now, most=choices.most, array=choices.array, user=user)
    return replace(new, no_cache=choices.no_cache)


def start_run(config: HopperConfig, new: NewRun, *, by: str | None = None) -> None:
    """Make a run of what was planned. UsageError for one without tasks."""
    if not new.tasks:
        raise UsageError(f"{new.run.workflow} has no tasks; there is nothing to run")
    commands.give(config, {**run_body(new), **commands.asked_by(by)})
