"""What answers about runs and workflows look like, for OpenAPI."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hopper.web.api.models import ArrayMember, Counts, Document, Page

RunStateName = Literal["pending", "running", "completed", "failed", "cancelled"]


class Cost(Document):
    """What a run would have cost in the cloud."""

    usd: float
    costed: int
    uncosted: int
    region: str
    price_type: str


class RunBrief(Document):
    """A run, as `hopper run list --json` has it."""

    id: str
    workflow: str
    description: str
    backend: str
    state: RunStateName
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    user: str
    max_concurrent: int | None
    array: str | None
    git: dict[str, Any] | None
    warnings: list[str]
    tasks: int
    counts: Counts
    taken: int = Field(description="Tasks that took an equal task's result.")
    groups: dict[str, Counts]
    eta_seconds: float | None = Field(description="Only where estimates are asked for.")
    cost: Cost | None = Field(description="Only where estimates are asked for.")


class RunPage(Page):
    """Runs, the newest first."""

    items: list[RunBrief]
    total: int


class RunTask(Document):
    """A task of a run as it stands."""

    task: str
    job: str
    name: str
    state: str
    reason: str | None
    deps: list[str]
    attempts: int
    native_id: str | None
    array: ArrayMember | None
    node: str | None
    waits_for: str | None
    started_at: datetime | None
    ended_at: datetime | None
    elapsed_seconds: float | None
    exit_code: int | None
    cpu_efficiency: float | None
    cpu_hours: float | None
    peak_memory: int | None
    taken_from: dict[str, Any] | None


class RunTaskPage(Page):
    """Tasks of a run in their order."""

    items: list[RunTask]
    total: int


class Manifest(Document):
    """All that is known of a run, as `hopper run manifest` prints it."""

    manifest: int
    at: datetime
    id: str
    workflow: str
    tasks: list[dict[str, Any]]


class RunChanged(Document):
    """What came of a change of a run."""

    run: str
    done: dict[str, str]
    refused: dict[str, str]


class RunDeleted(Document):
    """A run that was deleted."""

    run: str
    jobs: list[str]
    results: str | None = Field(description="The folder that was removed with it.")


class PlannedTask(Document):
    """A task that a run would have."""

    id: str
    name: str
    deps: list[str]


class Plan(Document):
    """What a workflow comes to, as `hopper workflow dry-run --json` prints it."""

    workflow: str
    backend: str
    max_concurrent: int | None
    array: str | None
    git: dict[str, Any] | None
    warnings: list[str]
    tasks: list[PlannedTask]


class Started(Plan):
    """A run that was made."""

    run: str
    jobs: dict[str, str] = Field(description="Ids of jobs by task.")


class WorkflowBrief(Document):
    """A workflow."""

    name: str
    kind: Literal["command", "file"]
    backend: str
    description: str
    last_run: str | None


class Workflows(Document):
    """The workflows of the config, and the files of its sources as last seen."""

    items: list[WorkflowBrief]


class WorkflowWhole(Document):
    """Where a workflow's tasks come from."""

    name: str
    backend: str
    description: str
    file: str | None
    command: str | None
    path: str | None
    repo: str | None
    branch: str | None
    max_concurrent: int | None
    runs: list[str]


class SourceState(Document):
    """A source as it was last seen."""

    name: str
    type: str
    backend: str
    where: str | None
    branch: str | None
    glob: str
    description: str
    synced_at: datetime | None
    sha: str | None
    files: list[str]
    more_files: bool
    error: str | None


class Sources(Document):
    """Sources."""

    items: list[SourceState]


class SourceFile(Document):
    """A workflow file of a source."""

    workflow: str
    source: str
    file: str
    backend: str


class SourceFiles(Document):
    """The workflow files of a source as it was last seen."""

    items: list[SourceFile]


# --- what is sent


class Asked(BaseModel):
    """A body; keys that are none are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class PlanAsked(Asked):
    """Which workflow, and what is chosen for this run of it."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"workflow": "lab:plan.json"}]}
    )
    workflow: str = Field(
        min_length=1, max_length=1000, description="Its name, or SOURCE:FILE; no file at home."
    )
    max_concurrent: int | None = Field(
        None, ge=1, le=1_000_000, description="Most of its tasks at a time."
    )
    array: Literal["auto", "never"] | None = Field(
        None, description="Whether equal tasks are submitted as job arrays."
    )


class RunAsked(PlanAsked):
    """A run to be made."""

    no_cache: bool = Field(False, description="Run also tasks whose results are at home already.")


class RerunAsked(Asked):
    """How a run is to be run again."""

    failed: bool = Field(False, description="Only the tasks that did not complete.")
    no_cache: bool = Field(False, description="Run also tasks whose results are at home already.")
