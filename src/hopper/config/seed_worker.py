"""Workers that the config names itself, as jobhopper's did."""

from __future__ import annotations

import re
from typing import Self

from pydantic import Field, field_validator, model_validator

from hopper.config.settings import Settings, key
from hopper.config.values import Tags, Word, WorkerPath

_WORKER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")


class SeedWorker(Settings):
    """A worker named in the config itself; an inventory host says the same and more."""

    name: str = Field(description="What it is called.", json_schema_extra={"unit": "name"})
    host: Word = Field(description="Its address.", json_schema_extra={"unit": "host name or IP"})
    user: Word | None = key(None, "Who to log in as; none for what ssh says.", unit="user name")
    port: int | None = key(None, "Its ssh port; none for what ssh says.", ge=1, le=65_535)
    inbox_dir: WorkerPath = Field(
        description="The folder there that takes zips.", json_schema_extra={"unit": "folder"}
    )
    outbox_dir: WorkerPath = Field(
        description="The folder there that jobs leave results in.",
        json_schema_extra={"unit": "folder"},
    )
    slots: int = key(1, "How many jobs it takes at a time.", unit="jobs", ge=1, le=10_000)
    gpus: int = key(0, "Its GPUs, shared out over the slots.", unit="GPUs", ge=0, le=10_000)
    tags: Tags = key(frozenset(), "Tags that jobs can ask for.", unit="list of words")
    drained: bool = key(False, "True when it is to take no new jobs.")

    @field_validator("name")
    @classmethod
    def _inventory_name(cls, value: str) -> str:
        if not _WORKER_NAME.match(value) or value in {"all", "ungrouped"}:
            raise ValueError(f"{value!r} must be a name of letters, digits, _ . -")
        return value

    @model_validator(mode="after")
    def _two_folders(self) -> Self:
        if self.inbox_dir.rstrip("/") == self.outbox_dir.rstrip("/"):
            raise ValueError(f"worker {self.name}: inbox_dir and outbox_dir are the same folder")
        return self

    def host_variables(self) -> dict[str, object]:
        """Return what its host variables in an inventory would be; defaults are left out."""
        values: dict[str, object] = {
            "ansible_host": self.host,
            "ansible_user": self.user,
            "ansible_port": self.port,
            "hopper_inbox": self.inbox_dir,
            "hopper_outbox": self.outbox_dir,
            "hopper_slots": self.slots if self.slots != 1 else None,
            "hopper_gpus": self.gpus or None,
            "hopper_tags": sorted(self.tags) or None,
            "hopper_drained": self.drained or None,
        }
        return {name: value for name, value in values.items() if value is not None}
