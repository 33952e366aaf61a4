"""The key ``dispatch`` of the config: how jobs are sent out, watched and brought home."""

from __future__ import annotations

import re
import shlex
from enum import StrEnum
from typing import Self

from pydantic import field_validator, model_validator

from hopper.config.launch_template import DEFAULT_TEMPLATE, needs_run_job, shell_line
from hopper.config.settings import Settings, group, key
from hopper.config.units import Duration, LimitDuration, Size
from hopper.config.values import Word
from hopper.errors import ConfigError

_COMPONENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z")


class TransferMode(StrEnum):
    """How zips and results travel when they do not travel inside the launch itself."""

    SCP = "scp"
    """Ansible's ssh file transfer: sftp, else scp."""
    PIPED = "piped"
    """Through ``cat`` on the worker, where sshd offers neither."""
    RSYNC = "rsync"
    """rsync, which goes on where a broken transfer stopped."""


class Launch(Settings):
    """How a job is started on its worker."""

    command_template: str = key(
        DEFAULT_TEMPLATE,
        "The shell command that starts a job. {job_id}, {worker_inbox}, {worker_outbox}, "
        "{zip_name} and {extract_dir} stand for the job's values, safely quoted whatever "
        "they hold; {{ and }} are literal braces.",
        unit="POSIX sh",
    )

    @field_validator("command_template")
    @classmethod
    def _can_be_used(cls, value: str) -> str:
        try:
            shell_line(value)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return value

    @property
    def shell_line(self) -> str:
        """The template as shell text that takes the values from the environment."""
        return shell_line(self.command_template)

    @property
    def needs_run_job(self) -> bool:
        """True when a zip must have a ``run_job.sh``."""
        return needs_run_job(self.command_template)


class Backoff(Settings):
    """How long to wait before another try, doubling and randomly spread."""

    first: Duration = key("30s", "The first wait.", unit="duration")
    factor: float = key(2, "Each further wait is that many times longer.", ge=1, le=100)
    longest: Duration = key("1h", "No wait is longer.", unit="duration")
    jitter: float = key(
        0.2, "Share of a wait that is added or taken away at random.", unit="0 to 1", ge=0, le=1
    )


class Quarantine(Settings):
    """When a worker that fails one job after another is left alone for a while."""

    after_jobs: int = key(
        3, "How many different jobs must fail on it in a row.", unit="jobs", ge=1, le=1_000_000
    )
    first: Duration = key(
        "10m",
        "How long the first quarantine lasts; each further one twice as long.",
        unit="duration",
    )
    longest: Duration = key("6h", "No quarantine lasts longer.", unit="duration")


class Dispatch(Settings):
    """How jobs are sent out, watched and brought home."""

    ssh_options: str = key(
        "-o BatchMode=yes -o ConnectTimeout=10",
        "Options for every ssh, scp, sftp and rsync connection.",
        unit="ssh options",
    )
    transfer_mode: TransferMode = key(
        "scp",
        "How files travel: scp (sftp, else scp), piped (through cat, needs neither) or rsync "
        "(goes on where it stopped; needs rsync on the worker).",
        unit="scp, piped or rsync",
    )
    remote_unpack_dirname: str = key(
        "job",
        "The folder on the worker, below Inbox/{job_id}/, that a zip is unpacked to.",
        unit="one folder name",
    )
    launch: Launch = group(Launch, "How a job is started on its worker.")
    workers_group: Word = key(
        "hopper_workers", "The inventory group whose hosts take jobs.", unit="group name"
    )
    max_concurrent: int | None = key(
        None, "Most jobs on all workers at a time; none for no limit.", unit="jobs", ge=1
    )
    retries: int = key(
        0,
        "How often a failed job is tried again, where it does not say so itself.",
        unit="tries",
        ge=0,
        le=1000,
    )
    time_limit: LimitDuration | None = key(
        None,
        "How long an attempt may run, where the job does not say so itself; none for no limit.",
        unit="duration",
    )
    backoff: Backoff = group(Backoff, "The wait before a failed job is tried again.")
    keep_failed: Duration = key(
        "24h", "How long a failed job's folder stays on the worker.", unit="duration"
    )
    cancel_grace: Duration = key(
        "10s", "Time between the TERM and the KILL of a cancelled job.", unit="duration"
    )
    quarantine: Quarantine = group(Quarantine, "Leaving workers alone that fail every job.")
    lost_after: LimitDuration | None = key(
        None,
        "Give up a job whose worker could not be reached for so long; none for never.",
        unit="duration",
    )
    settle_timeout: Duration = key(
        "15m",
        "Fail a job of which a worker that answers has no trace for so long.",
        unit="duration",
    )
    inline_limit: Size = key(
        "1 MB",
        "Zips up to this size travel inside the launch's own round trip.",
        unit="size",
        le=64 * 1024**2,
    )
    bulk_limit: Size = key(
        "64 MB", "Larger transfers go apart, so that they hold nothing up.", unit="size"
    )
    threads: int = key(16, "How many workers are talked to at a time.", unit="hosts", ge=1, le=256)
    connect_timeout: LimitDuration = key(
        "10s",
        "How long a connection may take to be made.",
        unit="duration",
    )
    order_timeout: LimitDuration = key(
        "120s",
        "How long a worker may take to answer, transfers apart.",
        unit="duration",
    )

    @field_validator("max_concurrent", "time_limit", "lost_after", mode="before")
    @classmethod
    def _none_as_a_word(cls, value: object) -> object:
        return None if value == "none" else value

    @field_validator("ssh_options")
    @classmethod
    def _are_words(cls, value: str) -> str:
        try:
            shlex.split(value)
        except ValueError as error:
            raise ValueError(f"{value!r} cannot be split into words: {error}") from error
        if "\0" in value or "\n" in value:
            raise ValueError("it must be one line")
        return value

    @field_validator("remote_unpack_dirname")
    @classmethod
    def _one_component(cls, value: str) -> str:
        if not _COMPONENT.match(value):
            raise ValueError(f"{value!r} must be one folder name of letters, digits, _ . -")
        return value

    @model_validator(mode="after")
    def _limits_in_order(self) -> Self:
        if self.inline_limit > self.bulk_limit:
            raise ValueError("dispatch.inline_limit is above dispatch.bulk_limit")
        return self
