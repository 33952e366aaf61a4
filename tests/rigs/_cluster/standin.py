"""A login node on which the commands of a batch system are stand-ins that keep state and run jobs.

It is a farm of one worker in whatever mode this machine can have. Everything runs as the user.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from tests.rigs._cluster.batch.store import Setup, Store
from tests.rigs._cluster.login import NODE, facts_of
from tests.rigs._cluster.values import NativeJob, RigError, SshFacts
from tests.rigs._farm.closing import Closing
from tests.rigs._farm.sshd import MARK
from tests.rigs._farm.values import until
from tests.rigs.farm import Farm
from tests.rigs.farm import missing as farm_missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.rigs._farm.values import Mode

RIGS = Path(__file__).resolve().parents[1]
USUAL_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/games"
WRAPPER = """\
#!/bin/sh
exec python3 -S {main} {state} {kind} {name} "$@"
"""


def missing() -> str | None:
    """Why no stand-in can run here, to be printed by a test that skips; None if one can."""
    python = shutil.which("python3", path=USUAL_PATH)
    return farm_missing() or (None if python else f"no python3 in {USUAL_PATH}")


class StandIn(Closing):
    """A running stand-in. Made by `start` of one of its kinds."""

    kind: ClassVar[str]
    programs: ClassVar[Sequence[str]]

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        worker = farm.workers[0]
        self._outside = worker.etc / "standin"
        inside = "/run/farm" if farm.mode == "netns" else str(worker.etc)
        self._inside = f"{inside}/standin"

    @classmethod
    def launch(cls, folder: Path, setup: Setup, mode: Mode | None = None) -> Self:
        """Start it, its files in `folder`. Raises RigError or FarmError when it does not come."""
        if absent := missing():
            raise RigError(absent)
        rig = cls(Farm.start(1, folder, mode))
        try:
            rig._install(setup)
            rig._serve()
        except BaseException:
            rig.close()
            raise
        return rig

    def close(self) -> None:
        """End it with all its jobs; the user's home stays in the folder."""
        self._farm.close()

    @property
    def farm(self) -> Farm:
        """For the faults of a farm: `cut`, `freeze`, `mend` of the worker `w1`."""
        return self._farm

    @property
    def ssh_facts(self) -> SshFacts:
        """How a normal user logs in."""
        return facts_of(self._farm)

    def inventory_vars(self) -> dict[str, Any]:
        """The login node's host variables in an Ansible inventory."""
        return self.ssh_facts.inventory_vars()

    @property
    def home(self) -> Path:
        """A folder of the user's own, seen from outside: in namespaces, the home."""
        return self._farm.workers[0].home

    @property
    def home_there(self) -> str:
        """That folder's path on the login node."""
        return str(Path(self._farm.workers[0].inbox).parent)

    def ssh(self, command: str, *, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run a command on the login node as the user."""
        return self._farm.ssh(NODE, command, stdin=stdin, seconds=60)

    # What happens to it

    def stop_controller(self) -> None:
        """Let no command reach the server; jobs that run go on."""
        (self._state / "down").touch()

    def start_controller(self) -> None:
        """Undo `stop_controller`."""
        (self._state / "down").unlink(missing_ok=True)

    def forget(self, number: int) -> None:
        """Drop an ended job from the history, as a real system does after hours."""
        with self._store.lock():
            self._store.forget(number)

    def jobs(self) -> list[NativeJob]:
        """All jobs that are not forgotten; an ended one's state is `exit N` or what ended it."""
        shown = []
        for job in self._store.all():
            ended = job.why or f"exit {job.code}"
            state = ended if job.state == "ended" else job.state
            native = f"{job.array}[{job.index}]" if job.array else str(job.number)
            shown.append(NativeJob(id=native, name=job.name, state=state, user=job.user))
        return shown

    # Starting

    @property
    def _state(self) -> Path:
        return self._outside / "state"

    @property
    def _store(self) -> Store:
        return Store(self._state)

    def _install(self, setup: Setup) -> None:
        """Put programs, state and PATH in place; sshd has to start again to see its PATH."""
        package = self._outside / "lib" / "tests" / "rigs"
        for name in ("_cluster/batch", f"{self.kind}_standin"):
            skipped = shutil.ignore_patterns("rig.py", "__pycache__")
            shutil.copytree(RIGS / name, package / name, ignore=skipped)
        for folder in (package, package / "_cluster"):
            (folder / "__init__.py").touch()
        self._write_programs()
        self._state.mkdir()
        (self._state / "setup.json").write_text(json.dumps(asdict(setup)))
        plan = self._farm.plan
        if os.geteuid() == 0:
            os.chown(self._state, plan.uid, plan.gid)
        worker = self._farm.workers[0]
        path = f"{self._inside}/bin:{USUAL_PATH}"
        config = worker.etc / "sshd_config"
        text = config.read_text().replace(f"SetEnv {MARK}=", f'SetEnv "PATH={path}" {MARK}=')
        config.write_text(text)
        if self._farm.mode == "netns":  # else the home is a real person's
            profile = self.home / ".profile"
            profile.write_text(f"PATH={shlex.quote(self._inside + '/bin')}:$PATH\n")
        self._farm.restart(NODE)

    def _write_programs(self) -> None:
        folder = self._outside / "bin"
        folder.mkdir()
        main = f"{self._inside}/lib/tests/rigs/_cluster/batch/main.py"
        for name in (*self.programs, "serve"):
            text = WRAPPER.format(
                main=shlex.quote(main), state=shlex.quote(f"{self._inside}/state"),
                kind=self.kind, name=name,
            )  # fmt: skip
            path = folder / name if name != "serve" else self._outside / "serve"
            path.write_text(text)
            path.chmod(0o755)

    def _serve(self) -> None:
        serve = shlex.quote(f"{self._inside}/serve")
        log = shlex.quote(f"{self._inside}/state/log")
        done = self.ssh(f"cd /; setsid {serve} > {log} 2>&1 < /dev/null &")
        if done.returncode:
            message = f"{self.kind}: {done.stderr.decode(errors='replace')}"
            raise RigError(message)
        ready = self._state / "ready"
        until(ready.exists, f"the server of {self.kind}: see {self._state / 'log'}")
