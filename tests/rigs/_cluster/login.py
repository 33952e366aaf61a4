"""A login node in namespaces of its own, within which a whole cluster runs.

It is a farm of one worker. Ports, pid files, sockets under /run and the user are therefore its
own, two clusters run side by side, and the end of its first process takes every daemon along,
be it by `close` or because the process that started it was killed.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Self

from tests.rigs._cluster.values import RigError, SshFacts
from tests.rigs._farm import netns
from tests.rigs.farm import Farm
from tests.rigs.farm import missing as farm_missing

if TYPE_CHECKING:
    from pathlib import Path

NODE = "w1"
ETC = "/run/farm"  # the worker's `etc` folder as its processes see it
RIG = "/run/rig"  # in memory: databases and spools are quick there, and gone with the node
PREPARE = """\
set -e
mkdir -p "$1/log"
chmod 777 "$1/log"
mkdir /run/rig
mount -t tmpfs -o mode=755 rig /run/rig
cp /etc/hosts /run/rig/hosts
grep -v "^[^#]*[[:space:]]$3\\([[:space:]]\\|$\\)" /etc/hosts > /run/rig/hosts || true
echo "$2 $3" >> /run/rig/hosts
mount --bind /run/rig/hosts /etc/hosts
if [ -n "$4" ]; then mount --bind "/usr/share/zoneinfo/$4" /etc/localtime; fi
"""


def missing() -> str | None:
    """Why no cluster can run here; None when one can, given its programs."""
    return farm_missing() or netns.problem()


def facts_of(farm: Farm) -> SshFacts:
    """How the user of a farm's only worker logs in."""
    worker, folder = farm.workers[0], farm.folder
    return SshFacts(
        host=worker.host, port=worker.port, user=worker.user, key_path=folder / "id",
        known_hosts=folder / "known_hosts",
    )  # fmt: skip


class LoginNode:
    """The machine on which users of a cluster log in, and its daemons run."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm

    @classmethod
    def start(cls, folder: Path, *, timezone: str = "") -> Self:
        """Start it, its files in `folder`. `timezone` (`Asia/Kolkata`) is what its clock shows.

        Raises FarmError or RigError when it does not come up.
        """
        farm = Farm.start(1, folder, "netns")
        node = cls(farm)
        try:
            node.script(PREPARE, ETC, farm.workers[0].host, NODE, timezone)
        except BaseException:
            farm.close()
            raise
        return node

    def close(self) -> None:
        """Kill everything in it and take its network away."""
        self._farm.close()

    @property
    def farm(self) -> Farm:
        """For the faults of a farm: `cut`, `freeze`, `mend` of the worker `w1`."""
        return self._farm

    @property
    def ssh_facts(self) -> SshFacts:
        """How to log in."""
        return facts_of(self._farm)

    @property
    def home(self) -> Path:
        """The user's home folder, seen from outside."""
        return self._farm.workers[0].home

    @property
    def log(self) -> Path:
        """The folder of the daemons' logs, seen from outside."""
        return self._farm.workers[0].etc / "log"

    def ssh(self, command: str, *, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run a command as the user, over ssh."""
        return self._farm.ssh(NODE, command, stdin=stdin, seconds=60)

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command as root in it, whatever its outcome."""
        return self._farm.enter(NODE, *argv)

    def check(self, *argv: str) -> str:
        """Run a command as root in it and give its output. Raises RigError if it fails."""
        done = self.run(*argv)
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            message = f"{' '.join(argv)[:200]}: exit code {done.returncode}: {said}"
            raise RigError(message)
        return done.stdout

    def script(self, text: str, *arguments: str) -> str:
        """Run a sh script as root in it; like `check` otherwise."""
        return self.check("sh", "-c", text, "rig", *arguments)

    def daemon(self, log: str, *argv: str) -> None:
        """Start a program that does not go to the background by itself."""
        text = 'log=$1; shift; setsid "$@" > "$log" 2>&1 < /dev/null &'
        self.script(text, f"{ETC}/log/{log}", *argv)

    def stop(self, pid_file: str) -> None:
        """End the process named in a pid file, and wait for its end."""
        text = 'p=$(cat "$1"); kill "$p"; while kill -0 "$p" 2>/dev/null; do sleep 0.02; done'
        self.check("timeout", "30", "sh", "-c", text, "rig", pid_file)
