"""Values and errors of the cluster rigs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.rigs._farm.sshd import client_options

if TYPE_CHECKING:
    from pathlib import Path


class RigError(RuntimeError):
    """The rig could not do what was asked; the message says what and what was answered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SshFacts:
    """How the login node is reached from outside; all that a normal user of it has."""

    host: str
    port: int
    user: str
    key_path: Path
    known_hosts: Path

    def backend(self) -> dict[str, Any]:
        """What to put under `ssh:` of a backend in a hopper.yaml."""
        return {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "key_path": str(self.key_path),
            "known_hosts": str(self.known_hosts),
        }

    def inventory_vars(self) -> dict[str, Any]:
        """Its host variables in an Ansible inventory."""
        options = client_options(self.known_hosts.parent)
        return {
            "ansible_host": self.host,
            "ansible_port": self.port,
            "ansible_user": self.user,
            "ansible_ssh_private_key_file": str(self.key_path),
            "ansible_ssh_common_args": " ".join(f"-o '{k}={v}'" for k, v in options.items()),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class NativeJob:
    """One job as the batch system itself knows it.

    `id` is what its commands take, for an element of an array `6_3` or the like. `state` and
    `name` are in the system's own words; `comment` is empty where it has none.
    """

    id: str
    name: str
    state: str
    user: str
    comment: str = ""
