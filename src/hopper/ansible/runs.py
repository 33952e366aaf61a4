"""Starts playbook runs in children of their own and cleans up after them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hopper.ansible.content import collections_environment
from hopper.errors import HopperError

KEEP_FAILED = 5
"""Run folders of failed runs that are kept to look at."""
KEEP_BYTES = 2_000_000
"""What a kept run folder's output may take; longer ones are cut."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AnsibleSettings:
    """What every run is started with."""

    inventory: tuple[str, ...]
    """Sources as ``ansible -i`` takes them."""
    config_file: Path | None = None
    """An ansible.cfg to use; None for Ansible's own rules."""
    ssh_options: str = ""
    connect_timeout: int = 10
    keep_connections: int = 300
    """Seconds that an idle ssh connection is kept open."""
    forks: int = 16
    """Hosts that the ad-hoc playbooks talk to at a time; a sweep has threads of its own."""


class Run:
    """A playbook that runs in a child process, in a folder used once."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        self._process = process

    @property
    def ended(self) -> bool:
        """True once the child has ended."""
        return self._process.poll() is not None

    @property
    def failed(self) -> bool:
        """True when it has ended, and not well."""
        return self.ended and self._process.returncode != 0

    def wait(self, timeout: float) -> bool:
        """Wait until it has ended; False when it has not within so many seconds."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def cancel(self) -> None:
        """Ask it to end at once; its ssh children go with it."""
        with suppress(OSError):
            (self.folder / "cancel").touch()

    def kill(self) -> None:
        """End it without asking."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def said(self) -> str:
        """Return the end of what it printed, for an error message."""
        text = ""
        for name in ("artifacts/run/stdout", "artifacts/run/stderr", "child.out"):
            with suppress(OSError):
                text += (self.folder / name).read_text("utf-8", "replace")[-4000:]
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        telling = [line for line in lines if "ERROR" in line or "fatal" in line or "rror:" in line]
        return (telling or lines or ["it said nothing"])[-1][:500]

    def remove(self) -> None:
        """Remove its folder, or keep it aside when it failed."""
        if not self.failed:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        for name in ("orders.jsonl", "reports.jsonl", "env", "run.json"):
            path = self.folder / name
            with suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        kept = self.folder.with_name(f"failed-{self.folder.name}")
        with suppress(OSError):
            self.folder.rename(kept)
        _trim(self.folder.parent)


def _trim(parent: Path) -> None:
    kept = sorted(parent.glob("failed-*"), key=lambda path: path.stat().st_mtime)
    for path in kept[:-KEEP_FAILED]:
        shutil.rmtree(path, ignore_errors=True)
    for path in kept[-KEEP_FAILED:]:
        for file in path.rglob("*"):
            if file.is_file() and file.stat().st_size > KEEP_BYTES:
                os.truncate(file, KEEP_BYTES)


def purge(parent: Path, *, older_than: float = 0.0) -> None:
    """Remove the run folders that a killed process left behind, so many seconds ago or longer."""
    if not parent.is_dir():
        return
    for path in parent.iterdir():
        with suppress(OSError):
            old = time.time() - path.stat().st_mtime >= older_than
            if old and path.is_dir() and not path.name.startswith("failed-"):
                shutil.rmtree(path, ignore_errors=True)


def new_folder(parent: Path) -> Path:
    """Make a folder for one run; the name is short, for the pipes in it."""
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="run-", dir=parent))


def start(
    folder: Path, playbook: str, extravars: Mapping[str, object], settings: AnsibleSettings
) -> Run:
    """Start a playbook. Nothing secret may be among the extravars: they reach artifacts and ps."""
    environment = _environment(settings)
    wanted = {
        "playbook": playbook,
        "inventory": list(settings.inventory),
        "extravars": dict(extravars),
        "environment": environment,
    }
    (folder / "run.json").write_text(json.dumps(wanted), "utf-8")
    output = (folder / "child.out").open("wb")
    bin_folder = str(Path(sys.executable).parent)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "hopper.ansible.runner", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **environment, "PATH": _with_bin(bin_folder)},
        )
    except OSError as error:
        raise HopperError(f"cannot start a playbook run: {error}") from error
    finally:
        output.close()
    return Run(folder, process)


def _with_bin(folder: str) -> str:
    path = os.environ.get("PATH", os.defpath)
    return path if folder in path.split(os.pathsep) else f"{folder}{os.pathsep}{path}"


def control_path_dir() -> Path:
    """Return the folder of the ssh control sockets: short, ours alone, the same for all runs."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base and Path(base).is_dir() and os.access(base, os.W_OK):
        return _own(Path(base) / "hopper")
    return _own(Path(tempfile.gettempdir()) / f"hopper-{os.getuid()}")


def _own(folder: Path) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise HopperError(
            f"{folder} is to hold ssh control sockets and is not yours alone",
            way_out="remove it or set XDG_RUNTIME_DIR",
        )
    return folder


def _environment(settings: AnsibleSettings) -> dict[str, str]:
    ssh_arguments = [
        settings.ssh_options,
        "-o BatchMode=yes -o ControlMaster=auto",
        f"-o ControlPersist={settings.keep_connections}s",
        "-o ServerAliveInterval=5 -o ServerAliveCountMax=4",
    ]
    environment = {
        "ANSIBLE_HOST_KEY_CHECKING": os.environ.get("ANSIBLE_HOST_KEY_CHECKING", "True"),
        "ANSIBLE_SSH_ARGS": " ".join(part for part in ssh_arguments if part),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(control_path_dir()),
        "ANSIBLE_TIMEOUT": str(settings.connect_timeout),
        "ANSIBLE_FORKS": str(settings.forks),
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_NOCOLOR": "True",
        "ANSIBLE_CALLBACKS_ENABLED": "hopper.dispatch.patience",
        "LC_ALL": os.environ.get("LC_ALL") or "C.UTF-8",
    }
    if settings.config_file is not None:
        environment["ANSIBLE_CONFIG"] = str(settings.config_file)
    environment.update(collections_environment(os.environ))
    return environment
