"""What answers look like, for OpenAPI: keys stay, new ones may come.

The documents are made by ``hopper.documents``, as for ``--json``; these only describe them, and
tests compare the two.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Counts = dict[str, int]
JobStateName = Literal[
    "pending", "submitted", "running", "settling", "completed", "failed", "cancelled", "dep_failed"
]


class Document(BaseModel):
    """Something that is told. Further keys may come."""

    model_config = ConfigDict(extra="allow")


class Problem(Document):
    """What went wrong (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = Field(description="One line that names the thing.")
    way_out: str | None = Field(None, description="What can be done about it.")


class Page(Document):
    """A part of a list."""

    next: str | None = Field(description="Address of the next page; null on the last one.")
    cursor: str | None = Field(description="The same as a value for `cursor`.")


class ArrayMember(Document):
    """Which member of which job array it is."""

    id: str
    index: int


class JobBrief(Document):
    """A job in a list, as `hopper jobs --json` has it."""

    id: str
    name: str
    state: str = Field(
        description="One of the states; of others' jobs on a cluster also `gone`.",
        examples=["running"],
    )
    reason: str | None
    held: bool
    external: bool = Field(description="Somebody else launched it.")
    cancel_requested: bool
    priority: int
    tags: list[str]
    gpus: int
    time_limit_seconds: float | None
    after: list[str] | None = Field(description="null where a list does not know it.")
    submitted_at: datetime | None
    state_since: datetime | None
    not_before: datetime | None
    attempts: int
    worker: str | None
    backend: str | None
    run: str | None
    task: str | None
    native_id: str | None
    array: ArrayMember | None
    node: str | None
    started_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None
    no_contact_since: datetime | None


class JobPage(Page):
    """Jobs."""

    items: list[JobBrief]
    total: int = Field(description="How many there are on all pages.")
    trouble: str | None = Field(description="Why jobs of the history may be missing.")


class JobWhole(Document):
    """All that is known of a job, as `hopper show --json` prints it."""

    id: str
    state: JobStateName
    spec: dict[str, Any] = Field(description="What it asks for.")
    attempts: list[dict[str, Any]]
    submitted_at: datetime
    usage: dict[str, Any] | None
    no_contact_since: datetime | None
    result_paths: list[str]
    logs: dict[str, str]


class Explanation(Document):
    """Why a job waits, where it is, or why it failed."""

    id: str
    state: JobStateName
    headline: str
    reasons: list[str]
    advice: list[str]
    position: int | None = Field(description="Jobs before it in the queue.")
    log_end: list[str]


class Result(Document):
    """A file that came home of a job."""

    name: str
    path: str
    there: bool
    bytes: int
    sha256: str
    href: str = Field(description="Where it can be downloaded.")


class Results(Document):
    """What came home of a job."""

    items: list[Result]


class Queued(Document):
    """A job that was handed in."""

    job: str
    name: str
    state: JobStateName
    reason: str
    packed: list[str]


class Submitted(Document):
    """The jobs that were handed in."""

    items: list[Queued]


class Done(Document):
    """What came of a change of one job."""

    job: str
    done: str = Field(description="What was done, in a word.", examples=["cancelled"])


class ManyDone(Document):
    """What came of a change of several jobs."""

    done: dict[str, str] = Field(description="A word for each job that it was done to.")
    refused: dict[str, str] = Field(description="A line for each other.")


class Event(Document):
    """What has happened."""

    seq: int
    kind: str
    at: datetime
    job: str | None
    worker: str | None
    reason: str
    data: dict[str, Any]


class Events(Document):
    """Events, the oldest first."""

    items: list[Event]
    after: int = Field(description="Go on from here: the last one that was looked at.")
    last_seq: int = Field(description="The number of the newest event that there is.")
