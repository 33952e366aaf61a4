"""The backends of the config: where the jobs of runs are submitted."""

from __future__ import annotations

import re
import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from hopper.config.settings import Settings, key
from hopper.config.values import (
    HomePath,
    HostName,
    Line,
    ShellText,
    Word,
    WorkerPath,
    as_list,
)

WORKER = "worker"
"""The kind of backend that is the zip workers."""
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,39}\Z")
_CLUSTERS = {"slurm", "pbs", "lsf", "gridengine"}
_NORMAL_BY_DEFAULT = {"slurm", "pbs"}


class Array(StrEnum):
    """Whether equal tasks are submitted as job arrays."""

    AUTO = "auto"
    NEVER = "never"


class Dialect(StrEnum):
    """In what a batch system differs from others of its kind."""

    TORQUE = "torque"


class Ssh(Settings):
    """How a backend's login node is reached."""

    host: Word = Field(description="Its address.", json_schema_extra={"unit": "host name or IP"})
    port: int | None = key(None, "Its ssh port; none for what ssh says.", ge=1, le=65_535)
    user: Word | None = key(None, "Who to log in as; none for what ssh says.", unit="user name")
    key_path: HomePath | None = key(None, "The private key to log in with.", unit="file")
    cert_path: HomePath | None = key(None, "A certificate for the key.", unit="file")
    known_hosts: HomePath | None = key(
        None, "The known hosts to check its key by; none for what ssh says.", unit="file"
    )

    def host_variables(self) -> dict[str, object]:
        """Return what its host variables in an inventory would be."""
        options = [
            f"-o {shlex.quote(f'{name}={_ssh_value(path)}')}"
            for name, path in (
                ("CertificateFile", self.cert_path),
                ("UserKnownHostsFile", self.known_hosts),
            )
            if path is not None
        ]
        values: dict[str, object] = {
            "ansible_host": self.host,
            "ansible_user": self.user,
            "ansible_port": self.port,
            "ansible_ssh_private_key_file": str(self.key_path) if self.key_path else None,
            "ansible_ssh_common_args": " ".join(options) or None,
        }
        return {name: value for name, value in values.items() if value is not None}

    @model_validator(mode="after")
    def _paths_can_be_said(self) -> Self:
        for path in (self.key_path, self.cert_path, self.known_hosts):
            if path is not None and any(c in str(path) for c in '"\\\n{'):
                raise ValueError(f"{path} holds a character that ssh or Ansible takes for its own")
        return self


def _ssh_value(path: Path) -> str:
    """Return a path as ssh reads it in an option: % begins a token, blanks part files."""
    return '"' + str(path).replace("%", "%%") + '"'


class Backend(Settings):
    """Where jobs are submitted: a cluster's login node, this machine, the workers."""

    name: HostName = Field(description="What it is called.", json_schema_extra={"unit": "name"})
    type: str = Field(
        description="Its kind: slurm, pbs, lsf, gridengine, local, worker, or one that another "
        "package adds.",
        json_schema_extra={"unit": "word"},
    )
    ssh: Ssh | None = key(None, "How its login node is reached.")
    host: Word | None = key(
        None,
        "In place of ssh, its login node as a host of the inventory; localhost for this machine.",
        unit="host",
    )
    account: Line = key("", "Account that its jobs are charged to.")
    login_shell: bool = key(False, "True to run the scripts by a login shell.")
    max_concurrent: int = key(
        100, "Most jobs of all runs on it at a time.", unit="jobs", ge=1, le=1_000_000
    )
    clone_dir: WorkerPath = key(
        "~/hopper-repos", "Its folder for clones, whose disk use is shown.", unit="folder there"
    )
    work_dir: WorkerPath = key(
        "~/.hopper", "Its folder for scripts, logs and outcomes.", unit="folder there"
    )
    queue: Line = key("", "PBS: the queue of all its jobs, whatever their tasks say.")
    dialect: Dialect | None = key(
        None, "PBS: torque, where it is Torque ('hopper backend check' says).", unit="torque"
    )
    partitions: dict[str, Line] = key(
        {}, "Partitions as tasks name them, and as it does.", unit="name: name"
    )
    default_partition: Line | None = key(
        None,
        "The partition of tasks that name none; if not given, normal on slurm and pbs and its own "
        "default elsewhere.",
        unit="name",
    )
    init: ShellText = key(
        "", "Lines before every task, such as module use ….", unit="lines of bash"
    )
    array: Array = key(
        "never",
        "auto to submit equal tasks of a run as job arrays, where it has them. Then its own "
        "listings show the array's name for each, not the task's.",
        unit="auto or never",
    )
    users: Annotated[tuple[Word, ...], BeforeValidator(as_list)] = key(
        (),
        "Whose jobs from elsewhere are shown; none for one's own, '*' for everybody's.",
        unit="list of user names",
    )

    @field_validator("type")
    @classmethod
    def _is_a_word(cls, value: str) -> str:
        if not _KIND.match(value):
            raise ValueError(f"{value!r} must be one word such as slurm, pbs or local")
        return value

    @field_validator("array", mode="before")
    @classmethod
    def _off_is_never(cls, value: object) -> object:
        return "never" if value is False or value == "off" else value

    @model_validator(mode="after")
    def _one_way_to_reach_it(self) -> Self:
        if self.ssh is not None and self.host is not None:
            raise ValueError(f"backend {self.name} has both ssh and host; keep one")
        if self.type in _CLUSTERS and self.ssh is None and self.host is None:
            raise ValueError(
                f"backend {self.name} needs ssh: with the host of its login node, or host: with "
                "one of the inventory (localhost for this machine)"
            )
        return self

    @model_validator(mode="after")
    def _dialect_of_pbs(self) -> Self:
        if self.dialect is not None and self.type != "pbs":
            raise ValueError(
                f"backend {self.name} has a dialect, which is for type: pbs; it is {self.type}"
            )
        return self

    @property
    def partition(self) -> str:
        """The partition of tasks that name none; empty leaves it to the batch system."""
        if self.default_partition is not None:
            return self.default_partition
        return "normal" if self.type in _NORMAL_BY_DEFAULT else ""

    @property
    def workers(self) -> bool:
        """True where it is the zip workers, and no batch system."""
        return self.type == WORKER

    @property
    def inventory_host(self) -> str:
        """The host of an inventory that it is: its own name, unless ``host`` names one."""
        return self.host or self.name

    def host_variables(self) -> dict[str, object]:
        """Return the variables of its inventory host; none where ``host`` names one."""
        if self.host is not None:
            return {}
        return {"ansible_connection": "local"} if self.ssh is None else self.ssh.host_variables()
