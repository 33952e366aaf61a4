"""Tells whether a host has what a worker needs, and makes its Inbox and Outbox when asked to."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from hopper.errors import TransportError
from hopper.remote.host import HALF_SECOND, ask, new_mark
from hopper.remote.quoting import assignment, call
from hopper.remote.script import source
from hopper.remote.transport import Transport

KIB = 1024
NEEDED = {
    "unpacker": "no unpacker: install one of unzip, bsdtar, busybox, python3",
    "tar": "no tar: install it",
}
WANTED = {
    "sha256": "no SHA-256 tool (sha256sum, shasum, openssl, python3): zips go there unchecked",
    "bash": "no bash: the launch command of the default config calls it",
    "session": "no setsid, perl or python3: jobs get no session of their own",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """The Inbox or the Outbox of a host."""

    path: str
    existed: bool
    exists: bool
    writable: bool
    problem: str = ""
    """Why it could not be made."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Readiness:
    """What a host has of what a worker needs."""

    inbox: Folder
    outbox: Folder
    tools: dict[str, str]
    """unpacker, tar, sha256 and session, each with the command found; empty for none."""
    zips: tuple[str, ...]
    """What lies in its Inbox."""
    boot_id: str
    clock_skew: float | None
    """Seconds that its clock is ahead of ours."""
    free_bytes: int | None
    """Free space where the Inbox is or would be."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Return, in words, what keeps it from being a worker; empty when it can be one."""
        words = [text for tool, text in NEEDED.items() if not self.tools.get(tool)]
        for name, folder in (("Inbox", self.inbox), ("Outbox", self.outbox)):
            if folder.problem:
                words.append(f"{name} {folder.path} cannot be made: {folder.problem}")
            elif not folder.exists:
                words.append(f"no {name} {folder.path}")
            elif not folder.writable:
                words.append(f"{name} {folder.path} cannot be written to")
        return tuple(words)

    @property
    def advice(self) -> tuple[str, ...]:
        """Return, in words, what would be better there but is not needed."""
        return tuple(text for tool, text in WANTED.items() if not self.tools.get(tool))

    @property
    def made(self) -> tuple[str, ...]:
        """Return the folders that were made."""
        return tuple(f.path for f in (self.inbox, self.outbox) if f.exists and not f.existed)


def inspect(
    transport: Transport, *, inbox: str = "~/Inbox", outbox: str = "~/Outbox", make: bool = False
) -> Readiness:
    """Look at a host in one round trip; ``make`` makes missing folders, with mode 0700.

    Raises TransportError where the host cannot be reached or does not answer as it should.
    """
    mark = new_mark()
    calls = [
        call("machine"),
        call("folder", ["inbox", inbox, int(make)]),
        call("folder", ["outbox", outbox, int(make)]),
        call("unpacker"),
        call("first", ["tar", "tar"]),
        call("first", ["sha256", "sha256sum", "shasum", "openssl", "python3"]),
        call("first", ["session", "setsid", "perl", "python3"]),
        call("zips"),
        call("close"),
    ]
    text = "\n".join(
        [
            source("worker.sh") + source("readiness.sh").rstrip(),
            assignment("hopper_inbox", inbox),
            call("printf", ["\n%s\n", mark]),
            *calls,
            "",
        ]
    )
    before = time.time()
    reply = ask(transport, text, mark)
    try:
        return _read(reply.records, (before + time.time()) / 2)
    except (KeyError, TypeError, ValueError) as error:
        raise TransportError("the worker's answer is garbled") from error


def _read(records: tuple[tuple[str, ...], ...], middle: float) -> Readiness:
    folders: dict[str, Folder] = {}
    tools: dict[str, str] = {}
    zips: list[str] = []
    machine: dict[str, Any] = {}
    for kind, *fields in records:
        if kind == "folder":
            name, path, *flags, problem = fields
            existed, exists, writable = (flag == "1" for flag in flags)
            folders[name] = Folder(
                path=path,
                existed=existed,
                exists=exists,
                writable=writable,
                problem=" ".join(problem.split()),
            )
        elif kind == "tool":
            tool, found = fields
            tools[tool] = found
        elif kind == "zip":
            zips.extend(fields)
        elif kind == "machine":
            machine = _machine(middle, *fields)
    return Readiness(
        inbox=folders["inbox"], outbox=folders["outbox"], tools=tools, zips=tuple(zips), **machine
    )


def _machine(middle: float, boot: str, epoch: str, free: str) -> dict[str, Any]:
    return {
        "boot_id": boot,
        "clock_skew": round(float(epoch) + HALF_SECOND - middle, 1) if epoch.strip() else None,
        "free_bytes": int(free) * KIB if free.strip() else None,
    }
