"""A real Grid Engine on this machine, with a login node to be reached by ssh as a normal user.

    with GridEngine.start(tmp_path) as engine:
        engine.ssh("echo 'exit 7' | qsub -terse -N job")
        backend = {"name": "ge", "type": "gridengine", "ssh": engine.ssh_facts.backend()}
        engine.stop_master()

Queues: `main.q` and `short.q` (10 minutes), 8 slots each, parallel environment `smp`. Needs root
and Debian's packages gridengine-master, gridengine-exec and gridengine-client; the cell that these
may have made is left alone. `missing` says what is not there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Self
from xml.etree import ElementTree as Xml

from tests.rigs._cluster import login
from tests.rigs._cluster.engine import Engine
from tests.rigs._cluster.gridengine_config import (
    CELL,
    HOST,
    PE,
    QUEUE,
    SETUP,
    SHORT_QUEUE,
    SPOOL,
)
from tests.rigs._cluster.login import NODE, LoginNode
from tests.rigs._cluster.values import NativeJob, RigError
from tests.rigs._farm.sshd import program
from tests.rigs._farm.values import until

__all__ = ["GridEngine", "NativeJob", "RigError", "missing"]

PROGRAMS = {
    "sge_qmaster": "gridengine-master",
    "sge_execd": "gridengine-exec",
    "qconf": "gridengine-client",
}
MAKER = Path("/usr/lib/gridengine/spooldefaults")
ROOT = "SGE_ROOT=/var/lib/gridengine"
SLOTS = 8


def missing() -> str | None:
    """Why no Grid Engine can start here, to be printed by a test that skips; None if one can."""
    absent = {name: package for name, package in PROGRAMS.items() if not program(name)}
    if absent:
        return f"no {', '.join(absent)} on this machine ({' '.join(absent.values())})"
    return login.missing() if MAKER.exists() else f"no {MAKER} (gridengine-master of Debian)"


class GridEngine(Engine):
    """A running Grid Engine. Made by `start`."""

    @classmethod
    def start(cls, folder: Path, *, timezone: str = "") -> Self:
        """Start it, its files in `folder`, the queue ready. `timezone` is the login node's.

        Raises RigError when something is missing or fails, FarmError when it does not come up.
        """
        if absent := missing():
            raise RigError(absent)
        engine = cls(LoginNode.start(folder, timezone=timezone))
        engine.launch()
        return engine

    def stop_master(self) -> None:
        """End sge_qmaster; jobs that run go on."""
        self.node.stop(f"{SPOOL}/qmaster/qmaster.pid")

    def start_master(self) -> None:
        """Start sge_qmaster again, with the jobs that it knew, and wait until it answers."""
        self.node.check("timeout", "40", "env", ROOT, "sge_qmaster")
        until(self._answers, "sge_qmaster", seconds=30)

    def disable(self, queue: str = QUEUE) -> None:
        """Let the queue start nothing more; what runs goes on."""
        self.admin("qmod", "-d", queue)

    def enable(self, queue: str = QUEUE) -> None:
        """Undo `disable`."""
        self.admin("qmod", "-e", queue)

    def jobs(self) -> list[NativeJob]:
        """All jobs ever of all users, a state of an ended one being `exit N` or `failed N`.

        The elements of an array are single entries once they have run, and share one before.
        Raises RigError when the master is away.
        """
        live = Xml.fromstring(self.admin("qstat", "-u", "*", "-xml"))  # noqa: S314 - our own qstat
        found = {job.id: job for job in map(_live, live.iter("job_list"))}
        done = self.node.run("timeout", "30", "qacct", "-j")  # fails when nothing has ended yet
        for block in re.split(r"^=+\n", done.stdout, flags=re.MULTILINE):
            if "jobnumber" in block:  # not so in the table of totals
                job = _ended(block)
                found[job.id] = job
        return list(found.values())

    # Starting

    def _launch(self) -> None:
        self.node.script(CELL, NODE)
        self.start_master()
        arguments = [NODE, QUEUE, SHORT_QUEUE, str(SLOTS), HOST, PE]
        self.node.script(SETUP, *arguments)
        self.node.check("timeout", "40", "env", ROOT, "sge_execd")
        until(self._ready, f"the queue {QUEUE}", seconds=30)

    def _answers(self) -> bool:
        return self.node.run("timeout", "3", "qconf", "-sm").returncode == 0

    def _ready(self) -> bool:
        said = self.node.run("timeout", "5", "qstat", "-f").stdout
        lines = [line.split() for line in said.splitlines() if f"@{NODE}" in line]
        words = 5  # a sixth is a state such as `au`: not heard from
        return len(lines) == len([QUEUE, SHORT_QUEUE]) and all(len(x) == words for x in lines)


def _live(entry: Xml.Element) -> NativeJob:
    text = {child.tag: child.text or "" for child in entry}
    number, tasks = text["JB_job_number"], text.get("tasks", "")
    return NativeJob(
        id=f"{number}.{tasks}" if tasks else number, name=text["JB_name"], state=text["state"],
        user=text["JB_owner"],
    )  # fmt: skip


def _ended(block: str) -> NativeJob:
    pairs = (line.partition(" ") for line in block.splitlines())
    said = {name: value.strip() for name, _, value in pairs}
    task = "" if said["taskid"] == "undefined" else f".{said['taskid']}"
    failed = said["failed"].split()[0]
    state = f"exit {said['exit_status']}" if failed == "0" else f"failed {failed}"
    return NativeJob(
        id=said["jobnumber"] + task, name=said["jobname"], state=state, user=said["owner"]
    )
