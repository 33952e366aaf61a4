"""What answers about workers, backends and access look like, for OpenAPI."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from hopper.web.api.models import Counts, Document, JobBrief
from hopper.web.api.run_models import Asked, RunBrief


class WorkerState(Document):
    """A worker and how it stands."""

    name: str
    state: str
    detail: str
    address: str | None
    slots: int
    gpus: int | None
    tags: list[str]
    jobs: list[str]
    last_contact: datetime | None
    no_contact_since: datetime | None
    quarantined_until: datetime | None
    free_bytes: int | None
    clock_skew_seconds: float | None


class Workers(Document):
    """Workers."""

    items: list[WorkerState]
    inventory_error: str | None


class BackendState(Document):
    """A backend and how it stands."""

    name: str
    type: str | None
    host: str | None
    state: str
    detail: str
    paused: bool
    counts: Counts
    max_concurrent: int | None
    last_contact: datetime | None
    no_contact_since: datetime | None
    not_before: datetime | None
    free_bytes: int | None
    clock_skew_seconds: float | None


class Backends(Document):
    """Backends."""

    items: list[BackendState]


class Dispatching(Document):
    """The dispatcher."""

    paused: bool
    dispatcher: dict[str, Any] | None = Field(description="pid, host, started; null for none.")


class Status(Dispatching):
    """How everything stands, as `hopper status --json` prints it."""

    at: datetime
    counts: Counts
    held: int
    external: int
    on_workers: list[JobBrief]
    pending: list[JobBrief]
    workers: list[WorkerState]
    backends: list[BackendState]
    runs: list[RunBrief]
    inventory_error: str | None


class Paused(Document):
    """Whether something is paused."""

    paused: bool


class BackendPaused(Paused):
    """Whether a backend is paused."""

    backend: str


class Drained(Document):
    """A worker that gets no new jobs, or gets them again."""

    worker: str
    drained: bool
    jobs: int | None = Field(description="Jobs that are on it; null where that was not looked at.")


class WorkerCheck(Document):
    """What a look at a worker has shown."""

    worker: str
    ready: bool
    unreachable: str | bool | None
    missing: list[str]
    advice: list[str]
    made: list[str]
    free_bytes: int | None
    clock_skew_seconds: float | None


class BackendCheck(Document):
    """Whether a backend can take jobs."""

    backend: str
    ok: bool
    error: str | None
    missing: list[str]
    advice: list[str]
    free_bytes: int | None
    clock_skew_seconds: float | None
    accounting: bool | None


class NativeJobs(Document):
    """Jobs of a cluster."""

    items: list[dict[str, Any]]


class Machines(Document):
    """A cluster's machines."""

    backend: str
    nodes: int | None
    nodes_up: int | None
    cpus: int | None
    cpus_free: int | None
    partitions: list[str]
    clone_dir: str
    clone_bytes: int | None
    clones: int
    free_bytes: int | None


class Scans(Document):
    """What was found on workers."""

    items: list[dict[str, Any]]


class ScanAsked(Asked):
    """Workers to be looked at."""

    workers: list[str] = Field([], max_length=1000, description="None of them: all.")


class Who(Document):
    """Who asks."""

    name: str
    role: Literal["viewer", "operator", "admin", "agent"]
    via: Literal["session", "token", "loopback"]
    by: str = Field(description="As events tell who did something.")


class TokenState(Document):
    """A token, without its secret."""

    name: str
    role: str
    created: datetime
    expires: datetime | None
    last_used: datetime | None
    expired: bool


class Tokens(Document):
    """Tokens."""

    items: list[TokenState]


class TokenMade(TokenState):
    """A token that was made; its secret is not shown again."""

    token: str


class UserState(Document):
    """Somebody who may log in."""

    name: str
    role: str
    created: datetime


class Users(Document):
    """Users."""

    items: list[UserState]


class Health(Document):
    """Whether the server is well."""

    status: Literal["ok", "degraded"]
    version: str
    dispatcher: bool
    detail: str | None = None


ROLE = Literal["viewer", "operator", "admin"]
ACCOUNT = r"^[a-z0-9][a-z0-9._@-]{0,63}$"


class TokenAsked(Asked):
    """A token to be made."""

    name: str = Field(pattern=ACCOUNT)
    role: Literal["viewer", "operator", "admin", "agent"]
    expires_seconds: int | None = Field(
        None, ge=60, le=3_200_000_000, description="How long it lasts; else until it is revoked."
    )


class UserAsked(Asked):
    """A user to be made."""

    name: str = Field(pattern=ACCOUNT)
    role: ROLE
    password: str = Field(min_length=10, max_length=256)


class UserChange(Asked):
    """What is to change of a user."""

    role: ROLE | None = None
    password: str | None = Field(None, min_length=10, max_length=256)
