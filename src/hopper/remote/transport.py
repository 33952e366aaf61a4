"""What this package needs of a connection to a host."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a command on the host left: its exit code and all that it printed."""

    code: int
    stdout: bytes
    stderr: bytes


class Transport(Protocol):
    """A connection to one host. All of it raises TransportError where the host is out of reach."""

    def exec(self, command: str, stdin: bytes = b"") -> Answer:
        """Run a command line in the login shell of the host, with these bytes on its stdin."""

    def put(self, local: Path, remote: str) -> None:
        """Copy a file to the host; an existing part of it may be continued."""

    def fetch(self, remote: str, local: Path) -> None:
        """Copy a file from the host; an existing part of it may be continued."""
