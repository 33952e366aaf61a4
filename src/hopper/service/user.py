"""Installing, asking and removing a systemd user unit."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hopper.errors import HopperError, UsageError
from hopper.service.unit import MARK

COMMAND_TIMEOUT_SECONDS = 90.0


class ServiceFailed(HopperError):
    """systemd would not do what was asked.

    Attributes:
        command: the argument list that failed.
        output: what it printed.
    """

    def __init__(self, command: Sequence[str], output: str) -> None:
        self.command, self.output = tuple(command), output
        said = " ".join(output.split()) or "it printed nothing"
        super().__init__(
            f"'{' '.join(command)}' failed: {said}",
            way_out="without a systemd user session, run 'hopper dispatch' under tmux or nohup",
        )


class ServiceTaken(UsageError):
    """The unit's name is in use for something else.

    Attributes:
        path: the unit file that is there.
    """

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        super().__init__(f"{path} {reason}", way_out="choose another name")


@dataclass(frozen=True, kw_only=True)
class Completed:
    """What a command left behind: its exit code, and stdout and stderr together."""

    code: int
    output: str


Command = Callable[[Sequence[str]], Completed]


@dataclass(frozen=True, kw_only=True)
class ServiceState:
    """How the unit stands.

    ``active`` and ``enabled`` are systemd's own words, such as ``active``, ``failed``, ``enabled``;
    ``lingers`` tells whether it runs on after logout, None when that could not be learnt.
    """

    name: str
    path: Path
    installed: bool
    active: str
    enabled: str
    pid: int | None
    lingers: bool | None


def unit_folder(environment: Mapping[str, str], home: Path) -> Path:
    """Where systemd looks for a person's own units."""
    configured = environment.get("XDG_CONFIG_HOME", "")
    base = Path(configured) if configured.startswith("/") else home / ".config"
    return base / "systemd" / "user"


class UserService:
    """The unit ``<name>.service`` of the person who calls.

    Args:
        folder: where the unit file goes; see ``unit_folder``.
        name: without ``.service``.
        run: runs systemctl and loginctl.
    """

    def __init__(self, *, folder: Path, run: Command, name: str = "hopper") -> None:
        if not name or not all(c.isascii() and (c.isalnum() or c in "-_.") for c in name):
            raise UsageError(f"{name!r} is no name for a unit", way_out="use letters, digits, -_.")
        self.name = f"{name}.service"
        self.path = folder / self.name
        self._run = run

    def install(self, text: str) -> ServiceState:
        """Write the unit, start it, and have it started with each session; again is harmless.

        Raises:
            ServiceTaken: the file is someone else's, or hopper's for another config.
            ServiceFailed: systemd refuses.
        """
        before = self._text()
        if before is not None:
            self._refuse_foreign(before)
            if _config_line(before) != _config_line(text):
                raise ServiceTaken(self.path, "serves another config")
        if before != text:
            _write(self.path, text)
        self._systemctl("daemon-reload")
        self._systemctl("enable", self.name)
        self._systemctl("restart", self.name)
        return self.state()

    def remove(self) -> bool:
        """Stop the dispatcher and take the unit away; jobs run on. False when there was none.

        Raises:
            ServiceTaken: the file is someone else's.
            ServiceFailed: systemd refuses.
        """
        before = self._text()
        if before is None:
            return False
        self._refuse_foreign(before)
        self._systemctl("disable", "--now", self.name)
        self.path.unlink(missing_ok=True)
        self._systemctl("daemon-reload")
        return True

    def state(self) -> ServiceState:
        """How the unit stands.

        Raises:
            ServiceFailed: systemd does not answer.
        """
        shown = self._systemctl(
            "show", "--property=ActiveState,UnitFileState,MainPID,LoadState", self.name
        )
        values = _properties(shown)
        pid = values.get("MainPID", "0")
        return ServiceState(
            name=self.name,
            path=self.path,
            installed=self._text() is not None,
            active=values.get("ActiveState") or "unknown",
            enabled=values.get("UnitFileState") or "no",
            pid=int(pid) if pid.isdecimal() and pid != "0" else None,
            lingers=self._lingers(),
        )

    def _lingers(self) -> bool | None:
        answer = self._run(["loginctl", "show-user", str(os.getuid()), "--property=Linger"])
        word = _properties(answer.output).get("Linger") if answer.code == 0 else None
        return None if word is None else word == "yes"

    def _text(self) -> str | None:
        try:
            return self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None

    def _refuse_foreign(self, text: str) -> None:
        if not text.startswith(MARK):
            raise ServiceTaken(self.path, "was not written by hopper")

    def _systemctl(self, *arguments: str) -> str:
        command = ["systemctl", "--user", *arguments]
        done = self._run(command)
        if done.code != 0:
            raise ServiceFailed(command, done.output)
        return done.output


def run_command(command: Sequence[str]) -> Completed:
    """Run a command of the machine, for ``UserService``; code 127 when it cannot be run."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_TIMEOUT_SECONDS,
            check=False,
        )
    except OSError as error:  # not there, or in a folder of PATH that is closed to this person
        return Completed(code=127, output=f"{command[0]} cannot be run: {error.strerror}")
    except subprocess.TimeoutExpired:
        return Completed(code=124, output=f"no answer within {COMMAND_TIMEOUT_SECONDS:g} s")
    return Completed(code=done.returncode, output=done.stdout.decode(errors="replace"))


def _config_line(text: str) -> str | None:
    return next((x for x in text.splitlines() if x.startswith('Environment="HOPPER_CONFIG=')), None)


def _properties(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines())
    return {name: value for name, found, value in pairs if found}


def _write(path: Path, text: str) -> None:
    """Make the file appear whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
