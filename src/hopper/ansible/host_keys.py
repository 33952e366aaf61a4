"""Shows the host key of a machine and records it, as ssh itself would with a person's yes.

The key is had by letting ssh begin a connection that ends before any login. So the user's own
ssh settings hold (aliases, jump hosts, ports), and the key is the one that later connections
will be shown.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shlex
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hopper.errors import HopperError, UsageError

PATIENCE = 60.0
"""Seconds that ssh is given, jump hosts included."""
_FIRST = (
    "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new",
    "-o", "GlobalKnownHostsFile=/dev/null", "-o", "HashKnownHosts=no",
    "-o", "UpdateHostKeys=no", "-o", "ControlMaster=no", "-o", "ControlPath=none",
    "-o", "PreferredAuthentications=none", "-o", "PubkeyAuthentication=no",
    "-o", "ClearAllForwardings=yes",
)  # fmt: skip


class HostKeyChanged(HopperError):
    """Another key is recorded for the machine than the one it shows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Where a machine is, as given to ssh."""

    host: str
    user: str = ""
    port: int | None = None
    options: str = ""
    """Further ssh options, as in ``dispatch.ssh_options``."""

    def arguments(self) -> list[str]:
        """Return it as ssh's arguments, the host last."""
        words = shlex.split(self.options)
        if self.port is not None:
            words += ["-p", str(self.port)]
        if self.user:
            words += ["-l", self.user]
        return [*words, "--", self.host]


@dataclass(frozen=True, kw_only=True, slots=True)
class HostKey:
    """One host key."""

    name: str
    """What known_hosts calls the machine."""
    kind: str
    """Such as ``ssh-ed25519``."""
    blob: str
    """Base64."""

    @property
    def fingerprint(self) -> str:
        """The fingerprint as ssh shows it: ``SHA256:`` and base64 without padding."""
        digest = hashlib.sha256(base64.b64decode(self.blob)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    @property
    def line(self) -> str:
        """The line for known_hosts."""
        return f"{self.name} {self.kind} {self.blob}\n"


def shown_key(address: Address) -> HostKey:
    """Return the key that a machine shows. HopperError where it cannot be reached."""
    with tempfile.TemporaryDirectory(prefix="hopper-key-") as folder:
        fresh = Path(folder) / "known_hosts"
        command = ["ssh", *_FIRST, "-o", f"UserKnownHostsFile={fresh}", *address.arguments()]
        done = _run([*command, "true"])
        with suppress(OSError, ValueError):
            for line in fresh.read_text("utf-8").splitlines():
                name, kind, blob = line.split()[:3]
                return HostKey(name=name, kind=kind, blob=blob)
    said = done.stderr.strip().splitlines() or ["it said nothing"]
    raise HopperError(
        f"{address.host} shows no host key: {said[-1]}",
        way_out="check address, port and network, as with 'ssh -v'",
    )


def known_hosts(address: Address) -> Path:
    """Return the file that ssh records the machine's key in."""
    done = _run(["ssh", "-G", *address.arguments()])
    for line in done.stdout.splitlines():
        key, _, value = line.partition(" ")
        if key == "userknownhostsfile" and value.strip():
            # -G prints names without quotes; of several, ssh adds to the first.
            path = value.strip() if Path(value.strip()).exists() else value.split()[0]
            if path != "/dev/null":
                return Path(path).expanduser()
    return Path("~/.ssh/known_hosts").expanduser()


def is_recorded(key: HostKey, file: Path) -> bool:
    """Tell whether the file has the key. HostKeyChanged where it has another of its kind."""
    done = _run(["ssh-keygen", "-F", key.name, "-f", str(file)])
    found = [line.split() for line in done.stdout.splitlines() if line[:1] not in {"#", "@", ""}]
    kinds = {words[1]: words[2] for words in found if len(words) >= 3}
    if kinds.get(key.kind, key.blob) != key.blob:
        raise HostKeyChanged(
            f"{key.name} shows another {key.kind} key ({key.fingerprint}) than {file} has",
            way_out="somebody may be in between; if the machine was set up anew, "
            f"ssh-keygen -R {shlex.quote(key.name)} -f {shlex.quote(str(file))}",
        )
    return key.kind in kinds


def record(key: HostKey, file: Path) -> None:
    """Add the key to the file, which is made where there is none."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as known:
            size = known.seek(0, os.SEEK_END)
            before = b"\n" if size and os.pread(known.fileno(), 1, size - 1) != b"\n" else b""
            known.write(before + key.line.encode())
            os.fsync(known.fileno())
    except OSError as error:
        raise HopperError(f"cannot record the key in {file}: {error.strerror}") from error


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except FileNotFoundError as error:
        raise UsageError(
            f"there is no {command[0]} here", way_out="install openssh-client"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise HopperError(f"{command[0]} took over {PATIENCE:.0f} s") from error
